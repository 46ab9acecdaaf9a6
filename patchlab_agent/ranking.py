"""The order in which retrieved patches count, and which of them get through."""

from __future__ import annotations

from collections.abc import Iterable

from patchlab_agent.models.trace import Retrieved


def rank(hits: Iterable[Retrieved], k: int) -> tuple[Retrieved, ...]:
    """The first `k`: those whose trigger occurs before the merely similar, then the nearest.

    Equal distances are told apart by id, so the order never depends on where hits came from.
    """
    order = sorted(hits, key=lambda hit: (not hit.occurs, hit.distance, hit.patch.id))
    return tuple(order[:k])
