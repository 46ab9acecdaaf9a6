"""What the loop costs beside the Chroma operations that it rests on.

The loop runs for real: a `Runner` with the toy backend and no golden set, on a fresh store, while
every call of a Chroma collection is written down. The bare script then makes the same queries and
writes, with the loop's own vectors and records and in its own batches, and does nothing else. The
loop's gets and counts, its journal, the toy, rendering and judging are its own cost. Opening the
stores counts for neither, nor does what is imported or loaded when the loop learns for the first
time, such as Pint's table of units.

Machines are noisy and caches warm up, so the order is loop, bare, bare, loop: a drift that is
steady cancels out of the ratio of the two means. Every loop starts with the package's own caches
empty, as it would in a new process. A loop writes at the latest after two seconds, so a slow
machine writes in more and smaller batches than a fast one, and a store to which nothing is written
yet is not queried; the bare script repeats the first loop.

    python -m bench.loop [--runs 1000] [--seed 7]

Exit code 1 if the loop takes more than `BAR` times as long as the bare script.
"""

from __future__ import annotations

import argparse
import functools
import gc
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from chromadb.api.models.Collection import Collection
from rich.console import Console
from rich.table import Table

from patchlab_agent.embedding import embedder
from patchlab_agent.lab.opening import lab_of
from patchlab_agent.runs.runner import Runner
from patchlab_agent.settings import RunSettings
from patchlab_agent.store.chroma import open_collection
from patchlab_agent.store.clients import open_client
from patchlab_agent.store.integrity import NEEDED

BAR = 1.2
"""How many times as long as the bare script the loop may take."""

WARM_UP = 40
"""Requests after which a loop has learned for the first time."""
OPERATIONS = ("query", "get", "upsert", "count", "delete")


@dataclass(frozen=True)
class Call:
    """One call of a collection."""

    collection: str
    operation: str
    arguments: dict[str, Any]

    @property
    def part(self) -> str:
        """The row of the table it belongs to."""
        return f"{self.collection}: {self.operation}"

    @property
    def records(self) -> int:
        """How many records it writes."""
        return len(self.arguments["ids"]) if self.operation == "upsert" else 0


@dataclass
class Journal:
    """What a stretch of code asked of Chroma, and how long it took."""

    calls: list[Call] = field(default_factory=list)
    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    counts: Counter[str] = field(default_factory=Counter)
    total: float = 0.0

    def add(self, call: Call, seconds: float) -> None:
        """Write down a call."""
        self.calls.append(call)
        self.counts[call.part] += 1
        self.seconds[call.part] += seconds

    @property
    def records(self) -> Counter[str]:
        """Records written, by part."""
        found: Counter[str] = Counter()
        for call in self.calls:
            found[call.part] += call.records
        return +found

    @property
    def rest(self) -> float:
        """Seconds in no part that was measured."""
        return self.total - sum(self.seconds.values())


@contextmanager
def journaled() -> Iterator[Journal]:
    """Write down and time what happens to any collection in this block, and the block itself."""
    journal = Journal()
    originals = {name: getattr(Collection, name) for name in OPERATIONS}
    for name, original in originals.items():
        setattr(Collection, name, _wrapped(name, original, journal))
    gc.collect()
    # As `patchlab-agent run` does.
    gc.freeze()
    start = time.perf_counter()
    try:
        yield journal
    finally:
        journal.total = time.perf_counter() - start
        gc.unfreeze()
        for name, original in originals.items():
            setattr(Collection, name, original)


def _wrapped(name: str, original: Callable[..., Any], journal: Journal) -> Callable[..., Any]:
    def wrapped(collection: Collection, **arguments: Any) -> Any:
        start = time.perf_counter()
        answer = original(collection, **arguments)
        seconds = time.perf_counter() - start
        journal.add(Call(collection.name, name, arguments), seconds)
        return answer

    return wrapped


def run_loop(runs: int, seed: int) -> Journal:
    """The real loop on a fresh store."""
    _forget()
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        settings = RunSettings(runs=runs, seed=seed, golden=0, store=Path(folder) / "store")
        with lab_of(settings) as lab:
            runner = Runner(lab, settings)
            with journaled() as journal:
                runner.run()
            for purpose, spent in lab.meter.spent.items():
                journal.counts[f"toy: {purpose}"] = spent.calls
                journal.seconds[f"toy: {purpose}"] = spent.seconds
    return journal


def run_bare(calls: Sequence[Call]) -> Journal:
    """The same queries and writes, in the same batches, and nothing else."""
    wanted = [call for call in calls if call.operation in ("query", "upsert")]
    function = embedder("hashing")
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        client = open_client(Path(folder))
        opened = {name: open_collection(client, name, function, create=True) for name in NEEDED}
        with journaled() as journal:
            for call in wanted:
                getattr(opened[call.collection], call.operation)(**call.arguments)
    return journal


def _forget() -> None:
    """Empty the package's caches, but not what is loaded once and stays."""
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] != "patchlab_agent":
            continue
        for member in vars(module).values():
            is_cache = isinstance(member, functools._lru_cache_wrapper)
            if is_cache and member.cache_parameters()["maxsize"] is not None:
                member.cache_clear()


@dataclass(frozen=True)
class Result:
    """The rounds of one comparison."""

    loops: tuple[Journal, Journal]
    bares: tuple[Journal, Journal]

    @property
    def ratio(self) -> float:
        """Mean seconds of the loop over those of the bare script."""
        return _mean(self.loops, lambda one: one.total) / _mean(self.bares, lambda one: one.total)


def compare(runs: int, seed: int) -> Result:
    """Loop, bare, bare, loop, after a short one that imports whatever loops need.

    Raises:
        RuntimeError: the two loops wrote different traces, so nothing can be compared.
    """
    run_loop(WARM_UP, seed)
    first = run_loop(runs, seed)
    bares = (run_bare(first.calls), run_bare(first.calls))
    second = run_loop(runs, seed)
    if first.records["traces: upsert"] != second.records["traces: upsert"]:
        raise RuntimeError("Two loops of one seed differ in the traces that they wrote.")
    return Result((first, second), bares)


def _mean(journals: Sequence[Journal], measure: Callable[[Journal], float]) -> float:
    return sum(map(measure, journals)) / len(journals)


def table(result: Result) -> Table:
    """Counts and mean seconds by part, loop beside bare."""
    found = Table(title="The loop beside its bare Chroma operations")
    found.add_column("part", no_wrap=True)
    for heading in ("loop calls", "records", "s", "bare calls", "records", "s"):
        found.add_column(heading, justify="right")
    for part in sorted({*result.loops[0].counts, *result.bares[0].counts}):
        found.add_row(part, *_cells(result.loops, part), *_cells(result.bares, part))
    for name, measure in (("the rest", lambda one: one.rest), ("total", lambda one: one.total)):
        loop, bare = (f"{_mean(side, measure):.2f}" for side in (result.loops, result.bares))
        found.add_section()
        found.add_row(name, "", "", loop, "", "", bare)
    return found


def _cells(journals: Sequence[Journal], part: str) -> tuple[str, str, str]:
    calls, records = journals[0].counts[part], journals[0].records[part]
    if not calls:
        return "", "", ""
    seconds = _mean(journals, lambda one: one.seconds[part])
    return f"{calls:,}", f"{records:,}" if records else "", f"{seconds:.2f}"


def main(argv: Sequence[str] | None = None) -> int:
    """Compare, print, and say by the exit code whether the bar is met."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.loop", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--runs", type=int, default=1000, help="requests to run (default 1000)")
    parser.add_argument("--seed", type=int, default=7, help="of requests and toy (default 7)")
    options = parser.parse_args(argv)
    result = compare(options.runs, options.seed)
    console = Console()
    console.print(table(result))
    for name, journals in (("loop", result.loops), ("bare", result.bares)):
        console.print(f"{name}: {' and '.join(f'{one.total:.2f} s' for one in journals)}")
    met = result.ratio <= BAR
    verdict = "met" if met else "missed"
    console.print(f"ratio loop/bare {result.ratio:.2f}, bar {BAR}: {verdict}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
