"""Patches that the gate decides on again, because the model, its prompts or the others changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from patchlab_agent.errors import Interruption, UsageError
from patchlab_agent.lab.assembled_lab import AssembledLab
from patchlab_agent.lab.naming import find_patches
from patchlab_agent.models.event import PatchEvent
from patchlab_agent.models.listing import GateRound
from patchlab_agent.models.patch import Patch, Status
from patchlab_agent.runs.summary import stop_of
from patchlab_agent.store.patches import PatchStore


def regated(
    lab: AssembledLab,
    ids: Sequence[str],
    status: Status | None,
    on_patch: Callable[[int, int], None],
) -> GateRound:
    """Let the gate decide again on the named patches, or on all of a status, as `Lab.regate` does.

    Raises what `Lab.regate` raises.
    """
    if bool(ids) == (status is not None):
        raise UsageError("Name patches to gate again, or give a status; either, not both.")
    lab.store.require_alone()
    chosen = _chosen(lab.store.patches, ids, status)
    try:
        return _decided(lab, chosen, on_patch)
    finally:
        lab.store.traces.flush()


def _chosen(patches: PatchStore, ids: Sequence[str], status: Status | None) -> list[Patch]:
    if status is not None:
        # In the order of their births, as a run would have it.
        return sorted(patches.all(status), key=lambda patch: patch.since)
    chosen = find_patches(patches, ids)
    for patch in chosen:
        if patch.status is Status.DISABLED:
            raise UsageError(
                f"Patch {patch.id} is disabled by hand; enable it first, then gate it again."
            )
    return chosen


def _decided(
    lab: AssembledLab, chosen: Sequence[Patch], on_patch: Callable[[int, int], None]
) -> GateRound:
    events: list[PatchEvent] = []
    for number, patch in enumerate(chosen, start=1):
        present = lab.store.patches.get(patch.id)
        # One that was gated before it may have taken its place.
        if present is not None and present.status is patch.status:
            try:
                with lab.store.unit_of_many():
                    events += lab.lifecycle.regate(present)
            except Interruption as error:
                if not events:
                    raise
                return GateRound(events=tuple(events), stopped=stop_of(error))
        on_patch(number, len(chosen))
    return GateRound(events=tuple(events))
