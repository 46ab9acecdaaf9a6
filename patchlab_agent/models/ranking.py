"""The ranking of retrieved patches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from patchlab_agent.models.trace import Retrieved
from patchlab_agent.models.trigger import Always


def rank(hits: Iterable[Retrieved], k: int) -> tuple[Retrieved, ...]:
    """Return the first `k`: triggers that occur, misspelt ones last, then similar ones.

    Those that always occur come last and take no place of the others.
    """
    order = sorted(
        hits, key=lambda hit: rank_key(hit.occurs, hit.misspelt, hit.distance, hit.patch.id)
    )
    always = [hit for hit in order if isinstance(hit.patch.trigger, Always)]
    others = [hit for hit in order if not isinstance(hit.patch.trigger, Always)]
    return (*others[:k], *always)


def nearest_of_each(hits: Iterable[Retrieved]) -> Iterator[Retrieved]:
    """Yield ranked hits, but of lessons without a phrase that contradict each other one alone.

    That is the nearest one that no draw leaves out. Lessons with a phrase that contradict each
    other are never active together.
    """
    spoken_of: set[tuple[str, ...]] = set()
    for hit in hits:
        if hit.occurs and not hit.held_out and not isinstance(hit.patch.trigger, str):
            key = hit.patch.fix.conflict_key
            if key in spoken_of:
                continue
            spoken_of.add(key)
        yield hit


def rank_key(
    occurs: bool, misspelt: bool, distance: float, patch_id: str
) -> tuple[bool, bool, float, str]:
    """Return the sort key of a retrieved patch, the smallest first.

    Ties are broken by id, so the order never depends on where hits came from.
    """
    return (not occurs, misspelt, distance, patch_id)
