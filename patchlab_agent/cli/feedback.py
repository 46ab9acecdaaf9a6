"""`patchlab-agent feedback`: a person as the judge."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import JsonValue
from typer.core import TyperCommand

from patchlab_agent.cli import options
from patchlab_agent.cli.console import out, print_json
from patchlab_agent.cli.traces import TraceId
from patchlab_agent.config import variable
from patchlab_agent.errors import PatchLabError, UsageError
from patchlab_agent.settings import AgentSettings
from patchlab_agent.text import strict_json

if TYPE_CHECKING:
    from patchlab_agent.models.listing import FeedbackReport
    from patchlab_agent.models.trace import Trace

_SKILL = "--skill"


class Labeled(TyperCommand):
    """A command whose help ends with the labels of the skill that it is called for."""

    def parse_args(self, context: Any, arguments: list[str]) -> list[str]:
        """Note which skill is named, as the help is shown before any option is read."""
        given = [each.partition("=") for each in arguments if each.startswith(f"{_SKILL}=")]
        after = [value for name, value in pairwise(arguments) if name == _SKILL]
        around = [os.environ.get(variable("skill")), (context.default_map or {}).get("skill")]
        named = [*after, *(value for _, _, value in given), *around, AgentSettings().skill]
        context.meta[_SKILL] = next(filter(None, named))
        return super().parse_args(context, arguments)

    def format_help(self, context: Any, formatter: Any) -> None:
        """Show the help, and what `--detail` takes for each label."""
        super().format_help(context, formatter)
        from patchlab_agent.lab.describing import labels_of
        from patchlab_agent.report.tables import described

        # Help is there whatever is wrong with a skill, which `doctor` tells.
        with suppress(PatchLabError):
            labels = labels_of(AgentSettings(skill=context.meta[_SKILL]))
            out().print(described(labels, "--label", "what --detail takes"))


@options.takes(
    options.ANSWERING,
    options.SHARING,
    options.LEARNING,
    options.GATING,
    options.SPENDING,
    options.REAL_MODEL,
)
def feedback(
    context: typer.Context,
    trace_id: TraceId,
    label: Annotated[
        str | None,
        typer.Option(
            help="What is wrong: one of the labels below, or OK.", show_default="must be given"
        ),
    ] = None,
    field: Annotated[
        str | None,
        typer.Option(help="The answer's field that is wrong.", show_default="none named"),
    ] = None,
    value: Annotated[
        str | None,
        typer.Option(
            help="The offending value, as JSON or text.", show_default="what the answer has there"
        ),
    ] = None,
    detail: Annotated[
        str,
        typer.Option(
            help="What would be right, in short: this is what there is to learn. Below is what it "
            "takes for each label.",
            show_default="none",
        ),
    ] = "",
    as_json: options.Json = False,
) -> None:
    """Say what is wrong with an answer, and learn a patch from it, as in a run.

    The patch is proposed from request, answer and feedback, then gated and stored. Several faults
    of one answer are told one at a time, and add up. Feedback on a fault that was told before
    replaces what was said then, unless that says more; OK replaces all. What was learned stays. If
    the model fails, the feedback is kept and no patch is learned.

    The first example is for `answer "Ship 2 kg bleach box to US"`, the second for
    `answer "Ship 1 kg tea tube to US"`, the third for `answer "Send 2 kg tea box to Ruritania"`.
    Ask for each again, and the answer is right.

    Examples:
        patchlab-agent feedback 0 --label hazmat_undeclared --field declarations --detail hazmat

        patchlab-agent feedback 1 --label parcel_unknown --field parcel --detail "up to 5 kg"

        patchlab-agent feedback 2 --label destination_unknown --field destination --detail DE
    """
    if value is not None and field is None:
        raise UsageError("--value is what the answer has in a field; add --field.")
    settings = options.settings(AgentSettings, context)
    if label is None:
        raise UsageError(_without_label(settings))
    from patchlab_agent.lab.opening import lab_of
    from patchlab_agent.lab.stores import require_store

    require_store(settings.store)
    with lab_of(settings) as lab:
        before = lab.traces.get(trace_id)
        report = lab.feedback(
            before.id,
            label,
            field=field,
            value=None if value is None else _json_or_text(value),
            detail=detail,
        )
        trace = lab.traces.get(before.id)
        details = lab.details
    if as_json:
        print_json(report.model_dump(mode="json"))
        return
    out().print("\n".join(_told(before, trace, report, details)), markup=False, soft_wrap=True)


def _without_label(settings: AgentSettings) -> str:
    from patchlab_agent.lab.describing import labels_of

    labels = labels_of(settings)
    width = max(map(len, labels))
    rows = (f"  {label:<{width}}  {takes}".rstrip() for label, takes in labels.items())
    lines = "\n".join(rows)
    return f"Say with --label what is wrong, and in --detail what is right:\n{lines}"


def _json_or_text(text: str) -> JsonValue:
    try:
        read: JsonValue = strict_json(text)
    except (ValueError, RecursionError):
        return text
    return read


def _told(
    before: Trace, trace: Trace, report: FeedbackReport, details: Mapping[str, str]
) -> Iterator[str]:
    """Yield what became of feedback on a trace, line by line."""
    from patchlab_agent.report.format import literal, shortened
    from patchlab_agent.report.steps import event_line

    request = shortened(" ".join(trace.request.split()))
    yield literal(f"Trace {trace.id}  {request}").plain
    for fault in trace.faults:
        if fault != report.feedback:
            yield literal(f"  besides    {fault}").plain
    if report.replaced is not None:
        gone = before.faults if trace.ok else ()
        replaced = "; ".join(map(str, gone or [report.replaced]))
        yield literal(f"  judged before: {replaced}; that is replaced").plain
    yield literal(f"  feedback   {report.feedback}").plain
    for event in report.events:
        yield literal(f"  patch      {event_line(event)}").plain
    yield literal(_next(trace, report, details)).plain


def _next(trace: Trace, report: FeedbackReport, details: Mapping[str, str]) -> str:
    """Return what to do next, depending on what became of the patch."""
    first = next(iter(report.events), None)
    if first is None:
        nothing = "There is nothing to learn from an answer that is right"
        drawn = trace.holdout and (trace.applied or trace.held_out)
        return (
            f"{nothing}; it may count for the lessons used or held out." if drawn else f"{nothing}."
        )
    from patchlab_agent.models.event import EventKind
    from patchlab_agent.report.format import shortened

    if first.kind in (EventKind.ACTIVATED, EventKind.ACTIVE_ALREADY):
        # Nobody copies a command of many lines.
        is_short = shortened(trace.request) == trace.request
        told = shlex.quote(trace.request) if is_short else "-, with the request on standard input"
        return f"See what it does: patchlab-agent answer {told}"
    if first.patch_id is None:
        label = str(report.feedback.label)
        takes = details.get(label)
        told = f" For {label} it takes: {takes}." if takes else ""
        return (
            "Say in --detail what is right, or give the label that fits; see `feedback --help`."
            f"{told}"
        )
    show = f"patchlab-agent patches show {first.patch_id}"
    why = f"See why: {show}; to overrule that: patchlab-agent patches enable {first.patch_id}"
    if trace.verdict is not None and trace.verdict.outcome == "incomplete":
        return f"{why}. What else the answer lacks can be told as well; then both are tried."
    return why
