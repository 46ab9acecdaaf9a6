"""Traces in Chroma, written in batches and found as if each were written immediately."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any

from patchlab_agent.embedding import Distances
from patchlab_agent.errors import StoreError
from patchlab_agent.models.selection import EVERY, Selection
from patchlab_agent.models.tally import Tally
from patchlab_agent.models.trace import Trace, trace_index
from patchlab_agent.models.trigger import Always, Similar, Trigger
from patchlab_agent.store.chroma import Records
from patchlab_agent.store.examples import ExampleStore
from patchlab_agent.store.nearest import Near, nearest
from patchlab_agent.store.selection import OK_LABEL, UNJUDGED, admits, tallied, where
from patchlab_agent.store.units import Units
from patchlab_agent.text import normalise, phrases, words

BATCH = 100
FEW = 10
FOLDED = "yes"
MAX_FOUND = 16
"""Conditions of which the traces that meet them are remembered."""
MAX_NEAR = 50
"""Accepted answers that are looked at for being near enough to a request."""


class TraceStore:
    """The records of all runs.

    Each trace is one Chroma record: its document is the request, its metadata hold the outcome by
    name and the whole as JSON.

    Args:
        traces: their records.
        examples: receives the traces with a right answer.
        distances: distances of the collection's embedder.
        units: the units of work of the store.
        is_alone: nobody else writes to the collection, so that what was found once still holds.
        next_index: the index of the next trace, if it is known.
        reserve: returns the first of so many indices, given the first that is free here, and
            keeps other writers from taking them; None: there are no others.
    """

    def __init__(
        self,
        traces: Records,
        examples: ExampleStore,
        distances: Distances,
        units: Units,
        *,
        is_alone: bool = True,
        next_index: int | None = None,
        reserve: Callable[[int, int], int] | None = None,
    ) -> None:
        self._reserve = reserve
        self._is_alone = is_alone
        self._collection = traces
        self._distances = distances
        self.examples = examples
        self._units = units
        self._next: int | None = None
        self.reload()
        self._next = next_index

    def reload(self) -> None:
        """Forget whatever is not in the database."""
        self._pending: dict[str, Trace] = {}
        self._metadata: dict[str, Mapping[str, Any]] = {}
        self._fresh: dict[str, None] = {}
        self._found: dict[str, list[str]] = {}
        self._gone: list[str] = []
        self._stored = self._collection.count()
        self._next = None

    def add(self, trace: Trace) -> None:
        """Add a trace; it is found from now on, and kept once its unit of work is committed.

        A trace with an existing id replaces the old one. Outside a unit it is kept after the next
        `flush`; a killed process loses it, and its id is assigned again.
        """
        # In batches, as every write to Chroma has a cost of its own.
        metadata = metadata_of(trace)
        # An answer that nobody has judged yet is no example, and changes no other one.
        self._units.note("trace", metadata["trace"], touches=trace.feedback is not None)
        self._pending[trace.id], self._metadata[trace.id] = trace, metadata
        self._fresh[trace.id] = None
        if self._next is not None:
            self._next = max(self._next, trace_index(trace.id) + 1)
        self.examples.add(trace.id, trace.request, trace.right_answer)
        # Sooner on a disk that is nearly full, so that what waits always has room.
        if len(self._pending) >= BATCH or not self._collection.has_room(len(self._pending)):
            self.flush()

    def keep(self, trace: Trace) -> Trace:
        """Add a trace and write it at once, as whoever gets it may name it from now on.

        A process that is killed must not assign its id twice.
        """
        with self._units.unit():
            self.add(trace)
            self.flush()
        return trace

    def flush(self) -> None:
        """Write what was added since the last flush; within a unit of work, once it has ended."""
        self._units.write()

    def committed(self) -> None:
        """Take note that all changes until now count."""
        self._fresh.clear()

    def added(self) -> tuple[str, ...]:
        """Return the ids of the traces that the present unit added."""
        return tuple(self._fresh)

    def write_out(self) -> None:
        """Write all traces to the database."""
        self.committed()
        if self._gone:
            self._collection.delete(self._gone)
            self._gone = []
            self._found.clear()
            self._stored = self._collection.count()
        if not self._pending:
            return
        traces = list(self._pending.values())
        # Wherever this ends early, no example is left whose answer is not right, or whose trace is
        # missing; and the old records still tell which of these traces are judged anew.
        self.examples.drop(self._collection.get(ids=list(self._pending), include=[])["ids"])
        self._collection.upsert(
            ids=[trace.id for trace in traces],
            documents=[trace.request for trace in traces],
            embeddings=[
                self._collection.kept(self._distances.vector(trace.request)) for trace in traces
            ],
            metadatas=[dict(self._metadata[trace.id]) for trace in traces],
        )
        self.written_out()

    def written_out(self) -> None:
        """Take note that the database holds all changes until now, whoever wrote them."""
        self._pending.clear()
        self._metadata.clear()
        self._found.clear()
        self._stored = self._collection.count()

    def give_up(self) -> int:
        """Forget what does not count yet and cannot be written; return the number of traces."""
        lost = len(self._fresh)
        self._pending.clear()
        self._metadata.clear()
        self._fresh.clear()
        self.examples.give_up()
        return lost

    def remove(self, ids: Sequence[str]) -> None:
        """Take traces back, with their examples, as if they had never been stored."""
        for trace_id in ids:
            for held in (self._pending, self._metadata, self._fresh):
                held.pop(trace_id, None)
        self._gone += ids
        self._next = None
        self.examples.remove(ids)

    def count(self) -> int:
        """Return the number of traces, unwritten ones included."""
        if not self._pending:
            return self._stored
        known = self._collection.get(ids=list(self._pending), include=[])["ids"]
        return self._stored + len(self._pending) - len(known)

    def next_index(self) -> int:
        """Return the index of the next trace: one above the highest, unwritten ones included.

        A run that failed within a window may have skipped indices, so counting would not do.
        """
        if self._next is None:
            self._next = 1 + max((trace_index(each) for each in self._all_ids()), default=-1)
        return self._next

    def take(self, traces: int = 1) -> int:
        """Return the index of the first of so many new traces, whose indices follow each other."""
        if self._reserve is None:
            return self.next_index()
        with self._units.unit(late=True):
            return self._reserve(traces, self.next_index())

    def get(self, trace_id: str) -> Trace | None:
        """Return the trace with an id, or None."""
        if trace_id in self._pending:
            return self._pending[trace_id]
        found = self._collection.get(ids=[trace_id], include=["metadatas"])["metadatas"]
        return _parse(found[0]) if found else None

    def several(self, ids: Iterable[str]) -> dict[str, Trace]:
        """Return the traces with these ids, as far as there are any, by id."""
        wanted = list(ids)
        if not wanted:
            return {}
        page = self._collection.get(ids=wanted, include=["metadatas"])
        found = {
            trace_id: _parse(metadata)
            for trace_id, metadata in zip(page["ids"], page["metadatas"] or (), strict=True)
        }
        return {**found, **{each: self._pending[each] for each in wanted if each in self._pending}}

    def requests(self) -> dict[str, str]:
        """Return the requests of all written traces, by id."""
        page = self._collection.get(include=["documents"])
        return dict(zip(page["ids"], page["documents"] or (), strict=True))

    def newest(self, limit: int, offset: int = 0) -> Iterator[Trace]:
        """Yield written traces by id, the highest first; ids of runs and answers rise with time."""
        ids = sorted(self._collection.get(include=[])["ids"], reverse=True)
        wanted = ids[offset : offset + limit]
        if not wanted:
            return
        page = self._collection.get(ids=wanted, include=["metadatas"])
        found = dict(zip(page["ids"], page["metadatas"] or (), strict=True))
        for trace_id in wanted:
            yield _parse(found[trace_id])

    def select(self, selection: Selection = EVERY) -> Iterator[Trace]:
        """Yield the written traces of a selection, newest first, with few of them in memory."""
        ids = sorted(self._collection.get(where=where(selection), include=[])["ids"], reverse=True)
        for start in range(0, len(ids), BATCH):
            wanted = ids[start : start + BATCH]
            page = self._collection.get(ids=wanted, include=["metadatas"])
            found = dict(zip(page["ids"], page["metadatas"] or (), strict=True))
            for metadata in (found[trace_id] for trace_id in wanted):
                if admits(selection, metadata):
                    yield _parse(metadata)

    def find(self, prefix: str) -> list[str]:
        """Return the ids of traces that start with a prefix, sorted."""
        return sorted(each for each in self._all_ids() if each.startswith(prefix))

    def _all_ids(self) -> set[str]:
        return {*self._collection.get(include=[])["ids"], *self._pending}

    def look_up(self, text: str, n: int) -> list[tuple[Trace, float]]:
        """Return the `n` written traces whose requests are nearest to a text, with distances.

        Those that contain the text literally, ignoring case, come first; within both groups the
        nearest first, ties by id.
        """
        literal = {"$regex": f"(?i){re.escape(text)}"}
        tiers: tuple[Any, ...] = ({"where_document": literal}, {})
        found: dict[str, tuple[Trace, float]] = {}
        for condition in tiers:
            for near in self._nearest(text, n, **condition):
                found.setdefault(near.id, (_parse(near.metadata), near.distance))
        return list(found.values())[:n]

    def of_request(self, request: str) -> Iterator[Trace]:
        """Yield the traces of exactly this request, by id."""
        written = self._collection.get(where_document={"$contains": request}, include=[])["ids"]
        found = self.several(sorted({*written, *self._pending}))
        yield from (trace for _, trace in sorted(found.items()) if trace.request == request)

    def accepted(self, trigger: Trigger, n: int) -> list[Trace]:
        """Return the `n` newest accepted answers to different requests that a trigger concerns.

        The words of a phrase must occur in the request consecutively and without a typing error. Of
        similar requests, only the `MAX_NEAR` nearest to each are looked at.
        """
        found: dict[str, Trace] = {}
        for trace in self._newest_first(self._perhaps_accepted(trigger)):
            if len(found) >= n:
                break
            if trace.ok and self._concerns(trigger, trace.request):
                found.setdefault(trace.request, trace)
        return list(found.values())

    def _concerns(self, trigger: Trigger, request: str) -> bool:
        if isinstance(trigger, str):
            return trigger in phrases(request)
        if isinstance(trigger, Always):
            return True
        return trigger.reaches(min(self._distances(request, each) for each in trigger.requests))

    def _perhaps_accepted(self, trigger: Trigger) -> Iterable[str]:
        """Return ids of written traces, among them every accepted one with the trigger."""
        if isinstance(trigger, Always):
            return self._collection.get(where={"ok": True}, include=[])["ids"]
        if isinstance(trigger, Similar):
            near = (self._near(request) for request in trigger.requests)
            return chain.from_iterable(near)
        # A wide query, as Chroma's regular expressions do not split words as triggers do; the
        # caller checks each trace. A number may be glued to its unit, so nothing need separate two
        # words, and only a letter ends where another one does not follow.
        said = r"[^\p{L}]*".join(map(re.escape, words(trigger)))
        before = r"(^|[^\p{L}])" if trigger[:1].isalpha() else ""
        after = r"([^\p{L}]|$)" if trigger[-1:].isalpha() else ""
        alone = f"(?i){before}{said}{after}"
        # Not limited to accepted ones: Chroma has an index of texts, but none of truth values.
        literal: Any = {"where_document": {"$regex": alone}}
        # Chroma folds letter case and nothing else: those requests are read one by one.
        folded: Any = {"where": {"folded": FOLDED}}
        return chain(self._ids(alone, literal), self._ids(FOLDED, folded))

    def _ids(self, name: str, condition: Any) -> list[str]:
        """Return the ids of the written traces that meet a condition, remembered by a name."""
        # Until the next traces are written: a patch is tried again and again between two writes.
        if name not in self._found or not self._is_alone:
            if len(self._found) >= MAX_FOUND:
                self._found.clear()
            self._found[name] = self._collection.get(**condition, include=[])["ids"]
        return self._found[name]

    def _near(self, request: str) -> list[str]:
        return [near.id for near in self._nearest(request, MAX_NEAR, where={"ok": True})]

    def _nearest(self, text: str, n: int, **condition: Any) -> list[Near]:
        return nearest(self._collection, self._distances, text, n, lambda d, _: d, **condition)

    def _newest_first(self, written: Iterable[str]) -> Iterator[Trace]:
        """Yield these traces, and those that are not written yet."""
        ids = iter(sorted({*written, *self._pending}, reverse=True))
        size = FEW
        # Whoever asks takes a few and rarely all, so little is read first.
        while wanted := list(islice(ids, size)):
            missing = [trace_id for trace_id in wanted if trace_id not in self._pending]
            known: dict[str, Any] = {}
            if missing:
                page = self._collection.get(ids=missing, include=["metadatas"])
                known = dict(zip(page["ids"], page["metadatas"] or (), strict=True))
            for trace_id in wanted:
                yield self._pending.get(trace_id) or _parse(known[trace_id])
            size = min(2 * size, BATCH)

    def tallies(self) -> dict[str, Tally]:
        """Return uses, saves and harms of each patch that some written trace applied, by id."""
        applying = self._collection.all({"applied": {"$ne": ""}})
        return tallied(metadata for _, metadata in applying)


def metadata_of(trace: Trace) -> dict[str, Any]:
    """Return the metadata of a trace's record, its outcome by name and the whole as JSON."""
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
        "folded": FOLDED if _is_folded(trace.request) else "",
        "at": trace.at,
        "trace": trace.model_dump_json(),
    }


def _is_folded(request: str) -> bool:
    """Return True if normalising a request changes more than its letter case."""
    return normalise(request) != " ".join(request.lower().split())


def _parse(metadata: Any) -> Trace:
    try:
        return Trace.model_validate_json(str(metadata["trace"]))
    except (ValueError, KeyError) as error:
        raise StoreError("A trace cannot be read; `patchlab-agent doctor` names it.") from error
