"""One trace, step by step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.text import Text

from patchlab_agent.models.base import Output
from patchlab_agent.models.event import PatchEvent
from patchlab_agent.models.trace import Attempt, Feedback, Judged, RetrievedRef, Trace
from patchlab_agent.report import format as fmt

MAX_REQUEST = 2000
"""Characters of a request at the head of its steps."""


def steps(trace: Trace, *, title: str, prompt: bool = False) -> Text:
    """Render one trace: retrieved, applied, parsed both ways, judged, learned.

    Args:
        trace: judged or not, compared or not; missing parts are left out.
        title: the start of the first line.
        prompt: also show the changing part of the prompt and the raw answer.
    """
    return _folded(_lines(trace, title, prompt))


def origin(trace: Trace, *, title: str) -> Text:
    """Render what an answer was made from, and the answer as the model gave it."""
    return _folded((f"{title}  {_request(trace)}", *_retrieved(trace), *_asked(trace)))


def _folded(lines: Iterable[str]) -> Text:
    shown = fmt.literal("\n".join(lines))
    shown.overflow = "fold"
    return shown


def _lines(trace: Trace, title: str, prompt: bool) -> Iterator[str]:
    yield f"{title}  {_request(trace)}"
    yield from _retrieved(trace)
    if trace.baseline is not None:
        yield from _judged("baseline", trace.baseline)
    if prompt:
        yield from _asked(trace)
    yield from _attempt("patched", trace.attempt, trace.feedback)
    yield from (line for fault in trace.further for line in _feedback(fault))
    if trace.verdict is not None:
        yield f"  verdict    {trace.verdict.text}"
    if trace.ceiling is not None:
        first, *others = fmt.faults(trace.ceiling.feedback)
        yield f"  ceiling    {first}"
        yield from map(_also, others)
    for event in trace.events:
        yield f"  {'example' if event.example_id else 'patch':<10} {event_line(event)}"


def _request(trace: Trace) -> str:
    return fmt.shortened(" ".join(trace.request.split()), MAX_REQUEST)


def _asked(trace: Trace) -> Iterator[str]:
    yield from _block("prompt", trace.attempt.user_prompt)
    yield from _block("raw answer", trace.attempt.raw)


def _retrieved(trace: Trace) -> Iterator[str]:
    if not trace.retrieved:
        yield "  retrieved  no patch"
    for ref in trace.retrieved:
        verdict = "applied" if ref.applied else _why_not(ref)
        yield f"  retrieved  {ref.patch_id[:8]} {ref.trigger!r} at {ref.distance:.3f}: {verdict}"
    if trace.examples:
        yield f"  examples   {', '.join(trace.examples)}"
    if trace.examples_over_budget:
        yield f"  no room    {', '.join(trace.examples_over_budget)}: beyond --context-tokens"


def _why_not(ref: RetrievedRef) -> str:
    if ref.held_out:
        return "held out of this answer by a draw"
    if ref.over_budget:
        return "left out: there is no room for it within --context-tokens"
    return "not applied: the trigger does not occur"


def _judged(name: str, judged: Judged) -> Iterator[str]:
    yield from _attempt(name, judged.attempt, judged.feedback)


def _attempt(name: str, attempt: Attempt, feedback: Feedback | None) -> Iterator[str]:
    parse = _output(attempt.output) if attempt.output else f"no answer: {attempt.problem}"
    yield f"  {name:<10} {parse}"
    if feedback is not None:
        yield from _feedback(feedback)


def _feedback(feedback: Feedback) -> Iterator[str]:
    first, *others = fmt.faults(feedback)
    yield f"  {'':<10} feedback: {first}"
    yield from map(_also, others)


def _also(fault: str) -> str:
    return f"  {'':<10} and: {fault}"


def _output(output: Output) -> str:
    return "; ".join(f"{name} {fmt.value(value)}" for name, value in output.items())


def _block(name: str, text: str) -> Iterator[str]:
    yield f"  {name}"
    yield from (f"    | {line}" for line in text.rstrip("\n").split("\n"))


def event_line(event: PatchEvent) -> str:
    """Describe an event of a patch, or of an example, on one line."""
    what = f" {event.example_id}" if event.example_id else ""
    if event.fix is not None:
        facts = {name: value for name, value in event.fix.items() if name != "kind"}
        what = f" {event.patch_id or ''} {event.fix['kind']} ({_output(facts)})"
    return f"{event.kind.words}{what}: {event.text}"
