"""Few-shot examples in Chroma: answers known to be right, for the prompts of other requests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Collection as Words
from itertools import chain
from typing import Any, NamedTuple

from patchlab_agent.embedding import Distances
from patchlab_agent.models.base import JsonObject, digest
from patchlab_agent.models.example import StoredExample
from patchlab_agent.models.trace import Example
from patchlab_agent.store.chroma import PAGE, Records
from patchlab_agent.store.coverage import CoverageIndex
from patchlab_agent.store.example_records import examples_of, metadata_of
from patchlab_agent.store.nearest import EDGE, MARGIN, ROUGH
from patchlab_agent.store.units import Units
from patchlab_agent.text import words

BATCH = 100
MAX_EXAMPLE_CHARS = 200
"""Longest request to show in other prompts: longer ones cost tokens and may hold anything."""


class Replaced(NamedTuple):
    """Numbers of examples that a replacement changed."""

    removed: int
    """Examples that prompts no longer show."""
    added: int
    """Examples that prompts show again."""
    reset: int
    """Examples shown, or not, as before; only the evidence on them changed."""


class _Replacing(NamedTuple):
    """The keys to delete and the examples to write until all are replaced."""

    gone: list[str]
    fresh: dict[str, StoredExample]


class ExampleStore:
    """The examples: one record for each *distinct* request with a right answer that may be shown.

    Keeping them separate from the traces keeps retrieval exact: many equal vectors, as repeated
    requests produce, would wall off the rest of Chroma's index. Of several answers to requests with
    the same words, the first one stays. A withdrawn example stays as well, though it is never
    found, so that no later answer to the same words takes its place. Once there are enough examples
    of each word of a request, its answer is not kept, so a store that answers for years grows with
    the words of its users and not with their requests.

    Args:
        collection: their records.
        distances: distances of its embedder.
        may_show: returns whether a request and its answer may stand in another request's prompt.
        units: the units of work of the store.
    """

    def __init__(
        self,
        collection: Records,
        distances: Distances,
        may_show: Callable[[str, JsonObject], bool],
        units: Units,
    ) -> None:
        self._collection = collection
        self._distances = distances
        self._may_show = may_show
        self._units = units
        self.reload()

    def reload(self) -> None:
        """Forget whatever is not in the database."""
        self._stored = self._collection.count()
        self._new: dict[str, StoredExample] = {}
        self._changed: dict[str, StoredExample] = {}
        self._before: dict[str, StoredExample] = {}
        self._replacing = _Replacing([], {})
        self._outdated: set[str] = set()
        self._withdrawn = self._withdrawn_keys()
        self._index: CoverageIndex | None = None
        self._indexed_keys: dict[str, str] = {}

    def add(self, trace_id: str, request: str, answer: JsonObject | None) -> None:
        """Add a trace's example, in place of its previous one.

        Args:
            trace_id: id of the trace.
            request: what a person typed.
            answer: a right answer; None if none is known.
        """
        if trace_id in self._outdated:
            kept = ((k, e) for k, e in self._new.items() if e.id != trace_id or e.withdrawn)
            self._new = dict(kept)
        # Only marked, and deleted with the next flush: traces are written in batches.
        self._outdated.add(trace_id)
        if self._index is not None and trace_id in self._indexed_keys:
            self._index.discard(self._indexed_keys.pop(trace_id))
        if answer and self._is_showable(request, answer):
            key = _key(request)
            index = self._indexed()
            if key in self._withdrawn or key in index or not index.lacks(request):
                return
            self._new[key] = StoredExample(id=trace_id, request=request, answer=answer)
            index.add(key, request)
            self._indexed_keys[trace_id] = key

    def drop(self, rejudged: Sequence[str]) -> None:
        """Delete the examples of traces stored before that are not right any more.

        A withdrawn example stays withdrawn; one whose answer is right again keeps its record.

        Args:
            rejudged: ids of traces whose example is now the one given to `add`.
        """
        if not rejudged:
            return
        gone = [
            key
            for key, each in self._of_traces(rejudged).items()
            if not (each.withdrawn or _same(each, self._new.get(key)))
        ]
        for part in _parts(gone):
            self._collection.delete(ids=part)
        self._stored = self._collection.count()

    def committed(self) -> None:
        """Take note that all changes until now count."""
        self._before.clear()

    def before(self) -> tuple[StoredExample, ...]:
        """Return the examples that the present unit changed, as they were before."""
        return tuple(self._before.values())

    def write_out(self) -> None:
        """Write what was added and changed since it was last written."""
        for part in _parts(self._replacing.gone):
            self._collection.delete(ids=part)
            self._stored = self._collection.count()
        self._write(self._replacing.fresh)
        if self._new:
            known = set(self._collection.get(ids=list(self._new), include=[])["ids"])
            self._write({key: each for key, each in self._new.items() if key not in known})
        for part in _parts(list(self._changed)):
            # Not `upsert`, which would recreate them: Chroma's `update` ignores unknown ids.
            metadatas: Any = [metadata_of(self._changed[key]) for key in part]
            self._collection.update(ids=part, metadatas=metadatas)
        self._settle()

    def written_out(self) -> None:
        """Take note that the database holds all changes until now, whoever wrote them."""
        self._settle()
        self._stored = self._collection.count()

    def give_up(self) -> None:
        """Forget what was added and changed since it was last written."""
        self._settle()
        self._index = None

    def _settle(self) -> None:
        self._new.clear()
        self._changed.clear()
        self._before.clear()
        self._outdated.clear()
        self._replacing = _Replacing([], {})

    def remove(self, rejudged: Sequence[str]) -> None:
        """Delete the examples of traces that are taken back, withdrawn ones included."""
        self._new = {key: each for key, each in self._new.items() if each.id not in rejudged}
        gone = list(self._of_traces(rejudged))
        self._replacing.gone.extend(gone)
        for key in gone:
            self._changed.pop(key, None)
        self._withdrawn.difference_update(gone)
        self._index = None

    def all(self) -> list[StoredExample]:
        """Return the written examples, sorted by trace, withdrawn ones included."""
        return list(self.each())

    def each(self) -> Iterator[StoredExample]:
        """Yield what `all` returns, with few of them in memory."""
        keys = {key: str(metadata["trace_id"]) for key, metadata in self._collection.all()}
        for part in _parts(sorted(keys, key=lambda key: (keys[key], key))):
            page = self._collection.get(ids=part, include=["documents", "metadatas"])
            found = self._read(page)
            yield from (found[key] for key in part if key in found)

    def count(self) -> int:
        """Return the number of written examples, withdrawn ones included."""
        return self._collection.count()

    def of_traces(self, trace_ids: Iterable[str]) -> dict[str, StoredExample]:
        """Return the examples of these traces by trace id, as far as they still exist."""
        wanted = set(trace_ids)
        written = self._of_traces(sorted(wanted - self._outdated)) if wanted else {}
        new = (each for each in self._new.values() if each.id in wanted)
        return {each.id: each for each in (*written.values(), *new)}

    def update(self, changed: Iterable[StoredExample]) -> None:
        """Replace the evidence on examples; those that no longer exist are not recreated."""
        with self._units.unit():
            for example in changed:
                self._update(example)

    def _update(self, example: StoredExample) -> None:
        key = _key(example.request)
        self._units.note("example", example.model_dump_json(exclude_defaults=True))
        if _same(example, self._new.get(key)):
            self._before.setdefault(key, self._new[key])
            self._new[key] = example
        else:
            if key not in self._before:
                page = self._collection.get(ids=[key], include=["documents", "metadatas"])
                self._before |= self._read(page)
            self._changed[key] = example
        if example.withdrawn:
            self._withdrawn.add(key)
            if self._index is not None:
                self._index.discard(key)
        elif key in self._withdrawn:
            self._withdrawn.discard(key)
            self._index = None

    def replace(self, wanted: Iterable[StoredExample]) -> Replaced:
        """Replace all examples, and the evidence on them, with these.

        What is as it should be is left alone. All examples must have been written out before.
        """
        then = {_key(example.request): example for example in wanted}
        held = (each.model_dump_json(exclude_defaults=True) for each in then.values())
        now = self._by_key()
        gone = [key for key in now if key not in then]
        fresh = {key: example for key, example in then.items() if now.get(key) != example}
        with self._units.unit():
            self._units.note("examples", f"[{','.join(held)}]")
            self._replacing = _Replacing(gone, fresh)
            self._withdrawn = {key for key, example in then.items() if example.withdrawn}
            self._index = None
        before, after = _shown(now), _shown(then)
        removed = sum(after.get(key) != example for key, example in before.items())
        added = sum(before.get(key) != example for key, example in after.items())
        alike = sum(before.get(key) == after.get(key) for key in (*gone, *fresh))
        return Replaced(removed, added, alike)

    def similar(self, request: str, n: int) -> tuple[Example, ...]:
        """Return the `n` examples whose requests are most like this one, the nearest first.

        Ties are broken by id.
        """
        if n == 0:
            return ()
        wanted = (ROUGH * n if self._collection.is_sketched else n) + MARGIN
        while True:
            candidates, edge = self._candidates(request, wanted)
            found = self._nearest(request, candidates, n)
            last = self._distances(request, found[-1].request) if len(found) == n else None
            # Chroma cuts ties arbitrarily: beyond the edge there may be more examples at the same
            # distance, with smaller ids. Unless the last one is clearly nearer, ask for more.
            if edge is None or (last is not None and last < edge - EDGE):
                return found
            wanted *= 2

    def covering(self, request: str, covered: Words[str], n: int) -> tuple[Example, ...]:
        """Return up to `n` examples that together cover what is uncommon in a request.

        Args:
            request: what a person typed.
            covered: words that need no example.
            n: maximum number of examples.
        """
        if n == 0:
            return ()
        index = self._indexed()
        while True:
            keys = index.covering(request, covered, n)
            new = {key: self._new[key] for key in keys if key in self._new}
            # Of two answers to the same words the written one stays.
            known = _shown({**new, **self._fetched(keys)})
            # One written by an older version or from outside might not be accepted today.
            odd = [k for k in keys if k not in known or not self._shows(known[k])]
            if not odd:
                return tuple(known[key] for key in keys)
            for key in odd:
                index.discard(key)

    def _indexed(self) -> CoverageIndex:
        if self._index is None:
            index, keys = CoverageIndex(), {}
            new = ((key, e) for key, e in self._new.items() if not e.withdrawn)
            for key, example in chain(self._written_shown(), new):
                # Of two answers to the same words the written one stays.
                if key not in index:
                    index.add(key, example.request)
                    keys[example.id] = key
            # Only now, as reading may fail midway.
            self._index, self._indexed_keys = index, keys
        return self._index

    def _written_shown(self) -> Iterator[tuple[str, StoredExample]]:
        for page in self._pages():
            for key, example in page.items():
                if not (example.withdrawn or example.id in self._outdated):
                    yield key, example

    def _withdrawn_keys(self) -> set[str]:
        return set(self._collection.get(where={"shown": False}, include=[])["ids"])

    def _of_traces(self, trace_ids: Sequence[str]) -> dict[str, StoredExample]:
        """Return the written examples of traces, by key."""
        if not trace_ids:
            return {}
        where: Any = {"trace_id": {"$in": list(trace_ids)}}
        return self._read(self._collection.get(where=where, include=["documents", "metadatas"]))

    def _read(self, page: Any) -> dict[str, StoredExample]:
        """Return the examples of a page of their collection as they are by now, by key."""
        found = examples_of(page["ids"], page["documents"], page["metadatas"])
        return {key: self._changed.get(key, each) for key, each in found.items()}

    def _fetched(self, keys: Sequence[str]) -> dict[str, StoredExample]:
        if not keys:
            return {}
        found = self._read(self._collection.get(ids=list(keys), include=["documents", "metadatas"]))
        return {key: each for key, each in found.items() if each.id not in self._outdated}

    def _write(self, fresh: Mapping[str, StoredExample]) -> None:
        for part in _parts(list(fresh)):
            examples = [fresh[key] for key in part]
            self._collection.upsert(
                ids=part,
                documents=[each.request for each in examples],
                embeddings=[
                    self._collection.kept(self._distances.vector(each.request)) for each in examples
                ],
                metadatas=[metadata_of(each) for each in examples],
            )
        if fresh:
            self._stored = self._collection.count()

    def _by_key(self) -> dict[str, StoredExample]:
        return {key: example for page in self._pages() for key, example in page.items()}

    def _pages(self) -> Iterator[dict[str, StoredExample]]:
        """Yield the written examples by key, a page at a time."""
        for start in range(0, self._collection.count(), PAGE):
            yield self._read(
                self._collection.get(limit=PAGE, offset=start, include=["documents", "metadatas"])
            )

    def _candidates(self, request: str, wanted: int) -> tuple[dict[str, Example], float | None]:
        """Return examples by key, and the distance within which they are complete; None: all are.

        Unwritten examples are always included.
        """
        size = min(wanted, self._stored)
        if size == 0:
            return _shown(self._new), None
        found = self._collection.query(
            query_embeddings=[self._collection.kept(self._distances.vector(request))],
            n_results=size,
            include=["documents", "metadatas"],
        )
        documents, metadatas = found["documents"] or [[]], found["metadatas"] or [[]]
        stored = {
            key: example
            for key, example in self._read(
                {"ids": found["ids"][0], "documents": documents[0], "metadatas": metadatas[0]}
            ).items()
            if example.id not in self._outdated and self._shows(example)
        }
        whole = size == self._stored
        edge = None if whole else self._distances(request, documents[0][-1])
        return _shown({**self._new, **stored}), edge

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
    """Return the key under which requests with the same words, in any order, are one example."""
    return digest(sorted(words(request)))


def _same(one: Example, other: Example | None) -> bool:
    """Return True if two are the same answer of one trace, whatever the evidence on them."""
    return other is not None and (one.id, one.request, one.answer) == (
        other.id,
        other.request,
        other.answer,
    )


def _shown(examples: Mapping[str, StoredExample]) -> dict[str, Example]:
    """Return the examples that prompts may show, in the form that they show, by key."""
    return {key: each.shown for key, each in examples.items() if not each.withdrawn}


def _parts(keys: Sequence[str]) -> Iterator[list[str]]:
    """Split keys into batches for single calls of Chroma."""
    return (list(keys[start : start + BATCH]) for start in range(0, len(keys), BATCH))
