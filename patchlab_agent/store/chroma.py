"""Chroma's collections: repeatable, and their faults told as faults of the store."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from typing import Any, TypeVar, cast

from chromadb.api.collection_configuration import CreateCollectionConfiguration
from chromadb.api.models.Collection import Collection
from chromadb.api.types import Documents, EmbeddingFunction, GetResult, QueryResult
from chromadb.errors import ChromaError

from patchlab_agent.embedding import SketchEmbedder, Vector, sketch
from patchlab_agent.errors import StoreError
from patchlab_agent.store.clients import StoreClient
from patchlab_agent.store.layout import PAUSES
from patchlab_agent.store.place import Place
from patchlab_agent.store.room import is_chromas
from patchlab_agent.store.writes import Writes

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

SKETCHED = frozenset(["traces", "examples"])
"""Collections of many records and few searches by vector."""
PAGE = 1000

Found = TypeVar("Found")


def open_collection(
    client: StoreClient,
    name: str,
    function: EmbeddingFunction[Documents],
    *,
    create: bool = False,
) -> Collection:
    """Open a collection of a store, compared by cosine.

    Args:
        client: has the database open.
        name: of the collection.
        function: the store's embedder.
        create: make it if it is missing.

    Raises:
        StoreError: it is missing, or of another embedder.
    """
    foreign: ValueError | None = None
    for known in embedders_of(name, function):
        try:
            return _opened(client, name, known, create=create)
        except ValueError as error:
            foreign = error
        except Exception as error:
            if not is_chromas(error):
                raise
            raise client.unopened(f"collection {name!r} in {client.place}", error) from error
    raise _foreign(client, name, function) from foreign


def _opened(
    client: StoreClient, name: str, function: EmbeddingFunction[Documents], *, create: bool
) -> Collection:
    # Chroma's signature expects one function for texts and images alike.
    known = cast("Any", function)
    if not create:
        collection = client.get_collection(name, embedding_function=known)
        if collection.configuration_json.get("embedding_function") is None:
            raise ValueError(f"collection {name} names no embedder")
        return collection
    # Chroma writes the function into the configuration it is given.
    return client.get_or_create_collection(
        name, embedding_function=known, configuration=deepcopy(INDEX)
    )


def embedders_of(
    collection: str, function: EmbeddingFunction[Documents]
) -> tuple[EmbeddingFunction[Documents], ...]:
    """Return the embedders that a collection may have; a new one has the first.

    Args:
        collection: its name.
        function: the store's embedder.
    """
    # Earlier versions kept whole vectors of all collections.
    return (SketchEmbedder(function), function) if collection in SKETCHED else (function,)


def is_sketched(collection: Collection) -> bool:
    """Return True if the vectors of a collection are sketches of its store's embedder's."""
    if collection.name not in SKETCHED:
        return False
    known = collection.configuration_json.get("embedding_function") or {}
    return bool(known.get("name") == SketchEmbedder.name())


def _foreign(client: StoreClient, name: str, function: EmbeddingFunction[Documents]) -> StoreError:
    return StoreError(
        f"Chroma cannot open collection {name!r} in {client.place}: it was made with another "
        f"embedder than {function.name()}; use another --store."
    )


class Records:
    """A collection of a store, each of whose records is known to have what its readers need.

    Args:
        collection: Chroma's collection.
        place: where the store is.
        needed: names of metadata without which a record cannot be read.
        writes: those to the store's database; None: nothing else writes to it.
    """

    def __init__(
        self,
        collection: Collection,
        place: Place,
        needed: Sequence[str],
        writes: Writes | None = None,
    ) -> None:
        self._collection = collection
        self._place = place
        self._writes = writes or Writes(place)
        self._needed = frozenset(needed)

    @property
    def is_sketched(self) -> bool:
        """True if its vectors are sketches of the store's embedder's."""
        return is_sketched(self._collection)

    def kept(self, vector: Vector) -> list[float]:
        """Return a vector of the store's embedder as this collection keeps it."""
        found: list[float] = (sketch(vector) if self.is_sketched else vector).tolist()
        return found

    def count(self) -> int:
        """Return the number of records."""
        return self._read(self._collection.count)

    def get(self, **wanted: Any) -> GetResult:
        """Return records by id or condition; takes what Chroma's `get` takes.

        Raises:
            StoreError: one has no metadata or no document, or the collection cannot be read.
        """
        found = self._read(lambda: self._collection.get(**wanted))
        self._check(found["ids"], found["metadatas"], found["documents"])
        return found

    def query(self, **wanted: Any) -> QueryResult:
        """Return the records nearest to vectors; takes what Chroma's `query` takes.

        Raises:
            StoreError: one has no metadata or no document, or the collection cannot be read.
        """
        found = self._read(lambda: self._collection.query(**wanted))
        metadatas, documents = found["metadatas"], found["documents"]
        for number, ids in enumerate(found["ids"]):
            self._check(ids, metadatas and metadatas[number], documents and documents[number])
        return found

    def all(self, where: Any = None) -> Iterator[tuple[str, Any]]:
        """Yield ids and metadata of all records that meet a condition, read page by page."""
        offset = 0
        while True:
            page = self.get(where=where, limit=PAGE, offset=offset, include=["metadatas"])
            yield from zip(page["ids"], page["metadatas"] or (), strict=True)
            if len(page["ids"]) < PAGE:
                return
            offset += PAGE

    def has_room(self, traces: int) -> bool:
        """Return whether the disk has room for so many traces that wait to be written."""
        return self._place.has_room(traces)

    def upsert(self, **records: Any) -> None:
        """Write records; takes what Chroma's `upsert` takes.

        Raises:
            StoreError: they cannot be written.
        """
        with self._writes.one(len(records["ids"])):
            self._collection.upsert(**records)

    def update(self, **records: Any) -> None:
        """Change records that exist; takes what Chroma's `update` takes.

        Raises:
            StoreError: they cannot be written.
        """
        with self._writes.one():
            self._collection.update(**records)

    def delete(self, ids: Sequence[str]) -> None:
        """Delete records.

        Raises:
            StoreError: they cannot be deleted.
        """
        with self._writes.one():
            self._collection.delete(ids=list(ids))

    def _check(self, ids: Sequence[str], metadatas: Any, documents: Any) -> None:
        for number, record in enumerate(ids):
            is_whole = metadatas is None or self._needed <= (metadatas[number] or {}).keys()
            if not is_whole or (documents is not None and documents[number] is None):
                raise unreadable(self._collection.name, record, self._place)

    def _read(self, ask: Callable[[], Found]) -> Found:
        try:
            for pause in PAUSES:
                try:
                    return ask()
                except ChromaError:
                    # A record and its place in the index are written one after the other.
                    if not self._place.is_locked():
                        break
                    time.sleep(pause)
            return ask()
        except BaseException as error:
            if not is_chromas(error):
                raise
            raise self._place.refused(f"read the {self._collection.name} of", error) from error


def unreadable(collection: str, record: str, place: object) -> StoreError:
    """Return the error for a record that cannot be read."""
    return StoreError(
        f"Record {record} of the {collection} of {place} cannot be read; see what is damaged with "
        "`patchlab-agent doctor`."
    )
