"""The patch lifecycle: changes of status by the gate, by evidence, or by hand.

Every change is an event in the patch's history, with its time, cause and evidence. Of patches that
contradict each other at most one is active: the one that becomes active retires its rivals, and
they are gated again when the winner is convicted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from patchlab_agent.errors import UsageError
from patchlab_agent.gate.base import AcceptanceCriterion, Candidate, Examination
from patchlab_agent.gate.evidence import Referee
from patchlab_agent.gate.standing import (
    at_admission,
    in_words,
    pairs_in_words,
    verdict_on,
    verdict_on_pairs,
)
from patchlab_agent.models.base import Output
from patchlab_agent.models.event import EventKind, PatchEvent
from patchlab_agent.models.evidence import GateReport, Reason, Record, Standing, Use
from patchlab_agent.models.patch import SUPERSEDED_BY, Patch, PatchTest, Role, Status
from patchlab_agent.store.patches import PatchStore

BY_HAND = "by hand"


@dataclass(frozen=True)
class Decided:
    """The outcome of a decision: the events, and the examination behind them."""

    events: tuple[PatchEvent, ...]
    examination: Examination


class Lifecycle:
    """The lifecycle of all patches in a store.

    Args:
        gate: decides unless a person does.
        store: keeps the patches.
        clock: returns the time as ISO 8601.
        alpha: bound on the chance that a patch without effect is called proven.
    """

    def __init__(
        self,
        gate: AcceptanceCriterion,
        store: PatchStore,
        clock: Callable[[], str],
        *,
        alpha: float,
    ) -> None:
        self._gate = gate
        self._store = store
        self._clock = clock
        self._alpha = alpha

    def decide(
        self,
        candidate: Candidate,
        cause: str,
        trace_id: str = "",
        examination: Examination | None = None,
    ) -> Decided:
        """Let the gate decide on a patch, and store it with the decision.

        Args:
            candidate: holds a new patch, or a known one with its history.
            cause: what brought it before the gate, in words.
            trace_id: the trace whose feedback did; empty if a person did.
            examination: the gate's, if it has examined the candidate already.

        Raises:
            Interruption: the model or the skill failed; nothing was stored.
        """
        patch = candidate.patch
        created = not patch.history
        examination = examination or self._gate.examine(candidate)
        report = examination.report
        because = why(report)
        trigger = examination.trigger or patch.trigger
        decided = patch.model_copy(update={"gate": report, "recurrences": 0, "trigger": trigger})
        if report.decision == "active":
            # A decision without new evidence leaves the record that it depends on.
            record = patch.record
            if report.mended:
                # The pairs of uses are one experiment, however often the patch comes and goes.
                fresh = at_admission(report, alpha=self._alpha)
                record = fresh.model_copy(update={"pairs": record.pairs})
            decided = decided.model_copy(update={"record": record})
            text = f"{because}; {record.standing}"
            events = self._activate(decided, f"{cause}: {text}", text, trace_id, created)
            return Decided(events, examination)
        self._move(decided, Status.QUARANTINED, f"{cause}: {because}", trace_id)
        kind = EventKind.QUARANTINED if created else EventKind.REGATED
        return Decided((event(kind, decided, because, created=created),), examination)

    def spare(self, patch: Patch, request: str, *, of: int) -> PatchEvent:
        """Count a failure of the same cause without asking the gate again yet."""
        known = patch.with_failing(request).model_copy(
            update={"recurrences": patch.recurrences + 1}
        )
        if known.gate is not None:
            # One more failing request is no new condition; RECURRENCES says when it counts.
            stands = {"conditions": self._gate.conditions(known)}
            known = known.model_copy(update={"gate": known.gate.model_copy(update=stands)})
        self._store.upsert(known)
        text = (
            f"{patch.status} already, and nothing has changed; failure {known.recurrences} of {of} "
            "with this cause before it is gated again"
        )
        return event(EventKind.KNOWN, known, text)

    def count(
        self,
        patch: Patch,
        request: str,
        *,
        mended: bool,
        trace_id: str,
        taken: Output | None = None,
        in_part: bool = False,
    ) -> tuple[PatchEvent, ...]:
        """Add a use for or against an active patch, and act on the resulting evidence.

        Args:
            patch: the patch as stored.
            request: request of the use; each counts once.
            mended: True if the patch turned it right, or better; False if wrong, or worse.
            trace_id: trace of the use.
            taken: the right answer that the patch spoiled; None if it was right in part.
            in_part: whether an answer was right in part.
        """
        record = patch.record.with_outcome(mended, request, in_part=in_part)
        if record == patch.record:
            return ()
        known = patch.model_copy(update={"record": record})
        match verdict_on(record, alpha=self._alpha):
            case "proven":
                return (self._proven(known, in_words(record, alpha=self._alpha), trace_id),)
            case "convicted":
                # The next decision has to keep this request right.
                spoiled = PatchTest(role=Role.SPOILED, request=request, taken=taken)
                known = known.model_copy(update={"tests": (*known.tests, spoiled)})
                return (self._convicted(known, in_words(record, alpha=self._alpha), trace_id),)
        self._store.upsert(known)
        return ()

    def count_use(self, patch: Patch, use: Use, trace_id: str) -> tuple[PatchEvent, ...]:
        """Pair a use with the one before it, and act on the resulting evidence.

        Args:
            patch: an active patch as stored.
            use: a judged use, with the patch or without it, as the holdout decided.
            trace_id: trace of the use.
        """
        pairs = patch.record.pairs.with_use(use)
        if pairs == patch.record.pairs:
            return ()
        record = patch.record.model_copy(update={"pairs": pairs})
        known = patch.model_copy(update={"record": record})
        tells = pairs.gained + pairs.lost > patch.record.pairs.gained + patch.record.pairs.lost
        match verdict_on_pairs(record, alpha=self._alpha) if tells else None:
            case "proven":
                return (self._proven(known, pairs_in_words(record, alpha=self._alpha), trace_id),)
            case "convicted":
                text = pairs_in_words(record, alpha=self._alpha)
                return (self._convicted(known, text, trace_id),)
        self._store.upsert(known)
        return ()

    def enable(self, patch: Patch) -> tuple[PatchEvent, ...]:
        """Make a patch active, whatever the gate decided.

        Raises:
            UsageError: it is active already.
        """
        if patch.status is Status.ACTIVE:
            raise UsageError(f"Patch {patch.id} is active already; there is nothing to enable.")
        overruled = patch.status is Status.QUARANTINED and patch.gate is not None
        text = f"the gate is overruled: {why(patch.gate)}" if overruled and patch.gate else BY_HAND
        return self._activate(patch, f"enabled {BY_HAND}", text)

    def disable(self, patch: Patch) -> tuple[PatchEvent, ...]:
        """Disable a patch until a person enables it; failures do not bring it back.

        Raises:
            UsageError: it is disabled already.
        """
        return self._take_out(patch, Status.DISABLED)

    def retire(self, patch: Patch) -> tuple[PatchEvent, ...]:
        """Take a patch out of use until the gate lets it in again.

        Failures that teach it again bring it before the gate once something that its last decision
        depends on has changed, or once there have been several of them.

        Raises:
            UsageError: it is retired already.
        """
        return self._take_out(patch, Status.RETIRED)

    def regate(self, patch: Patch) -> tuple[PatchEvent, ...]:
        """Let the gate decide again under present conditions; it may quarantine an active patch.

        Raises:
            UsageError: a person has disabled the patch.
            Interruption: the model or the skill failed; nothing was changed.
        """
        if patch.status is Status.DISABLED:
            raise UsageError(
                f"Patch {patch.id} is disabled by hand; enable it first, then gate it again."
            )
        return self.decide(Candidate(patch), f"gated again {BY_HAND}").events

    def bring_back(
        self, convicted: Patch, referee: Referee | None, trace_id: str
    ) -> tuple[PatchEvent, ...]:
        """Let the gate decide again on the patches that a convicted one had superseded.

        Raises:
            Interruption: the model or the skill failed.
        """
        events: list[PatchEvent] = []
        for loser in self._store.superseded_by(convicted):
            cause = f"{convicted.id}, which had superseded it, was convicted"
            events += self.decide(Candidate(loser, referee), cause, trace_id).events
        return tuple(events)

    def adopt(self, patch: Patch, cause: str) -> None:
        """Store an inactive patch from elsewhere as it is, with this event in its history.

        Raises:
            UsageError: the patch is active; only the gate may activate it here.
        """
        if patch.status is Status.ACTIVE:
            raise UsageError(f"Patch {patch.id} is active; only the gate lets it in.")
        self._move(patch, patch.status, cause, "")

    def put_back(self, patch: Patch, cause: str) -> None:
        """Store a patch in an earlier state, with this event in its history.

        Nothing is decided and no rival is retired: the caller must ensure that patches which
        contradict each other are not active together.
        """
        self._move(patch, patch.status, cause, "")

    def _proven(self, patch: Patch, text: str, trace_id: str) -> PatchEvent:
        record = patch.record.model_copy(update={"standing": Standing.PROVEN})
        proven = patch.model_copy(update={"record": record})
        self._move(proven, Status.ACTIVE, f"proven: {text}", trace_id)
        return event(EventKind.PROVEN, proven, text)

    def _convicted(self, patch: Patch, evidence: str, trace_id: str) -> PatchEvent:
        text = f"convicted: {evidence}"
        record = Record(pairs=patch.record.pairs)
        known = patch.model_copy(update={"record": record, "recurrences": 0})
        if patch.gate is not None:
            reason = Reason(code="convicted", text=text)
            now = {"decision": "quarantined", "reasons": (reason,)}
            conditions = self._gate.conditions(known)
            report = patch.gate.model_copy(update={**now, "conditions": conditions})
            known = known.model_copy(update={"gate": report})
        self._move(known, Status.QUARANTINED, text, trace_id)
        return event(EventKind.CONVICTED, known, text)

    def _take_out(self, patch: Patch, status: Status) -> tuple[PatchEvent, ...]:
        if patch.status is status:
            raise UsageError(f"Patch {patch.id} is {status} already; there is nothing to do.")
        self._move(patch, status, f"{status} {BY_HAND}", "")
        return (event(EventKind(str(status)), patch, BY_HAND),)

    def _activate(
        self, patch: Patch, cause: str, text: str, trace_id: str = "", created: bool = False
    ) -> tuple[PatchEvent, ...]:
        superseded = self._store.rivals(patch, Status.ACTIVE)
        # Losers are retired first: even if the process is killed here, no two rivals are active.
        for old in superseded:
            self._move(old, Status.RETIRED, f"{SUPERSEDED_BY}{patch.id}", trace_id)
        self._move(patch, Status.ACTIVE, cause, trace_id)
        return (
            event(EventKind.ACTIVATED, patch, text, created=created),
            *(event(EventKind.SUPERSEDED, old, f"{SUPERSEDED_BY}{patch.id}") for old in superseded),
        )

    def _move(self, patch: Patch, status: Status, cause: str, trace_id: str) -> None:
        self._store.upsert(patch.moved(status, cause, trace_id, self._clock()))


def why(report: GateReport) -> str:
    """Return a gate's reasons in one line."""
    return "; ".join(reason.text for reason in report.reasons)


def event(kind: EventKind, patch: Patch, text: str, *, created: bool = False) -> PatchEvent:
    """Return the record of what happened to a patch."""
    return PatchEvent(
        kind=kind,
        patch_id=patch.id,
        trigger=patch.trigger_text,
        fix=patch.fix.model_dump(mode="json"),
        created=created,
        text=text,
    )
