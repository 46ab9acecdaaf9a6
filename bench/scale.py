"""What a store of 100 to 100,000 patches, and as many traces, costs beside the raw Chroma client.

A store is filled through Chroma's client, a thousand records at a time. With `--keep` it stays, and
the next fill goes on where this one was interrupted. Then, for each size:

* two fresh processes with the same imports open the store, one with this package and one with
  Chroma's client alone; each asks it once, and tells how long that took and what memory it has;
* both are asked the requests of `bench.retrieval` in one process, taking turns at going first;
* a toy run on a copy of the store shows its rate, and the share of its time that Chroma's calls
  took.

    python -m bench.scale [--sizes 100,1000,10000] [--large] [--keep FOLDER] [--runs 100] [--json]

Exit code 1 if recall, retrieval, start-up or memory misses its bar at any size.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory

from chromadb.api.models.Collection import Collection
from rich.console import Console
from rich.table import Table

from bench.loop import journaled
from bench.retrieval import SEED, Question, exact_questions, made_patches, misspelt_questions
from patchlab_agent.embedding import Distances, SketchEmbedder, embedder
from patchlab_agent.lab.opening import lab_of, open_lab
from patchlab_agent.models.patch import Patch
from patchlab_agent.models.trace import OK, Trace, trace_name
from patchlab_agent.runs.runner import Runner
from patchlab_agent.settings import RunSettings
from patchlab_agent.shipping.fix import RequestPart
from patchlab_agent.store.chroma import open_collection
from patchlab_agent.store.clients import open_client
from patchlab_agent.store.patch_records import describe, metadata_of
from patchlab_agent.store.patches import PatchStore
from patchlab_agent.store.traces import metadata_of as metadata_of_trace

LARGE = 100_000
BATCH = 1000
K = 5
EMBEDDER = "hashing"
RECALL, RETRIEVAL, STARTUP, MEMORY = 1.0, 1.5, 3.0, 1.5
"""Bars: least recall at K, times the raw client's median query, seconds, times its memory."""


@dataclass(frozen=True)
class Opened:
    """What opening a store and asking it once came to.

    Attributes:
        seconds: from the start of opening to the first answer, imports excluded.
        mb: the process's memory afterwards.
    """

    seconds: float
    mb: float


@dataclass(frozen=True)
class Asked:
    """What asking a store came to: recall from 0 to 1, and milliseconds."""

    recall: float
    p50: float
    p95: float
    raw_p50: float
    raw_p95: float


@dataclass(frozen=True)
class Row:
    """The figures of one size."""

    size: int
    exact: Asked
    misspelt: Asked
    opened: Opened
    raw: Opened
    runs_per_second: float
    chroma_share: float
    disk_mb: float

    @property
    def retrieval(self) -> float:
        """Median search as a multiple of the raw client's median query."""
        return self.exact.p50 / self.exact.raw_p50

    @property
    def memory(self) -> float:
        """Memory as a multiple of the raw client's."""
        return self.opened.mb / self.raw.mb

    @property
    def missed(self) -> list[str]:
        """The bars that are missed."""
        met = {
            "recall": min(self.exact.recall, self.misspelt.recall) >= RECALL,
            "retrieval": self.retrieval <= RETRIEVAL,
            "start-up": self.opened.seconds < STARTUP,
            "memory": self.memory <= MEMORY,
        }
        return [name for name, is_met in met.items() if not is_met]


def tell(text: str) -> None:
    """Say how far it is."""
    print(text, file=sys.stderr, flush=True)


def patches_of(size: int) -> dict[RequestPart, list[Patch]]:
    """The patches of a store of this size, the same each time."""
    return made_patches(size, random.Random(f"{SEED}:{size}"))


def questions_of(size: int, count: int) -> tuple[list[Question], list[Question]]:
    """The requests of `bench.retrieval` for a store of this size, exactly spelt and misspelt."""
    rng = random.Random(f"{SEED}:{size}")
    patches = made_patches(size, rng)
    return list(exact_questions(patches, count, rng)), list(misspelt_questions(patches, count, rng))


def fill(path: Path, size: int) -> None:
    """Fill a store with so many patches and traces, or go on filling it."""
    with open_lab(store=path, embedder=EMBEDDER) as lab:
        answered = lab.agent.answer("Ship 2 kg books box to US").model_copy(update={"feedback": OK})
    client, function = open_client(path), embedder(EMBEDDER)
    try:
        _fill_patches(open_collection(client, "patches", function), size)
        _fill_traces(open_collection(client, "traces", function), size, answered)
    finally:
        client.close()


def _fill_patches(collection: Collection, size: int) -> None:
    patches = [patch for group in patches_of(size).values() for patch in group]
    function = embedder(EMBEDDER)
    for start in _missing(collection, size, "patches"):
        part = patches[start : start + BATCH]
        collection.upsert(
            ids=[patch.id for patch in part],
            documents=[describe(patch) for patch in part],
            embeddings=function([patch.trigger_text for patch in part]),
            metadatas=[metadata_of(patch) for patch in part],
        )


def _fill_traces(collection: Collection, size: int, answered: Trace) -> None:
    function = SketchEmbedder(embedder(EMBEDDER))
    asked = exact_questions(patches_of(size), size, random.Random(f"{SEED}:{size}:traces"))
    done = 0
    for start in _missing(collection, size, "traces"):
        texts = [each.request for each in islice(asked, start - done, start - done + BATCH)]
        done = start + len(texts)
        traces = [
            answered.model_copy(update={"id": trace_name(n), "index": n, "request": text})
            for n, text in enumerate(texts, start)
        ]
        collection.upsert(
            ids=[trace.id for trace in traces],
            documents=texts,
            embeddings=function(texts),
            metadatas=[metadata_of_trace(trace) for trace in traces],
        )


def _missing(collection: Collection, size: int, what: str) -> Iterator[int]:
    """Yield where each batch starts that a collection lacks."""
    held = collection.count()
    for start in range(held if held == size else held // BATCH * BATCH, size, BATCH):
        tell(f"{size:,}: filling, {start:,} {what}")
        yield start


def probe(path: Path, way: str) -> Opened:
    """Open a store and ask it once, in a process that does nothing else."""
    request = "Ship 2 kg battery box to US"
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        # What is imported at the first opening counts for neither.
        open_lab(store=Path(folder) / "store").close()
    vector = Distances(embedder(EMBEDDER)).vector(request).tolist()
    start = time.perf_counter()
    if way == "store":
        lab = open_lab(store=path, embedder=EMBEDDER)
        lab.store.patches.search(request, K)
    else:
        collection = open_collection(open_client(path), "patches", embedder(EMBEDDER))
        collection.query(query_embeddings=vector, n_results=K)
    return Opened(time.perf_counter() - start, memory_mb())


def memory_mb() -> float:
    """Return the memory that this process has."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("This system does not say what memory a process has.")


def _probed(path: Path, way: str) -> Opened:
    command = [sys.executable, "-m", "bench.scale", "--probe", way, "--keep", str(path)]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return Opened(**json.loads(told))


def ask(store: PatchStore, raw: Collection, questions: Sequence[Question]) -> Asked:
    """Ask a store and the raw client's collection the same requests, in turns."""
    distances = Distances(embedder(EMBEDDER))
    seconds: dict[str, list[float]] = {"store": [], "raw": []}
    found = 0
    for number, question in enumerate(questions):
        vector = distances.vector(question.request).tolist()
        for way in sorted(seconds, reverse=bool(number % 2)):
            start = time.perf_counter()
            if way == "raw":
                raw.query(query_embeddings=vector, n_results=K)
            else:
                hits = store.search(question.request, K)
                found += len(question.wanted.intersection(hit.patch.id for hit in hits))
            seconds[way].append(1000 * (time.perf_counter() - start))
    wanted = sum(len(question.wanted) for question in questions)
    p50, raw_p50 = median(seconds["store"]), median(seconds["raw"])
    p95, raw_p95 = (quantiles(seconds[way], n=20)[-1] for way in ("store", "raw"))
    return Asked(found / wanted, p50, p95, raw_p50, raw_p95)


def run_rate(path: Path, runs: int) -> tuple[float, float]:
    """Runs per second on a copy of a store, and the share of the time that Chroma's calls took."""
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        copied = Path(shutil.copytree(path, Path(folder) / "store"))
        settings = RunSettings(runs=runs, golden=0, store=copied)
        with lab_of(settings) as lab, journaled() as journal:
            Runner(lab, settings).run()
    return runs / journal.total, sum(journal.seconds.values()) / journal.total


def measure(path: Path, size: int, runs: int, count: int) -> Row:
    """Fill a store, or go on filling it, and measure it."""
    fill(path, size)
    tell(f"{size:,}: opening")
    opened, raw = _probed(path, "store"), _probed(path, "raw")
    tell(f"{size:,}: asking")
    exact, wrong = questions_of(size, count)
    with open_lab(store=path, embedder=EMBEDDER) as lab:
        client = open_client(path)
        collection = open_collection(client, "patches", embedder(EMBEDDER))
        asked, asked_wrong = (ask(lab.store.patches, collection, each) for each in (exact, wrong))
        client.close()
    disk = sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) / 1024**2
    tell(f"{size:,}: running")
    return Row(size, asked, asked_wrong, opened, raw, *run_rate(path, runs), disk)


def table(rows: Sequence[Row]) -> Table:
    """One row a size."""
    found = Table(title=f"A store beside the raw Chroma client, recall and search at {K}")
    for heading in ("patches,\ntraces", "recall\nexact", "mis-\nspelt", "p50, p95\nms", "raw\nms"):
        found.add_column(heading, justify="right")
    for heading in ("times\nraw", "open\ns", "raw\ns", "memory\nMB", "times\nraw", "runs\n/s"):
        found.add_column(heading, justify="right")
    for heading in ("Chroma's\nshare", "disk\nMB"):
        found.add_column(heading, justify="right")
    for row in rows:
        exact = row.exact
        found.add_row(
            f"{row.size:,}",
            *(f"{each.recall:.3f}" for each in (exact, row.misspelt)),
            f"{exact.p50:.1f}, {exact.p95:.1f}",
            f"{exact.raw_p50:.1f}, {exact.raw_p95:.1f}",
            f"{row.retrieval:.1f}",
            *(f"{each.seconds:.2f}" for each in (row.opened, row.raw)),
            f"{row.opened.mb:,.0f}",
            f"{row.memory:.2f}",
            f"{row.runs_per_second:.0f}",
            f"{row.chroma_share:.2f}",
            f"{row.disk_mb:,.0f}",
        )
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and say by the exit code whether the bars are met."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.scale", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--sizes", default="100,1000,10000", help="patches a store, by commas")
    parser.add_argument("--large", action="store_true", help=f"{LARGE:,} as well; takes an hour")
    parser.add_argument("--keep", type=Path, help="folder for the stores, to fill them only once")
    parser.add_argument("--runs", type=int, default=100, help="of the toy on a copy (default 100)")
    parser.add_argument("--questions", type=int, default=400, help="of each sort (default 400)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--probe", choices=("store", "raw"), help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.probe:
        print(json.dumps(asdict(probe(options.keep, options.probe))))
        return 0
    sizes = [int(size) for size in options.sizes.split(",")] + [LARGE] * options.large
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        root = options.keep or Path(folder)
        rows = [measure(root / f"{size}", size, options.runs, options.questions) for size in sizes]
    if options.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        Console(width=120).print(table(rows))
        for row in rows:
            print(f"{row.size:,}: " + (", ".join(row.missed) + " missed" if row.missed else "met"))
    return 1 if any(row.missed for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
