"""Moving patches between their statuses: as the gate decides, or by hand.

Whatever moves a patch is an event in its history, with cause and evidence. At most one patch of a
slot is active: who becomes active retires those that say something else of the same subject.
"""

from __future__ import annotations

from collections.abc import Callable

from patchlab_agent.errors import UsageError
from patchlab_agent.gate import Admission
from patchlab_agent.models.patch import SUPERSEDED_BY, GateReport, Patch, PatchEvent, Status
from patchlab_agent.store.patches import PatchStore

BY_HAND = "by hand"


class Curator:
    """Changes the status of patches, and keeps the store to it.

    Args:
        gate: decides where no person does.
        store: keeps the patches.
        clock: the time as ISO 8601.
    """

    def __init__(self, gate: Admission, store: PatchStore, clock: Callable[[], str]) -> None:
        self._gate = gate
        self._store = store
        self._clock = clock

    def decide(self, patch: Patch, cause: str, trace_id: str = "") -> tuple[PatchEvent, ...]:
        """Let the gate decide on a patch, and store it with the decision.

        Args:
            patch: new, or known with its history.
            cause: what brought it before the gate, in words.
            trace_id: the trace whose feedback did; empty where a person did.

        Raises:
            BackendError: the model failed; nothing was stored then.
        """
        created = not patch.history
        report = self._gate.examine(patch)
        because = why(report)
        decided = patch.model_copy(update={"gate": report})
        if report.decision is Status.ACTIVE:
            return self._activate(decided, f"{cause}: {because}", because, trace_id, created)
        self._move(decided, Status.QUARANTINED, f"{cause}: {because}", trace_id)
        kind = "quarantined" if created else "regated"
        return (event(kind, decided, because, created=created),)

    def enable(self, patch: Patch) -> tuple[PatchEvent, ...]:
        """Make a patch active whatever the gate said of it.

        Raises:
            UsageError: it is active already.
        """
        if patch.status is Status.ACTIVE:
            raise UsageError(f"Patch {patch.id} is active already; there is nothing to enable.")
        overruled = patch.status is Status.QUARANTINED and patch.gate is not None
        text = f"the gate is overruled: {why(patch.gate)}" if overruled and patch.gate else BY_HAND
        return self._activate(patch, f"enabled {BY_HAND}", text)

    def disable(self, patch: Patch) -> tuple[PatchEvent, ...]:
        """Switch a patch off until a person enables it; failures do not bring it back.

        Raises:
            UsageError: it is disabled already.
        """
        return self._take_out(patch, Status.DISABLED)

    def retire(self, patch: Patch) -> tuple[PatchEvent, ...]:
        """Take a patch out of use; where a failure teaches it anew, the gate decides again.

        Raises:
            UsageError: it is retired already.
        """
        return self._take_out(patch, Status.RETIRED)

    def regate(self, patch: Patch) -> tuple[PatchEvent, ...]:
        """Let the gate decide again, as things are now: an active patch may be quarantined.

        Raises:
            UsageError: a person has disabled it.
            BackendError: the model failed; nothing was changed then.
        """
        if patch.status is Status.DISABLED:
            raise UsageError(
                f"Patch {patch.id} is disabled by hand; enable it first, then gate it again."
            )
        return self.decide(patch, f"gated again {BY_HAND}")

    def adopt(self, patch: Patch, cause: str) -> None:
        """Store a patch from elsewhere as it stands there, with this event in its history.

        Raises:
            UsageError: it is active there; here the gate decides on that.
        """
        if patch.status is Status.ACTIVE:
            raise UsageError(f"Patch {patch.id} is active; only the gate lets it in.")
        self._move(patch, patch.status, cause, "")

    def _take_out(self, patch: Patch, status: Status) -> tuple[PatchEvent, ...]:
        if patch.status is status:
            raise UsageError(f"Patch {patch.id} is {status} already; there is nothing to do.")
        self._move(patch, status, f"{status} {BY_HAND}", "")
        return (event(str(status), patch, BY_HAND),)

    def _activate(
        self, patch: Patch, cause: str, text: str, trace_id: str = "", created: bool = False
    ) -> tuple[PatchEvent, ...]:
        superseded = [old for old in self._store.in_slot(patch.fix.slot) if old.id != patch.id]
        self._move(patch, Status.ACTIVE, cause, trace_id)
        events = [event("activated", patch, text, created=created)]
        for old in superseded:
            self._move(old, Status.RETIRED, f"{SUPERSEDED_BY}{patch.id}", trace_id)
            events.append(event("superseded", old, f"{SUPERSEDED_BY}{patch.id}"))
        return tuple(events)

    def _move(self, patch: Patch, status: Status, cause: str, trace_id: str) -> None:
        self._store.upsert(patch.moved(status, cause, trace_id, self._clock()))


def why(report: GateReport) -> str:
    """A gate's reasons in one line."""
    return "; ".join(reason.text for reason in report.reasons)


def event(kind: str, patch: Patch, text: str, *, created: bool = False) -> PatchEvent:
    """What happened to a patch."""
    return PatchEvent.model_validate(
        {
            "kind": kind,
            "patch_id": patch.id,
            "trigger": patch.trigger,
            "fix": patch.fix.model_dump(mode="json"),
            "created": created,
            "text": text,
        }
    )
