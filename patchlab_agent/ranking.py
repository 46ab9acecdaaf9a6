"""The ranking of retrieved patches."""

from __future__ import annotations

from collections.abc import Iterable

from patchlab_agent.models.trace import Retrieved


def rank(hits: Iterable[Retrieved], k: int) -> tuple[Retrieved, ...]:
    """Return the first `k`: triggers that occur, misspelt ones last, then similar ones."""
    order = sorted(
        hits, key=lambda hit: rank_key(hit.occurs, hit.misspelt, hit.distance, hit.patch.id)
    )
    return tuple(order[:k])


def rank_key(
    occurs: bool, misspelt: bool, distance: float, patch_id: str
) -> tuple[bool, bool, float, str]:
    """Return the sort key of a retrieved patch, the smallest first.

    Ties are broken by id, so the order never depends on where hits came from.
    """
    return (not occurs, misspelt, distance, patch_id)
