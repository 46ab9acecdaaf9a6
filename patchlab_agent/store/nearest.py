"""Nearest-neighbour search in a collection, in a reproducible order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from patchlab_agent.embedding import Distances
from patchlab_agent.store.chroma import Records

MARGIN = 8
ROUGH = 10
"""How many times as many sketches to look at as nearest records are wanted."""
EDGE = 1e-6
"""Largest difference between Chroma's distances and ours."""


class Near(NamedTuple):
    """A record and its distance; sorts the nearest first, ties by id."""

    distance: float
    id: str
    metadata: Mapping[str, Any]


def nearest(
    collection: Records,
    distances: Distances,
    text: str,
    n: int,
    measured: Callable[[str, Mapping[str, Any]], str],
    **condition: Any,
) -> list[Near]:
    """Return the `n` records nearest to a text.

    Args:
        collection: the records.
        distances: distances of the collection's embedder.
        text: the text to look for.
        n: number of records, at least 1.
        measured: returns the text that a record's vector embeds, from its document and metadata.
        condition: Chroma's `where` or `where_document`, to which the search is limited.
    """
    # Measured again with our own distances, as Chroma's may differ in the last bits between builds
    # of its index, and the order must not.
    total, wanted = collection.count(), n + MARGIN
    if collection.is_sketched:
        wanted = ROUGH * n + MARGIN
    vector = collection.kept(distances.vector(text))
    while total:
        size = min(wanted, total)
        page = collection.query(
            query_embeddings=[vector],
            n_results=size,
            include=["documents", "metadatas"],
            **condition,
        )
        documents, metadatas = page["documents"] or [[]], page["metadatas"] or [[]]
        found = [
            Near(distances(text, measured(document, metadata)), record, metadata)
            for record, document, metadata in zip(
                page["ids"][0], documents[0], metadatas[0], strict=True
            )
        ]
        found.sort(key=lambda near: near[:2])
        # Chroma cuts ties arbitrarily: beyond the last record there may be more at the same
        # distance, with smaller ids. Unless the n-th is clearly nearer, the query is widened.
        if len(found) < size or size == total or found[n - 1].distance < found[-1].distance - EDGE:
            return found[:n]
        wanted *= 2
    return []
