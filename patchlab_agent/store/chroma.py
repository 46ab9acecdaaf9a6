"""Chroma: embedded, local, silent, repeatable, and its faults told as faults of the store."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, TypeVar, cast
from weakref import WeakSet

from chromadb.api.client import Client
from chromadb.api.collection_configuration import CreateCollectionConfiguration
from chromadb.api.models.Collection import Collection
from chromadb.api.types import Documents, EmbeddingFunction, GetResult, QueryResult
from chromadb.config import Settings
from chromadb.errors import ChromaError

from patchlab_agent.errors import StoreError
from patchlab_agent.store.layout import PAUSES, is_locked
from patchlab_agent.store.writes import Writes, has_room, is_panic, no_room_in

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

Found = TypeVar("Found")


class LocalClient(Client):
    """An embedded persistent client without telemetry, known to this process while it is open.

    Args:
        path: the folder, resolved, as Chroma shares clients by the path as written.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(
            settings=Settings(
                anonymized_telemetry=False, is_persistent=True, persist_directory=str(path)
            )
        )
        self.path = path
        _open.add(self)

    def close(self) -> None:
        """Release the database, unless another client of this process has it open as well."""
        _open.discard(self)
        super().close()


_open: WeakSet[LocalClient] = WeakSet()


def is_open_here(path: Path) -> bool:
    """Return True if this process has the database in a folder open."""
    return any(client.path == path.resolve() for client in tuple(_open))


def open_client(path: Path) -> LocalClient:
    """Open an embedded persistent client.

    Raises:
        StoreError: Chroma cannot open the folder.
    """
    try:
        return LocalClient(path.resolve())
    except BaseException as error:
        # Whatever it is: where opening fails, Chroma leaves a half-made client for the next try.
        if not isinstance(error, Exception) and not is_panic(error):
            raise
        raise no_room_in(path, error) or StoreError(
            f"Chroma cannot open {path}: {error}; use another --store."
        ) from error


def open_collection(
    client: LocalClient,
    name: str,
    function: EmbeddingFunction[Documents],
    *,
    create: bool = False,
) -> Collection:
    """Open a collection compared by cosine.

    Args:
        client: has the database open.
        name: of the collection.
        function: its embedder.
        create: make it if it is missing.

    Raises:
        StoreError: it is missing, or of another embedder.
    """
    # Chroma's signature expects one function for texts and images alike.
    known = cast("Any", function)
    try:
        if not create:
            collection = client.get_collection(name, embedding_function=known)
            if collection.configuration_json.get("embedding_function") is None:
                raise _foreign(client, name, function)
            return collection
        # Chroma writes the function into the configuration it is given.
        return client.get_or_create_collection(
            name, embedding_function=known, configuration=deepcopy(INDEX)
        )
    except ValueError as error:
        raise _foreign(client, name, function) from error
    except ChromaError as error:
        raise no_room_in(client.path, error) or StoreError(
            f"Chroma cannot open collection {name!r} in {client.path}: {error}; use another "
            "--store."
        ) from error


def _foreign(client: LocalClient, name: str, function: EmbeddingFunction[Documents]) -> StoreError:
    return StoreError(
        f"Chroma cannot open collection {name!r} in {client.path}: it was made with another "
        f"embedder than {function.name()}; use another --store."
    )


class Records:
    """A collection of a store, each of whose records is known to have what its readers need.

    Args:
        collection: Chroma's collection.
        path: the store's folder.
        needed: names of metadata without which a record cannot be read.
        writes: those to the store's database; None: nothing else writes to it.
    """

    def __init__(
        self,
        collection: Collection,
        path: Path,
        needed: Sequence[str],
        writes: Writes | None = None,
    ) -> None:
        self._collection = collection
        self._path = path
        self._writes = writes or Writes(path)
        self._needed = frozenset(needed)

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
        return has_room(self._path, traces)

    def upsert(self, **records: Any) -> None:
        """Write records; takes what Chroma's `upsert` takes.

        Raises:
            StoreError: they cannot be written.
        """
        with self._writes.one():
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
                raise unreadable(self._collection.name, record, self._path)

    def _read(self, ask: Callable[[], Found]) -> Found:
        for pause in PAUSES:
            try:
                return ask()
            except ChromaError:
                # A record and its place in the index are written one after the other.
                if not is_locked(self._path):
                    break
                time.sleep(pause)
        try:
            return ask()
        except BaseException as error:
            if not isinstance(error, ChromaError) and not is_panic(error):
                raise
            raise no_room_in(self._path, error) or StoreError(
                f"Chroma cannot read the {self._collection.name} of {self._path} ({error}); "
                "see what is damaged with `patchlab-agent doctor`."
            ) from error


def unreadable(collection: str, record: str, path: Path) -> StoreError:
    """Return the error for a record that cannot be read."""
    return StoreError(
        f"Record {record} of the {collection} of {path} cannot be read; see what is damaged with "
        "`patchlab-agent doctor`."
    )
