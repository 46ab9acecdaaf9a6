"""Opening Chroma: embedded, local, silent, repeatable."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any, cast

import chromadb
from chromadb.api import ClientAPI
from chromadb.api.client import Client
from chromadb.api.collection_configuration import CreateCollectionConfiguration
from chromadb.api.models.Collection import Collection
from chromadb.api.types import Documents, EmbeddingFunction
from chromadb.config import Settings
from chromadb.errors import ChromaError

from patchlab_agent.errors import StoreError

INDEX: CreateCollectionConfiguration = {
    "hnsw": {
        "space": "cosine",
        # Search wide enough to be exact: with Chroma's defaults two builds of an index disagree.
        "ef_construction": 200,
        "ef_search": 400,
        # Chroma's price of a write grows with the records not yet synced: sync early.
        "sync_threshold": 100,
    }
}

PAGE = 1000


def open_client(path: Path) -> Client:
    """Open an embedded persistent client without telemetry.

    Raises:
        StoreError: Chroma cannot open the folder.
    """
    # Chroma shares clients by the path as written, whatever the working directory is.
    name, settings = str(path.resolve()), Settings(anonymized_telemetry=False)
    try:
        client = chromadb.PersistentClient(name, settings=settings)
    except (ChromaError, ValueError, OSError, RuntimeError) as error:
        raise StoreError(f"Chroma cannot open {path}: {error}; use another --store.") from error
    # Declared as the interface, which lacks `close`.
    return cast("Client", client)


def open_collection(
    client: ClientAPI, name: str, function: EmbeddingFunction[Documents]
) -> Collection:
    """Open a collection compared by cosine; create it if it is missing."""
    try:
        return client.get_or_create_collection(
            name,
            # Chroma's signature expects one function for texts and images alike.
            embedding_function=cast("Any", function),
            # Chroma writes the function into the configuration it is given.
            configuration=deepcopy(INDEX),
        )
    except (ChromaError, ValueError) as error:
        raise StoreError(
            f"Chroma cannot open collection {name!r}: {error}; use another --store."
        ) from error


def records(collection: Collection, where: Any = None) -> Iterator[tuple[str, Any]]:
    """Yield ids and metadata of all records that meet a condition, read page by page."""
    offset = 0
    while True:
        page = collection.get(where=where, limit=PAGE, offset=offset, include=["metadatas"])
        yield from zip(page["ids"], page["metadatas"] or (), strict=True)
        if len(page["ids"]) < PAGE:
            return
        offset += PAGE
