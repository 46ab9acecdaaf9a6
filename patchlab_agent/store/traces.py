"""Traces in Chroma: written in batches, found as if each had been written at once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from chromadb.api.models.Collection import Collection

from patchlab_agent.embedding import Distances
from patchlab_agent.models.base import JsonObject
from patchlab_agent.models.case import case_key
from patchlab_agent.models.trace import Example, Trace

BATCH = 100
MARGIN = 8
MAX_EXAMPLE_CHARS = 200
"""Longer requests are not shown to later ones: they cost tokens, and whatever else is in them."""


class TraceStore:
    """The records of all runs.

    Each trace is one Chroma record: its document is the request, its metadata hold the outcome by
    name and the whole as JSON.

    Args:
        collection: Chroma's.
        distances: of the collection's embedder.
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
        self._pending: dict[str, Trace] = {}
        self._stored = collection.count()

    def add(self, trace: Trace) -> None:
        """Take a trace; it is found from now on, and on disk after the next `flush`."""
        self._pending[trace.id] = trace
        if len(self._pending) >= BATCH:
            self.flush()

    def flush(self) -> None:
        """Write what was taken since the last flush."""
        if not self._pending:
            return
        traces = list(self._pending.values())
        self._collection.upsert(
            ids=[trace.id for trace in traces],
            documents=[trace.request for trace in traces],
            embeddings=[self._distances.vector(trace.request).tolist() for trace in traces],
            metadatas=[_metadata(trace) for trace in traces],
        )
        self._pending.clear()
        self._stored = self._collection.count()

    def count(self) -> int:
        """How many traces there are, unwritten ones included."""
        return self._stored + len(self._pending)

    def get(self, trace_id: str) -> Trace | None:
        """The trace with an id, or None."""
        if trace_id in self._pending:
            return self._pending[trace_id]
        found = self._collection.get(ids=[trace_id], include=["metadatas"])["metadatas"]
        return _parse(found[0]) if found else None

    def newest(self, limit: int, offset: int = 0) -> Iterator[Trace]:
        """Traces from the newest on, written ones only."""
        ids = sorted(self._collection.get(include=[])["ids"], reverse=True)
        wanted = ids[offset : offset + limit]
        if not wanted:
            return
        page = self._collection.get(ids=wanted, include=["metadatas"])
        found = dict(zip(page["ids"], page["metadatas"] or (), strict=True))
        for trace_id in wanted:
            yield _parse(found[trace_id])

    def similar(self, request: str, n: int) -> tuple[Example, ...]:
        """The `n` successful traces whose requests are most like this one, the nearest first.

        Of several traces with one request the first counts, and one that may not be shown counts
        as none. Equal distances are told apart by id.
        """
        if n == 0:
            return ()
        wanted = 3 * n + MARGIN
        while True:
            candidates, exhausted = self._candidates(request, wanted)
            found = self._nearest(request, candidates, n)
            if len(found) == n or exhausted:
                return found
            wanted *= 2

    def _candidates(self, request: str, wanted: int) -> tuple[list[Example], bool]:
        pending = [
            self._example(_metadata_head(t), t.request, t.id) for t in self._pending.values()
        ]
        size = min(wanted, self._stored)
        stored: list[Example | None] = []
        if size:
            found = self._collection.query(
                query_embeddings=[self._distances.vector(request).tolist()],
                n_results=size,
                include=["documents", "metadatas"],
            )
            documents, metadatas = found["documents"] or [[]], found["metadatas"] or [[]]
            stored = [
                self._example(metadata, document, trace_id)
                for trace_id, document, metadata in zip(
                    found["ids"][0], documents[0], metadatas[0], strict=True
                )
            ]
        usable = [example for example in (*stored, *pending) if example is not None]
        return usable, size == self._stored

    def _example(self, metadata: Any, request: str, trace_id: str) -> Example | None:
        if not metadata["ok"] or not metadata["answer"] or len(request) > MAX_EXAMPLE_CHARS:
            return None
        answer = json.loads(metadata["answer"])
        if not self._may_show(request, answer):
            return None
        return Example(id=trace_id, request=request, answer=answer)

    def _nearest(self, request: str, candidates: list[Example], n: int) -> tuple[Example, ...]:
        order = sorted(candidates, key=lambda e: (self._distances(request, e.request), e.id))
        unique: dict[str, Example] = {}
        for example in order:
            unique.setdefault(case_key(example.request), example)
        return tuple(unique.values())[:n]


def _metadata_head(trace: Trace) -> dict[str, Any]:
    answer = trace.attempt.answer
    return {"ok": trace.ok, "answer": json.dumps(answer) if answer else ""}


def _metadata(trace: Trace) -> dict[str, Any]:
    label = "" if trace.feedback is None else (trace.feedback.label or "OK")
    baseline = trace.baseline.feedback.ok if trace.baseline else False
    return {
        **_metadata_head(trace),
        "run": trace.run,
        "index": trace.index,
        "label": label,
        "baseline_ok": baseline,
        "applied": ",".join(trace.applied),
        "at": trace.at,
        "trace": trace.model_dump_json(),
    }


def _parse(metadata: Any) -> Trace:
    return Trace.model_validate_json(str(metadata["trace"]))
