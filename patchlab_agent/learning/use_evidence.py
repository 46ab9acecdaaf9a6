"""Evidence for and against active patches from their uses, which convicts those that do harm."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from patchlab_agent.gate.base import AcceptanceCriterion
from patchlab_agent.gate.evidence import Referee
from patchlab_agent.gate.grading import Subject
from patchlab_agent.learning.lifecycle import Lifecycle
from patchlab_agent.models.base import digest
from patchlab_agent.models.event import EventKind, PatchEvent
from patchlab_agent.models.evidence import Standing, Use
from patchlab_agent.models.patch import Patch
from patchlab_agent.models.trace import Feedback, Trace
from patchlab_agent.store.patches import PatchStore


class UseEvidence:
    """The evidence from uses.

    Args:
        gate: confirms harm.
        lifecycle: counts the uses, and convicts.
        store: the patches.
    """

    def __init__(self, gate: AcceptanceCriterion, lifecycle: Lifecycle, store: PatchStore) -> None:
        self._gate = gate
        self._lifecycle = lifecycle
        self._store = store

    def weigh(
        self, trace: Trace, feedback: Feedback, referee: Referee | None
    ) -> tuple[PatchEvent, ...]:
        """Count the use of the applied patches, if the baseline's answer has another score.

        A patch gains by a better answer if what it is about is nearer to right, and is under
        suspicion if that is further from right, or if the whole answer is worse. Under a holdout
        the uses are compared with each other instead.

        Args:
            trace: an answer of the agent.
            feedback: the feedback on it.
            referee: judges the answers without a patch; if None, nothing counts against any.

        Raises:
            Interruption: the model's side or the skill failed.
        """
        if trace.holdout:
            return self._weigh_uses(trace, feedback, referee)
        if trace.baseline is None:
            return ()
        before, applied = trace.baseline.feedback, self._store.active_among(trace.applied)
        suspects = [each for each in applied if Subject.of(each).loses(before, feedback)]
        in_part = before.is_partly_right or feedback.is_partly_right
        count = partial(
            self._lifecycle.count, request=trace.request, trace_id=trace.id, in_part=in_part
        )
        events = [
            each
            for patch in applied
            if _counts_for(patch) and Subject.of(patch).gains(before, feedback)
            for each in count(patch, mended=True)
        ]
        if referee is None or not suspects:
            return tuple(events)
        taken = trace.baseline.attempt.output if before.ok else None
        # One answer tells neither which of several patches did it nor whether it was chance.
        for patch in self._gate.confirms_harm(suspects, trace.request, referee):
            told = count(patch, mended=False, taken=taken)
            events += (*told, *self._rivals_back(patch, told, referee, trace.id))
        return tuple(events)

    def _weigh_uses(
        self, trace: Trace, feedback: Feedback, referee: Referee | None
    ) -> tuple[PatchEvent, ...]:
        """Count the answer for each patch that the holdout left out, or could have left out."""
        events: list[PatchEvent] = []
        for patch in self._store.active_among((*trace.applied, *trace.held_out)):
            if set(trace.held_out) - {patch.id}:
                # Without another patch the answer may be wrong either way, and waste a pair.
                continue
            use = Use(
                request=digest(trace.request),
                held_out=patch.id in trace.held_out,
                score=feedback.score,
                share=trace.holdout,
            )
            told = self._lifecycle.count_use(patch, use, trace.id)
            events += (*told, *self._rivals_back(patch, told, referee, trace.id))
        return tuple(events)

    def _rivals_back(
        self, patch: Patch, told: Iterable[PatchEvent], referee: Referee | None, trace_id: str
    ) -> tuple[PatchEvent, ...]:
        """Gate the patches that a patch had superseded again, if it was convicted."""
        if not any(each.kind is EventKind.CONVICTED for each in told):
            return ()
        return self._lifecycle.bring_back(patch, referee, trace_id)


def _counts_for(patch: Patch) -> bool:
    """Return True if one more success could matter; a proven patch needs one only after harm."""
    return patch.record.standing is Standing.TRIAL or patch.record.outcomes.endswith("-")
