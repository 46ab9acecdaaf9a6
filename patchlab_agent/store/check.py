"""Integrity checks of a store's collections, which change nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import chromadb
from chromadb.api.models.Collection import Collection
from chromadb.errors import ChromaError, NotFoundError
from filelock import FileLock, Timeout

from patchlab_agent.embedding import Distances, embedder
from patchlab_agent.models.base import JsonObject
from patchlab_agent.models.patch import Fix, Patch
from patchlab_agent.models.trace import Trace
from patchlab_agent.store import examples, patches, traces
from patchlab_agent.store.chroma import open_client
from patchlab_agent.store.layout import StoreInfo

PAGE = 500
NAMES = ("patches", "traces", "examples")
SAME = 1e-4
"""Largest cosine distance at which a stored vector counts as the embedder's own."""


@dataclass
class Contents:
    """The findings in a store.

    Attributes:
        counts: number of records in each existing collection.
        problems: one phrase for each record or collection that is not as it should be.
    """

    counts: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def is_locked(path: Path) -> bool:
    """Return True if another process is writing to the store.

    Raises:
        OSError: the lock cannot be tried.
    """
    lock = path / ".lock"
    if not lock.exists():
        return False
    try:
        with FileLock(lock, timeout=0):
            return False
    except Timeout:
        return True


def contents(path: Path, info: StoreInfo, parse_fix: Callable[[JsonObject], Fix]) -> Contents:
    """Read every record of a store, and check that its parts agree with each other.

    Raises:
        StoreError: Chroma cannot open the folder.
        UsageError, MissingExtra: the store's embedder cannot be built.
    """
    distances = Distances(embedder(info.embedder))
    found = Contents()
    client = open_client(path)
    try:
        for name in NAMES:
            try:
                collection = client.get_collection(name)
                found.counts[name] = collection.count()
                found.problems += _problems(collection, _READERS[name], distances, parse_fix)
            except NotFoundError:
                found.problems.append(f"there is no collection {name}")
            except ChromaError as error:
                found.problems.append(f"collection {name} cannot be read: {error}")
        found.problems += _orphans(client)
    finally:
        client.close()
    return found


def _problems(
    collection: Collection,
    read: Callable[[Any, Callable[[JsonObject], Fix]], _Record],
    distances: Distances,
    parse_fix: Callable[[JsonObject], Fix],
) -> Iterator[str]:
    for record_id, metadata, document, vector in _records(collection):
        what = f"{collection.name} record {record_id}"
        try:
            record = read({**(metadata or {}), "": document}, parse_fix)
        except (KeyError, TypeError, ValueError, AttributeError):
            yield f"{what} cannot be read"
            continue
        if record.id is not None and record.id != record_id:
            yield f"{what} holds {record.id}"
        # A missing name was added by a later version. The JSON of an older record lacks later
        # fields as well, so it is not compared itself, only the metadata derived from it.
        wrong = [
            n
            for n, value in record.metadata.items()
            if n not in _WHOLE and metadata.get(n, value) != value
        ]
        if wrong:
            yield f"{what} disagrees with its own {', '.join(wrong)}"
        if vector is None or len(vector) == 0:
            yield f"{what} has no vector"
        elif not _same(vector, distances.vector(record.text)):
            yield f"{what} has a vector of another embedder"


def _records(collection: Collection) -> Iterator[tuple[str, Any, Any, Any]]:
    for offset in range(0, collection.count(), PAGE):
        page = collection.get(
            limit=PAGE, offset=offset, include=["metadatas", "documents", "embeddings"]
        )
        vectors = page["embeddings"]
        yield from zip(
            page["ids"],
            page["metadatas"] or (),
            page["documents"] or (),
            vectors if vectors is not None else (),
            strict=True,
        )


def _same(stored: Any, own: Any) -> bool:
    if len(stored) != len(own):
        return False
    return abs(1 - sum(float(a) * float(b) for a, b in zip(stored, own, strict=True))) < SAME


@dataclass(frozen=True)
class _Record:
    """A record as it should be: its id, its metadata, and the text that its vector embeds."""

    id: str | None
    metadata: Mapping[str, Any]
    text: str


def _patch(metadata: Any, parse_fix: Callable[[JsonObject], Fix]) -> _Record:
    data = json.loads(metadata["patch"])
    patch = Patch.model_validate({**data, "fix": parse_fix(data["fix"])})
    return _Record(patch.id, patches.metadata_of(patch), patch.trigger)


def _trace(metadata: Any, _: object) -> _Record:
    trace = Trace.model_validate_json(str(metadata["trace"]))
    return _Record(trace.id, traces.metadata_of(trace), trace.request)


def _example(metadata: Any, _: object) -> _Record:
    example = examples.parse(str(metadata[""]), metadata)
    return _Record(None, examples.metadata_of(example), example.request)


_WHOLE = frozenset({"patch", "trace", "record", "answer"})
"""Metadata names under which a record holds all or part of itself as JSON."""
_READERS: dict[str, Callable[[Any, Callable[[JsonObject], Fix]], _Record]] = {
    "patches": _patch,
    "traces": _trace,
    "examples": _example,
}


def _orphans(client: chromadb.api.ClientAPI) -> Iterator[str]:
    """Yield a problem for each example whose trace does not exist."""
    try:
        known = set(client.get_collection("traces").get(include=[])["ids"])
        shown = client.get_collection("examples").get(include=["metadatas"])
    except ChromaError:
        return  # already reported for the collection itself
    for record_id, metadata in zip(shown["ids"], shown["metadatas"] or (), strict=True):
        if metadata.get("trace_id") not in known:
            yield f"examples record {record_id} is of no stored trace"
