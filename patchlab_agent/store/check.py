"""Integrity checks of a whole store, which change nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from chromadb.api.models.Collection import Collection
from chromadb.api.types import Documents, EmbeddingFunction
from chromadb.errors import ChromaError

from patchlab_agent.embedding import Distances, SketchEmbedder
from patchlab_agent.errors import StoreError
from patchlab_agent.models.address import Location
from patchlab_agent.models.base import JsonObject
from patchlab_agent.models.patch import Fix, Patch
from patchlab_agent.models.trace import Trace
from patchlab_agent.store import example_records, patch_records, references, traces
from patchlab_agent.store.chroma import is_sketched, open_collection
from patchlab_agent.store.clients import StoreClient
from patchlab_agent.store.info import MARKER, StoreInfo
from patchlab_agent.store.integrity import NEEDED, own_embedder
from patchlab_agent.store.kept import kept_problems, patches_left
from patchlab_agent.store.layout import PAUSES
from patchlab_agent.store.places import place_of
from patchlab_agent.store.room import is_chromas

Whole = TypeVar("Whole")

PAGE = 500
SAME = 1e-4
"""Largest cosine distance at which a stored vector counts as the embedder's own."""


@dataclass
class Contents:
    """The findings in a store.

    Attributes:
        counts: number of records in each existing collection.
        problems: one phrase for each record or collection that is not as it should be.
        references: one phrase for each that leads nowhere, or elsewhere.
        is_read: False if the store cannot be written, so that Chroma could not read the records.
    """

    counts: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    references: list[str] = field(default_factory=list)
    is_read: bool = True

    def still(self, later: Contents) -> Contents:
        """Return what was found later, with the faults that were there before."""
        return replace(
            later,
            problems=[each for each in later.problems if each in self.problems],
            references=[each for each in later.references if each in self.references],
        )


def contents(
    location: Location, info: StoreInfo, parse_fix: Callable[[JsonObject], Fix]
) -> Contents:
    """Read all of a store, and check that its parts agree with each other.

    Raises:
        StoreError: the database is lost, locked or damaged, or the marker's embedder is unknown.
        MissingExtra: the package of the store's embedder is not installed.
    """
    found = _contents(location, info, parse_fix)
    for pause in PAUSES:
        # Beside a writer, who writes what belongs together one after the other.
        if not (found.problems or found.references) or not _is_written(location):
            break
        time.sleep(pause)
        found = found.still(_contents(location, info, parse_fix))
    return found


def _is_written(location: Location) -> bool:
    """Return True if another process is writing to a store."""
    with closing(place_of(location)) as place:
        return not place.is_open_here() and place.is_locked()


def _contents(
    location: Location, info: StoreInfo, parse_fix: Callable[[JsonObject], Fix]
) -> Contents:
    with closing(place_of(location)) as place:
        function = own_embedder(place.file(MARKER), info.embedder)
        kept = list(kept_problems(place, info, parse_fix))
        survey = place.survey(info, function)
        if survey.is_new:
            return Contents(problems=kept)
        found = Contents(
            counts=survey.counts,
            problems=[*survey.problems, *survey.damaged.values(), *kept],
            is_read=survey.can_open,
        )
        if found.counts.get("patches") == 0 and (left := patches_left(place)):
            found.problems.append(f"collection patches is empty, though the last run left {left:,}")
        if survey.can_open and not survey.problems:
            _read(place.open(), found, survey.damaged, function, parse_fix)
        return found


def _read(
    client: StoreClient,
    found: Contents,
    damaged: Container[str],
    function: EmbeddingFunction[Documents],
    parse_fix: Callable[[JsonObject], Fix],
) -> None:
    """Add what Chroma says of the collections that are not known to be damaged."""
    # To read the vectors of a damaged index would have Chroma put another one in its place.
    names = [name for name in NEEDED if name not in damaged]
    for name in names:
        try:
            collection = open_collection(client, name, function)
            known = SketchEmbedder(function) if is_sketched(collection) else function
            found.counts[name] = collection.count()
            found.problems += _problems(collection, _READERS[name], known, parse_fix)
        except StoreError as error:
            found.problems.append(str(error).rpartition("; ")[0])
        except Exception as error:
            if not is_chromas(error):
                raise
            found.problems.append(f"collection {name} cannot be read: {error}")
    if NEEDED.keys() <= set(names):
        found.references += _references(client, parse_fix)


def _problems(
    collection: Collection,
    read: Callable[[Any, Callable[[JsonObject], Fix]], _Record],
    function: EmbeddingFunction[Documents],
    parse_fix: Callable[[JsonObject], Fix],
) -> Iterator[str]:
    vector_of = Distances(function).vector
    for record_id, metadata, document, vector in _records(collection):
        what = f"{collection.name} record {record_id}"
        if document is None:
            yield f"{what} has no text"
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
        elif not _same(vector, vector_of(record.text)):
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


def parse_patch(metadata: Any, parse_fix: Callable[[JsonObject], Fix]) -> Patch:
    """Return the patch of a record.

    Raises:
        KeyError, TypeError, ValueError: it cannot be read.
    """
    data = json.loads(metadata["patch"])
    return Patch.model_validate({**data, "fix": parse_fix(data["fix"])})


def _patch(metadata: Any, parse_fix: Callable[[JsonObject], Fix]) -> _Record:
    patch = parse_patch(metadata, parse_fix)
    return _Record(
        patch.id, patch_records.metadata_of(patch), patch_records.embedded(patch.trigger)
    )


def _trace(metadata: Any, _: object) -> _Record:
    trace = Trace.model_validate_json(str(metadata["trace"]))
    return _Record(trace.id, traces.metadata_of(trace), trace.request)


def _example(metadata: Any, _: object) -> _Record:
    example = example_records.parse(str(metadata[""]), metadata)
    return _Record(None, example_records.metadata_of(example), example.request)


_WHOLE = frozenset({"patch", "trace", "record", "answer"})
"""Metadata names under which a record holds all or part of itself as JSON."""
_READERS: dict[str, Callable[[Any, Callable[[JsonObject], Fix]], _Record]] = {
    "patches": _patch,
    "traces": _trace,
    "examples": _example,
}


def _references(client: StoreClient, parse_fix: Callable[[JsonObject], Fix]) -> Iterator[str]:
    """Yield a problem for each reference between records that leads nowhere, or elsewhere."""
    try:
        held = {name: client.get_collection(name) for name in NEEDED}
        written = held["traces"].get(include=["documents"])
        shown = held["examples"].get(include=["metadatas", "documents"])
    except ChromaError:
        return  # already reported for the collection itself
    requests = dict(zip(written["ids"], written["documents"] or (), strict=True))
    yield from references.problems(
        _whole(held["patches"], lambda m: parse_patch(m, parse_fix)),
        _whole(held["traces"], lambda m: Trace.model_validate_json(str(m["trace"]))),
        requests,
        (
            (key, str(metadata.get("trace_id")), request)
            for key, metadata, request in zip(
                shown["ids"], shown["metadatas"] or (), shown["documents"] or (), strict=True
            )
            if metadata
        ),
    )


def _whole(collection: Collection, parse: Callable[[Any], Whole]) -> Iterator[Whole]:
    """Yield the records of a collection that can be read; the others are reported already."""
    for offset in range(0, collection.count(), PAGE):
        page = collection.get(limit=PAGE, offset=offset, include=["metadatas"])
        for metadata in page["metadatas"] or ():
            with suppress(KeyError, TypeError, ValueError, AttributeError):
                yield parse(metadata)
