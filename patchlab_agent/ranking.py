"""The order in which retrieved patches count, and which of them get through."""

from __future__ import annotations

from collections.abc import Iterable

from patchlab_agent.models.trace import Retrieved


def rank(hits: Iterable[Retrieved], k: int) -> tuple[Retrieved, ...]:
    """The first `k`: triggers that occur, misspelt ones after the others, then the similar."""
    order = sorted(
        hits, key=lambda hit: rank_key(hit.occurs, hit.misspelt, hit.distance, hit.patch.id)
    )
    return tuple(order[:k])


def rank_key(
    occurs: bool, misspelt: bool, distance: float, patch_id: str
) -> tuple[bool, bool, float, str]:
    """What orders retrieved patches, the smallest first.

    Equal distances are told apart by id, so the order never depends on where hits came from.
    """
    return (not occurs, misspelt, distance, patch_id)
