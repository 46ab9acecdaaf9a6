"""Records of a collection by nearness to a text, in an order that never changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from chromadb.api.models.Collection import Collection

from patchlab_agent.embedding import Distances

MARGIN = 8
EDGE = 1e-6
"""How far Chroma's distances may be off from ours."""


class Near(NamedTuple):
    """A record and how near it is; sorts the nearest first, equal distances by id."""

    distance: float
    id: str
    metadata: Mapping[str, Any]


def nearest(
    collection: Collection,
    distances: Distances,
    text: str,
    n: int,
    measured: Callable[[str, Mapping[str, Any]], str],
    **condition: Any,
) -> list[Near]:
    """The `n` records nearest to a text.

    Args:
        collection: Chroma's.
        distances: of the collection's embedder.
        text: what is looked for.
        n: how many, at least 1.
        measured: what a record's vector is of, from its document and metadata.
        condition: Chroma's `where` or `where_document`, to pass over all others.
    """
    total, wanted = collection.count(), n + MARGIN
    while total:
        size = min(wanted, total)
        page = collection.query(
            query_embeddings=[distances.vector(text).tolist()],
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
        # Beyond the last one there may be more at the same distance, with smaller ids.
        if len(found) < size or size == total or found[n - 1].distance < found[-1].distance - EDGE:
            return found[:n]
        wanted *= 2
    return []
