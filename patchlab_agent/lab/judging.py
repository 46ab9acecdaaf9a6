"""What is said of one answer: several faults stand side by side, and a better word stays."""

from __future__ import annotations

from collections.abc import Sequence

from patchlab_agent.gate.evidence import REFEREE, Referee
from patchlab_agent.lab.assembled_lab import AssembledLab
from patchlab_agent.lab.naming import feedback_on, known_label
from patchlab_agent.learning.failure import Learned
from patchlab_agent.models.event import EventKind, PatchEvent
from patchlab_agent.models.listing import FeedbackReport
from patchlab_agent.models.patch import Origin, Patch, Status
from patchlab_agent.models.trace import Feedback, Trace
from patchlab_agent.skill.guard import guarded
from patchlab_agent.skill.seam import Labels
from patchlab_agent.store.patches import PatchStore
from patchlab_agent.store.selection import OK_LABEL

_STILL_WRONG = {"still_wrong", "other_complaint"}
"""Objections of the gate that a further fault of the same answer explains."""


def learned_from(
    lab: AssembledLab, trace: Trace, feedback: Feedback, referee: Referee | None
) -> FeedbackReport:
    """Check feedback on a trace, learn from it, and store the judged trace.

    Raises what `Lab.learn` raises.
    """
    with lab.store.unit():
        return _learned_from(lab, trace, feedback, referee)


def _learned_from(
    lab: AssembledLab, trace: Trace, feedback: Feedback, referee: Referee | None
) -> FeedbackReport:
    # What was learned from it since stands in the store, not in the caller's copy.
    trace = lab.store.traces.get(trace.id) or trace
    feedback = checked_feedback(trace, feedback, lab.skill.labels)
    before = told_before(trace, feedback)
    if before is not None and is_vague(feedback, before):
        # Who says again that it is wrong may doubt the answer that was taken since.
        lab.store.traces.keep(trace.model_copy(update={"corrected": None}))
        return _report(trace, before, [kept(before, "it has no detail")])
    learned, after = Learned(), judged(trace, feedback)
    asked = None if referee is None else guarded(referee, "Referee", REFEREE)
    waiting = waiting_lessons(after, feedback, lab.store.patches)
    try:
        learned = lab.learner.learn(trace, feedback, asked, origin=Origin.PERSON, waiting=waiting)
        if before is not None and is_outdone(learned.events, trace, before, lab.store.patches):
            after = trace
            return _report(trace, before, [kept(before, learned.events[0].text)])
    finally:
        told = {"events": (*trace.events, *learned.events), "corrected": learned.corrected}
        lab.store.traces.keep(after.model_copy(update=told))
    return _report(trace, feedback, learned.events, replaced=before)


def _report(
    trace: Trace,
    stands: Feedback,
    events: Sequence[PatchEvent],
    replaced: Feedback | None = None,
) -> FeedbackReport:
    return FeedbackReport(
        trace_id=trace.id, replaced=replaced, feedback=stands, events=tuple(events)
    )


def checked_feedback(trace: Trace, feedback: Feedback, labels: Labels) -> Feedback:
    """Return feedback with label and field by their names, and the value that the answer has there.

    Raises:
        UsageError: its parts contradict each other.
        InputError: there is no such label or field, or a text is not plain.
    """
    label = OK_LABEL if feedback.ok else known_label(str(feedback.label), labels)
    has_own = trace.output is not None and feedback.value == trace.output.get(feedback.field or "")
    value = None if has_own else feedback.value
    told = feedback_on(trace, label, feedback.field, value, feedback.detail)
    if told.ok:
        return told
    for fault in feedback.wrong:
        known_label(fault.label, labels, ok=False)
    return told.model_copy(update={"score": feedback.score, "wrong": feedback.wrong})


def told_before(trace: Trace, feedback: Feedback) -> Feedback | None:
    """Return what feedback takes the place of: what was said of the same fault, or of no fault."""
    if trace.feedback is None or trace.feedback.ok or feedback.ok:
        return trace.feedback
    return next((fault for fault in trace.faults if _same_fault(fault, feedback)), None)


def _same_fault(one: Feedback, other: Feedback) -> bool:
    fields = {one.field, other.field} - {None}
    return one.label == other.label and len(fields) < 2


def judged(trace: Trace, feedback: Feedback) -> Trace:
    """Return the trace with feedback in the place of what was told before, or after it."""
    before = told_before(trace, feedback)
    if before is None and trace.faults:
        return trace.model_copy(update={"further": (*trace.further, feedback)})
    told = (feedback if fault == before else fault for fault in trace.faults)
    first, *further = (feedback,) if feedback.ok or not trace.faults else told
    return trace.model_copy(update={"feedback": first, "further": tuple(further)})


def is_vague(feedback: Feedback, before: Feedback) -> bool:
    """Return whether feedback lacks the detail that was given of the same fault before."""
    return bool(before.detail) and not feedback.detail and not feedback.ok


def waiting_lessons(trace: Trace, feedback: Feedback, patches: PatchStore) -> list[Patch]:
    """Return the lessons of a trace's other faults that its further faults kept out."""
    labels = {fault.label for fault in trace.faults if not _same_fault(fault, feedback)}
    return [
        patch
        for patch in _lessons(trace, patches)
        if patch.provenance.label in labels
        and patch.status is Status.QUARANTINED
        and patch.gate is not None
        and not _STILL_WRONG.isdisjoint(patch.gate.codes)
    ]


def is_outdone(
    events: Sequence[PatchEvent], trace: Trace, before: Feedback, patches: PatchStore
) -> bool:
    """Return whether feedback taught nothing, and what was told of the same fault before did."""
    if not events or any(event.kind is not EventKind.NONE for event in events):
        return False
    return any(patch.provenance.label == before.label for patch in _lessons(trace, patches))


def _lessons(trace: Trace, patches: PatchStore) -> list[Patch]:
    """Return the patches that feedback on a trace brought up, each once."""
    ids = dict.fromkeys(event.patch_id for event in trace.events if event.patch_id)
    return [patch for patch in map(patches.get, ids) if patch is not None]


def kept(before: Feedback, why: str) -> PatchEvent:
    """Return the event that says that earlier feedback stands."""
    text = f"{why}; the earlier feedback, {before}, says more and is kept"
    return PatchEvent(kind=EventKind.NONE, text=text)
