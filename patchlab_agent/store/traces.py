"""Traces in Chroma: written in batches, found as if each had been written at once."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from chromadb.api.models.Collection import Collection

from patchlab_agent.embedding import Distances
from patchlab_agent.errors import StoreError
from patchlab_agent.models.base import JsonObject, digest
from patchlab_agent.models.selection import EVERY, Selection
from patchlab_agent.models.tally import Tally
from patchlab_agent.models.trace import Example, Trace, trace_index
from patchlab_agent.store.chroma import records
from patchlab_agent.store.nearest import EDGE, MARGIN, nearest
from patchlab_agent.store.selection import OK_LABEL, UNJUDGED, admits, tallied, where
from patchlab_agent.text import normalise, phrases, words

BATCH = 100
MAX_EXAMPLE_CHARS = 200
"""Longer requests are not shown to later ones: they cost tokens, and whatever else is in them."""


class TraceStore:
    """The records of all runs, and the examples that later prompts may show.

    Each trace is one Chroma record: its document is the request, its metadata hold the outcome by
    name and the whole as JSON. Beside it, each *distinct* successful request that may be shown is
    one record of a second, small collection. Searching that one keeps retrieval exact: many equal
    vectors, as repeated requests make them, would wall off the rest of Chroma's index.

    Args:
        traces: Chroma's collection of all traces.
        examples: Chroma's collection of distinct successful requests.
        distances: of the collections' embedder.
        may_show: whether a request with its answer may stand in another request's prompt.
    """

    def __init__(
        self,
        traces: Collection,
        examples: Collection,
        distances: Distances,
        may_show: Callable[[str, JsonObject], bool],
    ) -> None:
        self._collection = traces
        self._examples = examples
        self._distances = distances
        self._may_show = may_show
        self._pending: dict[str, Trace] = {}
        self._new_examples: dict[str, Example] = {}
        self._stored = traces.count()
        self._stored_examples = examples.count()

    def add(self, trace: Trace) -> None:
        """Take a trace; it is found from now on, and on disk after the next `flush`.

        A trace with an id that is there already takes the old one's place. A killed process loses
        what was not flushed, and the ids are given again.
        """
        self._withdraw(trace.id)
        self._pending[trace.id] = trace
        answer = trace.attempt.answer
        if trace.ok and answer and self._is_showable(trace.request, answer):
            example = Example(id=trace.id, request=trace.request, answer=answer)
            self._new_examples.setdefault(_key(trace.request), example)
        if len(self._pending) >= BATCH:
            self.flush()

    def flush(self) -> None:
        """Write what was taken since the last flush."""
        if not self._pending:
            return
        traces = list(self._pending.values())
        rejudged = self._collection.get(ids=list(self._pending), include=[])["ids"]
        if rejudged:
            where: Any = {"trace_id": {"$in": rejudged}}
            self._examples.delete(where=where)
            self._stored_examples = self._examples.count()
        self._flush_examples()
        self._collection.upsert(
            ids=[trace.id for trace in traces],
            documents=[trace.request for trace in traces],
            embeddings=[self._distances.vector(trace.request).tolist() for trace in traces],
            metadatas=[metadata_of(trace) for trace in traces],
        )
        self._pending.clear()
        self._stored = self._collection.count()

    def _flush_examples(self) -> None:
        if not self._new_examples:
            return
        known = set(self._examples.get(ids=list(self._new_examples), include=[])["ids"])
        # Of several traces with one request the first is shown, so what is there stays.
        fresh = {key: e for key, e in self._new_examples.items() if key not in known}
        self._write_examples(fresh)
        self._new_examples.clear()

    def _write_examples(self, fresh: Mapping[str, Example]) -> None:
        for part in _parts(list(fresh)):
            examples = [fresh[key] for key in part]
            self._examples.upsert(
                ids=part,
                documents=[example.request for example in examples],
                embeddings=[self._distances.vector(e.request).tolist() for e in examples],
                metadatas=[{"trace_id": e.id, "answer": json.dumps(e.answer)} for e in examples],
            )
        self._stored_examples = self._examples.count()

    def examples(self) -> Iterator[Example]:
        """Yield all that later prompts may show, by trace; what is unwritten is written first."""
        self.flush()
        yield from sorted(self._stored_by_key().values(), key=lambda example: example.id)

    def replace_examples(self, wanted: Iterable[Example]) -> tuple[int, int]:
        """Let later prompts show these examples and no others; traces stay as they are.

        What stands as it should is left alone, so a call that was cut off can be made again.

        Returns:
            How many examples were removed, and how many were added.
        """
        self.flush()
        then = {_key(example.request): example for example in wanted}
        now = self._stored_by_key()
        gone = [key for key, example in now.items() if then.get(key) != example]
        fresh = {key: example for key, example in then.items() if now.get(key) != example}
        for part in _parts(gone):
            self._examples.delete(ids=part)
        self._write_examples(fresh)
        return len(gone), len(fresh)

    def _stored_by_key(self) -> dict[str, Example]:
        found: dict[str, Example] = {}
        for start in range(0, self._examples.count(), BATCH):
            page = self._examples.get(limit=BATCH, offset=start, include=["documents", "metadatas"])
            found |= _examples_of(page["ids"], page["documents"], page["metadatas"])
        return found

    def _withdraw(self, trace_id: str) -> None:
        """Forget an unwritten example of a trace that is judged again."""
        if trace_id not in self._pending:
            return
        for key, example in list(self._new_examples.items()):
            if example.id == trace_id:
                del self._new_examples[key]

    def count(self) -> int:
        """How many traces there are, unwritten ones included."""
        if not self._pending:
            return self._stored
        known = self._collection.get(ids=list(self._pending), include=[])["ids"]
        return self._stored + len(self._pending) - len(known)

    def next_index(self) -> int:
        """The number of the next trace: the one after the highest, unwritten ones included.

        A run that failed within a window may have left numbers out, so counting would not do.
        """
        ids = {*self._collection.get(include=[])["ids"], *self._pending}
        return 1 + max((trace_index(each) for each in ids), default=-1)

    def get(self, trace_id: str) -> Trace | None:
        """The trace with an id, or None."""
        if trace_id in self._pending:
            return self._pending[trace_id]
        found = self._collection.get(ids=[trace_id], include=["metadatas"])["metadatas"]
        return _parse(found[0]) if found else None

    def newest(self, limit: int, offset: int = 0) -> Iterator[Trace]:
        """Written traces by id, the highest first; ids of runs and quotes rise with time."""
        ids = sorted(self._collection.get(include=[])["ids"], reverse=True)
        wanted = ids[offset : offset + limit]
        if not wanted:
            return
        page = self._collection.get(ids=wanted, include=["metadatas"])
        found = dict(zip(page["ids"], page["metadatas"] or (), strict=True))
        for trace_id in wanted:
            yield _parse(found[trace_id])

    def select(self, selection: Selection = EVERY) -> Iterator[Trace]:
        """Written traces of a selection, the newest first; few of them are in memory at a time."""
        ids = sorted(self._collection.get(where=where(selection), include=[])["ids"], reverse=True)
        for start in range(0, len(ids), BATCH):
            wanted = ids[start : start + BATCH]
            page = self._collection.get(ids=wanted, include=["metadatas"])
            found = dict(zip(page["ids"], page["metadatas"] or (), strict=True))
            for metadata in (found[trace_id] for trace_id in wanted):
                if admits(selection, metadata):
                    yield _parse(metadata)

    def find(self, prefix: str) -> list[str]:
        """Ids of written traces that start with a prefix, sorted."""
        return sorted(i for i in self._collection.get(include=[])["ids"] if i.startswith(prefix))

    def look_up(self, text: str, n: int) -> list[tuple[Trace, float]]:
        """The `n` written traces whose requests are nearest to a text, with their distances.

        Those that hold the text as it stands come first, whatever its case; within both groups the
        nearest first, equal ones by id.
        """
        literal = {"$regex": f"(?i){re.escape(text)}"}
        tiers: tuple[Any, ...] = ({"where_document": literal}, {})
        found: dict[str, tuple[Trace, float]] = {}
        for condition in tiers:
            for near in nearest(
                self._collection, self._distances, text, n, lambda d, _: d, **condition
            ):
                found.setdefault(near.id, (_parse(near.metadata), near.distance))
        return list(found.values())[:n]

    def accepted(self, trigger: str, n: int) -> list[Trace]:
        """Return the `n` newest accepted answers to different requests in which a trigger occurs.

        The trigger's words must stand in the request as they are, in a row.
        """
        found: dict[str, Trace] = {}
        for trace in self._perhaps_accepted(trigger):
            if len(found) >= n:
                break
            if trace.ok and trigger in phrases(trace.request):
                found.setdefault(trace.request, trace)
        return list(found.values())

    def _perhaps_accepted(self, trigger: str) -> Iterator[Trace]:
        """Traces among which all accepted ones with the trigger are, the newest first."""
        # A number may be glued to its unit, so there need not be anything between two words.
        said = r"[^\p{L}]*".join(map(re.escape, words(trigger)))
        alone = rf"(?i)(^|[^\p{{L}}]){said}([^\p{{L}}]|$)"
        literal: Any = {"where": {"ok": True}, "where_document": {"$regex": alone}}
        # Chroma knows letter case, but no other folding: those requests are read one by one.
        folded: Any = {"where": {"$and": [{"ok": True}, {"folded": True}]}}
        stored = (self._collection.get(**each, include=[])["ids"] for each in (literal, folded))
        ids = sorted({*chain.from_iterable(stored), *self._pending}, reverse=True)
        for start in range(0, len(ids), BATCH):
            wanted = ids[start : start + BATCH]
            page = self._collection.get(ids=wanted, include=["metadatas"])
            known = dict(zip(page["ids"], page["metadatas"] or (), strict=True))
            for trace_id in wanted:
                yield self._pending.get(trace_id) or _parse(known[trace_id])

    def tallies(self) -> dict[str, Tally]:
        """Uses, saves and harms of each patch that some written trace applied, by its id."""
        applying = records(self._collection, {"applied": {"$ne": ""}})
        return tallied(metadata for _, metadata in applying)

    def similar(self, request: str, n: int) -> tuple[Example, ...]:
        """The `n` successful traces whose requests are most like this one, the nearest first.

        Of several traces with the same words the first counts. Equal distances are told apart by
        id.
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

    def _candidates(self, request: str, wanted: int) -> tuple[dict[str, Example], float | None]:
        """Examples by key, and the distance within which none is missing; None: none is at all."""
        size = min(wanted, self._stored_examples)
        if size == 0:
            return dict(self._new_examples), None
        found = self._examples.query(
            query_embeddings=[self._distances.vector(request).tolist()],
            n_results=size,
            include=["documents", "metadatas"],
        )
        documents, metadatas = found["documents"] or [[]], found["metadatas"] or [[]]
        stored = _examples_of(found["ids"][0], documents[0], metadatas[0])
        # Written by an older version or from outside, it may not be what would be taken today.
        stored = {
            key: example
            for key, example in stored.items()
            if example.id not in self._pending
            and self._is_showable(example.request, example.answer)
        }
        whole = size == self._stored_examples
        edge = None if whole else self._distances(request, documents[0][-1])
        return {**self._new_examples, **stored}, edge

    def _nearest(self, request: str, candidates: dict[str, Example], n: int) -> tuple[Example, ...]:
        order = sorted(
            candidates.values(), key=lambda e: (self._distances(request, e.request), e.id)
        )
        return tuple(order[:n])

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


def metadata_of(trace: Trace) -> dict[str, Any]:
    """What a trace's record says of it, by name and as a whole."""
    label = UNJUDGED if trace.feedback is None else (trace.feedback.label or OK_LABEL)
    compared = {"baseline_ok": trace.baseline.feedback.ok} if trace.baseline else {}
    answer = trace.attempt.answer
    return {
        "ok": trace.ok,
        "answer": json.dumps(answer) if answer else "",
        "run": trace.run,
        "index": trace.index,
        "label": label,
        **compared,
        "applied": ",".join(trace.applied),
        "folded": normalise(trace.request) != " ".join(trace.request.lower().split()),
        "at": trace.at,
        "trace": trace.model_dump_json(),
    }


def _parse(metadata: Any) -> Trace:
    try:
        return Trace.model_validate_json(str(metadata["trace"]))
    except (ValueError, KeyError) as error:
        raise StoreError("A trace cannot be read; `patchlab-agent doctor` names it.") from error
