"""Teaches a lab by answers from elsewhere, one by one and through the gate."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from patchlab_agent.agent.agent import EMPTY
from patchlab_agent.errors import Interruption
from patchlab_agent.lab.assembled_lab import AssembledLab
from patchlab_agent.lab.failures import Failure, Source, failure_rows, read_failures
from patchlab_agent.lab.judging import learned_from
from patchlab_agent.lab.verdicts import with_verdict
from patchlab_agent.models.base import Output
from patchlab_agent.models.case import case_key
from patchlab_agent.models.event import EventKind, PatchEvent
from patchlab_agent.models.listing import RequestContext
from patchlab_agent.models.prompt import Completion
from patchlab_agent.models.trace import Feedback, Trace, trace_name
from patchlab_agent.models.transfer import FeedbackImport, TaughtOutcome, TaughtRow
from patchlab_agent.runs.summary import stop_of
from patchlab_agent.skill.optional import compared
from patchlab_agent.skill.skill import Skill
from patchlab_agent.store.patch_records import describe

_BY_DECISION: Mapping[EventKind, TaughtOutcome] = {
    EventKind.ACTIVATED: "learned",
    EventKind.ACTIVE_ALREADY: "known",
    EventKind.QUARANTINED: "quarantined",
    EventKind.REGATED: "quarantined",
    EventKind.KNOWN: "quarantined",
}
"""What a decision makes of a row; of several, the first of these counts."""
_SAID = "an active lesson says so already"


class RightAnswers:
    """The right answers of a file, as a referee for the requests that have one.

    Args:
        lab: whose skill compares them with others.
        failures: rows of the file.
    """

    def __init__(self, lab: AssembledLab, failures: Iterable[Failure]) -> None:
        self._simulator = lab.skill.simulator
        self._right = {each.request: each.right for each in failures if each.right is not None}

    def judge(self, request: str, output: Output | None) -> Feedback | None:
        """Judge an answer by the right one; None where the file has none."""
        right = self._right.get(request)
        return None if right is None else compared(self._simulator, request, right, output)


def check_feedback(source: Source, skill: Skill) -> FeedbackImport:
    """Read feedback on answers from elsewhere, and say what each row comes to; nothing is stored.

    Args:
        source: a JSONL or CSV file, or rows as `Lab.import_feedback` takes them.
        skill: reads the answers, and compares them with right ones.

    Raises:
        InputError: the file or a row cannot be used; names all such lines.

    Example:
        >>> desk = draft_task("desk")
        >>> report = check_feedback(desk / "failures.csv", load_task(desk))
        >>> report.count("untried"), report.rows[0].feedback.label
        (4, 'wrong_team')
    """
    held_out, given = _held_out(skill), failure_rows(source)
    return FeedbackImport(
        source=given.name,
        rows=tuple(
            _golden_row(failure)
            if case_key(failure.request) in held_out
            else _row(failure, "accepted" if failure.told.ok else "untried")
            for failure in read_failures(skill, given)
        ),
    )


def taught(
    lab: AssembledLab,
    source: str,
    failures: Sequence[Failure],
    on_row: Callable[[int, int], None],
) -> FeedbackImport:
    """Store answers from elsewhere, and learn from what was wrong with them.

    Args:
        lab: open for writing.
        source: name of their file.
        failures: checked rows.
        on_row: is called with the number of rows done, and of those in all.

    Raises:
        Interruption: the model or the skill failed before anything was done.
    """
    referee = RightAnswers(lab, failures)
    held_out = _held_out(lab.skill)
    rows: list[TaughtRow] = []
    for number, failure in enumerate(failures, start=1):
        try:
            rows.append(_taught(lab, failure, referee, held_out))
        except Interruption as error:
            if not rows:
                raise
            return FeedbackImport(source=source, rows=tuple(rows), stopped=stop_of(error))
        on_row(number, len(failures))
    return FeedbackImport(source=source, rows=tuple(rows))


def _taught(
    lab: AssembledLab, failure: Failure, referee: RightAnswers, held_out: set[str]
) -> TaughtRow:
    if case_key(failure.request) in held_out:
        return _golden_row(failure)
    # As one unit, so that two processes that bring the same row count it once.
    with lab.store.unit():
        return _learned_row(lab, failure, referee)


def _learned_row(lab: AssembledLab, failure: Failure, referee: RightAnswers) -> TaughtRow:
    trace = _stored_before(lab, failure)
    if trace is not None and _was_told(trace, failure.told):
        return _row(failure, "known", trace.id, text=f"told before, of {trace.id}")
    if trace is None:
        trace = _stored(lab, failure)
    # A referee that cannot tell would keep a lesson out: silence is no consent.
    asked = None if failure.right is None else referee
    report = learned_from(lab, trace, failure.told, asked)
    if report.feedback.ok:
        return _row(failure, "accepted", trace.id)
    return _outcome(lab, failure, trace.id, report.events)


def _held_out(skill: Skill) -> set[str]:
    return {case_key(case.request) for case in skill.simulator.golden()}


def _golden_row(failure: Failure) -> TaughtRow:
    text = "it is one of the golden cases, which are there to measure on"
    return _row(failure, "held_out", text=text)


def _stored_before(lab: AssembledLab, failure: Failure) -> Trace | None:
    """Return the trace of the same answer to the same request, if it is in the store."""
    found = lab.store.traces.of_request(failure.request)
    return next((trace for trace in found if trace.attempt.raw == failure.text), None)


def _was_told(trace: Trace, told: Feedback) -> bool:
    """Return whether the same was said of an answer, and learned from, before.

    An outage may have come between the two.
    """
    if told.ok:
        return trace.ok
    return told in trace.faults and bool(trace.events)


def _stored(lab: AssembledLab, failure: Failure) -> Trace:
    """Store an answer that was given elsewhere, where nothing of what is known here was shown."""
    prompt = lab.agent.render(failure.request, EMPTY, "0")
    bare = RequestContext(
        request=failure.request,
        context=EMPTY,
        messages=prompt.messages,
        answer_schema=prompt.answer_schema,
    )
    index = lab.store.traces.take()
    completion = Completion(text=failure.text)
    trace = lab.agent.recorded(bare, completion, trace_name(index), index)
    return lab.store.traces.keep(with_verdict(lab.skill, trace))


def _outcome(
    lab: AssembledLab, failure: Failure, trace_id: str, events: Sequence[PatchEvent]
) -> TaughtRow:
    """Return what became of a failure, by the decision that counts for most."""
    for kind, outcome in _BY_DECISION.items():
        decisions = [each for each in events if each.kind is kind]
        if decisions:
            ids = dict.fromkeys(each.patch_id for each in decisions if each.patch_id)
            patches = filter(None, map(lab.store.patches.get, ids))
            return _row(
                failure,
                outcome,
                trace_id,
                lessons=tuple(ids),
                teaches="; ".join(map(describe, patches)),
                # The answer was given elsewhere, so that its lesson was not shown is no surprise.
                text=_SAID if outcome == "known" else decisions[0].text,
            )
    said = next((each.text for each in events if each.kind is EventKind.NONE), "")
    return _row(failure, "nothing", trace_id, text=said)


def _row(
    failure: Failure,
    outcome: TaughtOutcome,
    trace_id: str | None = None,
    *,
    lessons: tuple[str, ...] = (),
    teaches: str = "",
    text: str = "",
) -> TaughtRow:
    return TaughtRow(
        line=failure.line,
        request=failure.request,
        trace_id=trace_id,
        feedback=failure.told,
        outcome=outcome,
        lessons=lessons,
        teaches=teaches,
        text=text,
    )
