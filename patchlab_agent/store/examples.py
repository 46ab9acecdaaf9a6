"""Examples in Chroma: answers that are known to be right, for other requests' prompts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Collection as Words
from typing import Any

from chromadb.api.models.Collection import Collection

from patchlab_agent.embedding import Distances
from patchlab_agent.models.base import JsonObject, digest
from patchlab_agent.models.trace import Example
from patchlab_agent.store.coverage import CoverageIndex
from patchlab_agent.store.nearest import EDGE, MARGIN
from patchlab_agent.text import words

BATCH = 100
MAX_EXAMPLE_CHARS = 200
"""Longer requests are not shown to later ones: they cost tokens, and whatever else is in them."""


class ExampleStore:
    """Each *distinct* request with a right answer that may be shown, one record each.

    Keeping them apart from the traces keeps retrieval exact: many equal vectors, as repeated
    requests make them, would wall off the rest of Chroma's index. Of several answers to requests of
    the same words, the first one stays.

    Args:
        collection: Chroma's.
        distances: of its embedder.
        may_show: whether a request with its answer may stand in another request's prompt.
    """

    def __init__(
        self,
        collection: Collection,
        distances: Distances,
        may_show: Callable[[str, JsonObject], bool],
    ) -> None:
        self._collection = collection
        self._distances = distances
        self._may_show = may_show
        self._stored = collection.count()
        self._new: dict[str, Example] = {}
        self._withdrawn: set[str] = set()
        self._index: CoverageIndex | None = None
        self._indexed_ids: set[str] = set()

    def add(self, trace_id: str, request: str, answer: JsonObject | None) -> None:
        """Take a trace's example in place of the one that it had.

        Args:
            trace_id: the trace's.
            request: what a person typed.
            answer: a right one; None where none is known.
        """
        if trace_id in self._withdrawn:
            self._new = {key: each for key, each in self._new.items() if each.id != trace_id}
        self._withdrawn.add(trace_id)
        if trace_id in self._indexed_ids:
            self._index = None
        if answer and self._is_showable(request, answer):
            key = _key(request)
            self._new.setdefault(key, Example(id=trace_id, request=request, answer=answer))
            if self._index is not None:
                self._index.add(key, request)
                self._indexed_ids.add(trace_id)

    def flush(self, rejudged: Sequence[str]) -> None:
        """Write what was taken since the last flush.

        Args:
            rejudged: traces that were stored before and whose example is now what `add` was told.
        """
        if rejudged:
            where: Any = {"trace_id": {"$in": list(rejudged)}}
            self._collection.delete(where=where)
            self._stored = self._collection.count()
        if self._new:
            known = set(self._collection.get(ids=list(self._new), include=[])["ids"])
            self._write({key: each for key, each in self._new.items() if key not in known})
        self._new.clear()
        self._withdrawn.clear()

    def all(self) -> list[Example]:
        """Return the written ones, by trace."""
        return sorted(self._by_key().values(), key=lambda example: example.id)

    def replace(self, wanted: Iterable[Example]) -> tuple[int, int]:
        """Let later prompts show these examples and no others.

        What stands as it should is left alone, so a call that was cut off can be made again.

        Returns:
            How many examples were removed, and how many were added.
        """
        then = {_key(example.request): example for example in wanted}
        now = self._by_key()
        gone = [key for key, example in now.items() if then.get(key) != example]
        fresh = {key: example for key, example in then.items() if now.get(key) != example}
        for part in _parts(gone):
            self._collection.delete(ids=part)
        self._write(fresh)
        self._index = None
        return len(gone), len(fresh)

    def similar(self, request: str, n: int) -> tuple[Example, ...]:
        """The `n` examples whose requests are most like this one, the nearest first.

        Equal distances are told apart by id.
        """
        if n == 0:
            return ()
        wanted = n + MARGIN
        while True:
            candidates, edge = self._candidates(request, wanted)
            found = self._nearest(request, candidates, n)
            last = self._distances(request, found[-1].request) if len(found) == n else None
            # Beyond the edge there may be more at the same distance, with smaller ids.
            if edge is None or (last is not None and last < edge - EDGE):
                return found
            wanted *= 2

    def covering(self, request: str, covered: Words[str], n: int) -> tuple[Example, ...]:
        """The examples, `n` at most, that together cover what is uncommon in a request.

        Args:
            request: what a person typed.
            covered: words that need no example.
            n: how many at most.
        """
        if n == 0:
            return ()
        index = self._indexed()
        while True:
            keys = index.covering(request, covered, n)
            known = {**self._fetched(keys), **{k: self._new[k] for k in keys if k in self._new}}
            # Written by an older version or from outside, it may not be what would be taken today.
            odd = [k for k in keys if k not in known or not self._shows(known[k])]
            if not odd:
                return tuple(known[key] for key in keys)
            for key in odd:
                index.discard(key)

    def _indexed(self) -> CoverageIndex:
        if self._index is None:
            self._index = CoverageIndex()
            known = {key: e for key, e in self._by_key().items() if e.id not in self._withdrawn}
            known = {**self._new, **known}
            for key, example in known.items():
                self._index.add(key, example.request)
            self._indexed_ids = {example.id for example in known.values()}
        return self._index

    def _fetched(self, keys: Sequence[str]) -> dict[str, Example]:
        if not keys:
            return {}
        page = self._collection.get(ids=list(keys), include=["documents", "metadatas"])
        found = _examples_of(page["ids"], page["documents"], page["metadatas"])
        return {key: each for key, each in found.items() if each.id not in self._withdrawn}

    def _write(self, fresh: Mapping[str, Example]) -> None:
        for part in _parts(list(fresh)):
            examples = [fresh[key] for key in part]
            self._collection.upsert(
                ids=part,
                documents=[example.request for example in examples],
                embeddings=[self._distances.vector(e.request).tolist() for e in examples],
                metadatas=[{"trace_id": e.id, "answer": json.dumps(e.answer)} for e in examples],
            )
        self._stored = self._collection.count()

    def _by_key(self) -> dict[str, Example]:
        found: dict[str, Example] = {}
        for start in range(0, self._collection.count(), BATCH):
            page = self._collection.get(
                limit=BATCH, offset=start, include=["documents", "metadatas"]
            )
            found |= _examples_of(page["ids"], page["documents"], page["metadatas"])
        return found

    def _candidates(self, request: str, wanted: int) -> tuple[dict[str, Example], float | None]:
        """Examples by key, and the distance within which none is missing; None: none is at all."""
        size = min(wanted, self._stored)
        if size == 0:
            return dict(self._new), None
        found = self._collection.query(
            query_embeddings=[self._distances.vector(request).tolist()],
            n_results=size,
            include=["documents", "metadatas"],
        )
        documents, metadatas = found["documents"] or [[]], found["metadatas"] or [[]]
        stored = {
            key: example
            for key, example in _examples_of(found["ids"][0], documents[0], metadatas[0]).items()
            if example.id not in self._withdrawn and self._shows(example)
        }
        whole = size == self._stored
        edge = None if whole else self._distances(request, documents[0][-1])
        return {**self._new, **stored}, edge

    def _nearest(self, request: str, candidates: dict[str, Example], n: int) -> tuple[Example, ...]:
        order = sorted(
            candidates.values(), key=lambda e: (self._distances(request, e.request), e.id)
        )
        return tuple(order[:n])

    def _shows(self, example: Example) -> bool:
        return self._is_showable(example.request, example.answer)

    def _is_showable(self, request: str, answer: JsonObject) -> bool:
        return len(request) <= MAX_EXAMPLE_CHARS and self._may_show(request, answer)


def _key(request: str) -> str:
    """What makes two examples the same: their words, in whatever order."""
    return digest(sorted(words(request)))


def _examples_of(ids: Sequence[str], documents: Any, metadatas: Any) -> dict[str, Example]:
    """Examples by key, of a page of their collection."""
    return {
        key: Example(
            id=str(metadata["trace_id"]),
            request=document,
            answer=json.loads(str(metadata["answer"])),
        )
        for key, document, metadata in zip(ids, documents or (), metadatas or (), strict=True)
    }


def _parts(keys: Sequence[str]) -> Iterator[list[str]]:
    """Keys by so many as Chroma takes in one call."""
    return (list(keys[start : start + BATCH]) for start in range(0, len(keys), BATCH))
