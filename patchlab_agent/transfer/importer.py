"""Patches from elsewhere, taken into a store."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from patchlab_agent.gate.base import AcceptanceCriterion, Candidate
from patchlab_agent.learning.lifecycle import Lifecycle, why
from patchlab_agent.models.event import EventKind, PatchEvent
from patchlab_agent.models.evidence import Record
from patchlab_agent.models.patch import Origin, Patch, Status
from patchlab_agent.models.transfer import Imported, ImportReport
from patchlab_agent.store.patches import PatchStore, describe

_AGAIN = ", gated again beside the others"


class Importer:
    """Brings patches into a store: those that were active elsewhere pass the gate first.

    Args:
        store: that they come into.
        gate: tells whether a refusal still stands.
        lifecycle: puts patches before the gate, and stores them.
        source: what their histories call the export.
    """

    def __init__(
        self, store: PatchStore, gate: AcceptanceCriterion, lifecycle: Lifecycle, source: str
    ) -> None:
        self._store = store
        self._gate = gate
        self._lifecycle = lifecycle
        self._source = source
        self._cause = f"imported from {source}"
        self._done: dict[str, Imported] = {}

    @property
    def report(self) -> ImportReport:
        """What became of the patches so far."""
        return ImportReport(source=self._source, patches=tuple(self._done.values()))

    def run(self, patches: Iterable[Patch], on_patch: Callable[[], None]) -> None:
        """Take patches in, in the order in which they became what they are.

        Args:
            patches: new ones, and such as are known and left alone, but for those that an
                earlier import of the same source had refused.
            on_patch: is called after each.

        Raises:
            Interruption: the model or the skill failed; what was taken in before stays, so that
                the same import goes on from there.
        """
        for patch in patches:
            self._done[patch.id] = self._take(patch)
            on_patch()
        while any(self._again(imported) for imported in self.report.patches):
            pass

    def _take(self, patch: Patch) -> Imported:
        if (known := self._store.get(patch.id)) is not None:
            return _imported(patch, "known", f"{known.status} here")
        # What it did elsewhere is a stranger's word; here its record begins anew.
        patch = patch.brought_by(Origin.IMPORT).model_copy(update={"record": Record()})
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
        """Gate a patch again if what refused it has changed: others came that it was born among.

        That goes for what an earlier import of the same export refused before it was cut off, too.

        Returns:
            Whether it is active now, which may change things for others.
        """
        patch = self._store.get(refused.patch_id)
        if patch is None or patch.gate is None or not self._refused_here(refused, patch):
            return False
        if patch.gate.conditions == self._gate.conditions(patch):
            return False
        found = self._gated(patch, f"{self._cause}{_AGAIN}")
        self._done[patch.id] = found.model_copy(update={"was": refused.was})
        return found.outcome == "activated"

    def _refused_here(self, imported: Imported, patch: Patch) -> bool:
        """Whether the gate refused a patch in this import, or in an earlier one of this source.

        A source is known by its name: a file that was renamed in between is another one.
        """
        was_active = imported.was is Status.ACTIVE
        is_refused = was_active and patch.status is Status.QUARANTINED
        decided = (f"{self._cause}: ", f"{self._cause}{_AGAIN}: ")
        return is_refused and patch.history[-1].cause.startswith(decided)


def _imported(patch: Patch, outcome: str, text: str, others: Iterable[PatchEvent] = ()) -> Imported:
    """What became of a patch, and of those whose place it took."""
    return Imported.model_validate(
        {
            "patch_id": patch.id,
            "trigger": patch.trigger,
            "teaches": describe(patch),
            "was": patch.status,
            "outcome": outcome,
            "text": text,
            "superseded": tuple(event.patch_id for event in others),
        }
    )
