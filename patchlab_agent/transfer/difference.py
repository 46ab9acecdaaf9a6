"""The differences between two collections of patches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from patchlab_agent.models.patch import Patch, Status
from patchlab_agent.models.transfer import Difference, DiffSide, PatchDiff
from patchlab_agent.store.patch_records import describe


def difference(a: str, of_a: Iterable[Patch], b: str, of_b: Iterable[Patch]) -> PatchDiff:
    """Return how two collections of patches differ, in what they teach and in its status.

    Histories, tests and gate reports are not compared. A patch found on one side only is compared
    with one found only on the other side, if both have the same conflict key.
    """
    ours, theirs = ({patch.id: patch for patch in patches} for patches in (of_a, of_b))
    both = ours.keys() & theirs.keys()
    differences = [
        Difference(kind="status", a=_side(ours[i]), b=_side(theirs[i]))
        for i in both
        if ours[i].status is not theirs[i].status
    ]
    equal = len(both) - len(differences)
    differences += _alone(
        [patch for patch in ours.values() if patch.id not in both],
        [patch for patch in theirs.values() if patch.id not in both],
    )
    return PatchDiff(a=a, b=b, equal=equal, differences=tuple(sorted(differences, key=_by_trigger)))


def _alone(ours: list[Patch], theirs: list[Patch]) -> Iterator[Difference]:
    """Yield patches found on one side only, in pairs where both sides share a conflict key."""
    rivals: dict[tuple[str, ...], list[Patch]] = {}
    for patch in sorted(theirs, key=_active_first):
        rivals.setdefault(patch.conflict_key, []).append(patch)
    for patch in sorted(ours, key=_active_first):
        others = rivals.get(patch.conflict_key)
        if others:
            yield Difference(kind="fix", a=_side(patch), b=_side(others.pop(0)))
        else:
            yield Difference(kind="only_in_a", a=_side(patch))
    for patch in (patch for others in rivals.values() for patch in others):
        yield Difference(kind="only_in_b", b=_side(patch))


def _active_first(patch: Patch) -> tuple[bool, str]:
    return patch.status is not Status.ACTIVE, patch.id


def _side(patch: Patch) -> DiffSide:
    return DiffSide(
        id=patch.id, status=patch.status, trigger=patch.trigger_text, teaches=describe(patch)
    )


def _by_trigger(difference: Difference) -> tuple[str, str]:
    side = difference.a or difference.b
    return (side.trigger, side.id) if side else ("", "")
