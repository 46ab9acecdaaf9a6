"""Importing patches from elsewhere into a store."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext

from patchlab_agent.gate.base import AcceptanceCriterion, Candidate
from patchlab_agent.learning.lifecycle import Lifecycle, why
from patchlab_agent.models.event import EventKind, PatchEvent
from patchlab_agent.models.patch import Patch, Status
from patchlab_agent.models.transfer import Imported, ImportReport
from patchlab_agent.store.patch_records import describe
from patchlab_agent.store.patches import PatchStore

_AGAIN = ", gated again beside the others"


class Importer:
    """An import into a store: patches that were active elsewhere have to pass the gate first.

    Args:
        store: the store to import into.
        gate: tells whether a refusal still stands.
        lifecycle: puts patches before the gate, and stores them.
        source: name of the export in the patches' histories.
        unit: what happens within it counts together: all that comes of one patch.
    """

    def __init__(
        self,
        store: PatchStore,
        gate: AcceptanceCriterion,
        lifecycle: Lifecycle,
        source: str,
        *,
        unit: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._unit = unit
        self._store = store
        self._gate = gate
        self._lifecycle = lifecycle
        self._source = source
        self._cause = f"imported from {source}"
        self._done: dict[str, Imported] = {}

    @property
    def report(self) -> ImportReport:
        """The outcome for the patches so far."""
        return ImportReport(source=self._source, patches=tuple(self._done.values()))

    def run(self, patches: Iterable[Patch], on_patch: Callable[[], None]) -> None:
        """Import patches, in the order in which they reached their status.

        Args:
            patches: new patches, and known ones, which are left alone unless an earlier import of
                the same source refused them.
            on_patch: called after each patch.

        Raises:
            Interruption: the model or the skill failed; what was imported before stays, so that
                repeating the import continues from there.
        """
        patches = list(patches)
        stored = (self._store.get(patch.id) for patch in patches)
        # Of an import that was cut off, so that this one decides as it would have.
        self._gate.recall(p.gate for p in stored if p and p.gate and self._was_gated(p))
        for patch in patches:
            with self._unit():
                self._done[patch.id] = self._take(patch)
            on_patch()
        while any(self._again(imported) for imported in self.report.patches):
            pass

    def _take(self, patch: Patch) -> Imported:
        if (known := self._store.get(patch.id)) is not None:
            return _imported(patch, "known", f"{known.status} here")
        patch = patch.brought_from(self._source)
        if patch.status is not Status.ACTIVE:
            self._lifecycle.adopt(patch, self._cause)
            return _imported(patch, "as_it_was", why(patch.gate) if patch.gate else "")
        if (twin := self._store.active_twin(patch)) is not None:
            return _imported(patch, "known", f"active here as {twin.id} already")
        return self._gated(patch, self._cause)

    def _gated(self, patch: Patch, cause: str) -> Imported:
        event, *others = self._lifecycle.decide(Candidate(patch), cause).events
        outcome = "activated" if event.kind is EventKind.ACTIVATED else "quarantined"
        return _imported(patch, outcome, event.text, others)

    def _again(self, refused: Imported) -> bool:
        """Gate a patch again if what its refusal depended on has changed, as other patches arrived.

        This includes patches refused by an earlier import of the same export that was cut off.

        Returns:
            True if it is active now, which may change the conditions of others.
        """
        patch = self._store.get(refused.patch_id)
        if patch is None or patch.gate is None or not self._refused_here(refused, patch):
            return False
        if patch.gate.conditions == self._gate.conditions(patch):
            return False
        with self._unit():
            found = self._gated(patch, f"{self._cause}{_AGAIN}")
        self._done[patch.id] = found.model_copy(update={"was": refused.was})
        return found.outcome == "activated"

    def _refused_here(self, imported: Imported, patch: Patch) -> bool:
        """Return True if the gate refused a patch in this or an earlier import of this source.

        A source is identified by its name: a file that was renamed in between is another source.
        """
        was_active = imported.was is Status.ACTIVE
        is_refused = was_active and patch.status is Status.QUARANTINED
        return is_refused and self._was_gated(patch)

    def _was_gated(self, patch: Patch) -> bool:
        """Return True if the last that happened to a patch is a decision in an import like this."""
        decided = (f"{self._cause}: ", f"{self._cause}{_AGAIN}: ")
        return patch.history[-1].cause.startswith(decided)


def _imported(patch: Patch, outcome: str, text: str, others: Iterable[PatchEvent] = ()) -> Imported:
    """Return the outcome for a patch, and for those that it superseded."""
    return Imported.model_validate(
        {
            "patch_id": patch.id,
            "trigger": patch.trigger_text,
            "teaches": describe(patch),
            "was": patch.status,
            "outcome": outcome,
            "text": text,
            "superseded": tuple(event.patch_id for event in others),
        }
    )
