"""`patchlab-agent feedback`: a person as the carrier."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import JsonValue

from patchlab_agent.cli import options
from patchlab_agent.cli.console import out, print_json
from patchlab_agent.cli.traces import TraceId
from patchlab_agent.errors import UsageError
from patchlab_agent.settings import AgentSettings
from patchlab_agent.text import strict_json

if TYPE_CHECKING:
    from patchlab_agent.models.event import PatchEvent
    from patchlab_agent.models.listing import FeedbackReport
    from patchlab_agent.models.trace import Trace


@options.takes(
    options.ANSWERING,
    options.LEARNING,
    options.GATING,
    options.SPENDING,
    options.REAL_MODEL,
)
def feedback(
    context: typer.Context,
    trace_id: TraceId,
    label: Annotated[str, typer.Option(help="What is wrong: an error label, or OK.")],
    field: Annotated[
        str | None, typer.Option(help="The quote's field that is wrong.", show_default="none named")
    ] = None,
    value: Annotated[
        str | None,
        typer.Option(
            help="The offending value, as JSON or text.", show_default="what the quote has there"
        ),
    ] = None,
    detail: Annotated[
        str, typer.Option(help="What would be right, in short: this is what there is to learn.")
    ] = "",
    as_json: options.Json = False,
) -> None:
    """Say what is wrong with an answer, and learn a patch from it, as in a run.

    The patch is proposed from request, quote and feedback, then gated and stored. Feedback on a
    trace that was judged before replaces the earlier feedback; what was learned from that stays. If
    the model fails, the feedback is kept and no patch is learned.

    The first example is for the answer to `quote "Ship 2 kg bleach box to US"`, the second for
    `quote "Ship 1 kg tea tube to US"`, the third for `quote "Send 2 kg tea box to Ruritania"`.
    Quote each again, and the answer is right.

    Examples:
        patchlab-agent feedback 0 --label hazmat_undeclared --field declarations --detail hazmat

        patchlab-agent feedback 1 --label parcel_unknown --field parcel --detail "up to 5 kg"

        patchlab-agent feedback 2 --label destination_unknown --field destination --detail DE
    """
    if value is not None and field is None:
        raise UsageError("--value is what the quote has in a field; add --field.")
    settings = options.settings(AgentSettings, context)
    from patchlab_agent.lab.lab import lab_of
    from patchlab_agent.lab.stores import require_store

    require_store(settings.store)
    with lab_of(settings) as lab:
        report = lab.feedback(
            trace_id,
            label,
            field=field,
            value=None if value is None else _json_or_text(value),
            detail=detail,
        )
        trace = lab.traces.get(report.trace_id)
    if as_json:
        print_json(report.model_dump(mode="json"))
        return
    out().print("\n".join(_told(trace, report)), markup=False, soft_wrap=True)


def _json_or_text(text: str) -> JsonValue:
    try:
        read: JsonValue = strict_json(text)
    except (ValueError, RecursionError):
        return text
    return read


def _told(trace: Trace, report: FeedbackReport) -> Iterator[str]:
    """Yield what became of feedback, line by line."""
    from patchlab_agent.report.format import literal
    from patchlab_agent.report.steps import event_line

    request = " ".join(trace.request.split())
    yield literal(f"Trace {trace.id}  {request}").plain
    if report.replaced is not None:
        yield literal(f"  judged before: {report.replaced}; that is replaced").plain
    yield literal(f"  feedback   {report.feedback}").plain
    for event in report.events:
        yield literal(f"  patch      {event_line(event)}").plain
    yield literal(_next(trace, report.events)).plain


def _next(trace: Trace, events: tuple[PatchEvent, ...]) -> str:
    """Return what to do next, depending on what became of the patch."""
    first = next(iter(events), None)
    if first is None:
        nothing = "There is nothing to learn from an answer that is right"
        drawn = trace.holdout and (trace.applied or trace.held_out)
        return (
            f"{nothing}; it may count for the lessons used or held out." if drawn else f"{nothing}."
        )
    from patchlab_agent.models.event import EventKind

    if first.kind in (EventKind.ACTIVATED, EventKind.ACTIVE_ALREADY):
        return f"See what it does: patchlab-agent quote {shlex.quote(trace.request)}"
    if first.patch_id is None:
        return "Say in --detail what is right, or give the label that fits; see `feedback --help`."
    show = f"patchlab-agent patches show {first.patch_id}"
    return f"See why: {show}; to overrule that: patchlab-agent patches enable {first.patch_id}"
