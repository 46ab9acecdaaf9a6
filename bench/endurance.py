"""Whether a long run of the toy keeps its memory and its rate.

    python -m bench.endurance [--runs 20000] [--every 2000] [--seed 7] [--json]

One run on a fresh store, without golden set, in a process like that of `patchlab-agent run`. Memory
is what the process has (VmRSS), the rate its processor time, as machines are shared. The first span
counts as the start, with what is imported or loaded when the loop learns for the first time.

Exit code 1 if memory at the end is more than `MEMORY` times that after the first span, or the last
span takes more than `RATE` times the processor time of the first.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from bench.scale import memory_mb
from patchlab_agent.lab.opening import lab_of
from patchlab_agent.memory import share_heap
from patchlab_agent.models.trace import Trace
from patchlab_agent.runs.runner import Runner
from patchlab_agent.settings import RunSettings

MEMORY, RATE = 1.1, 1.3
"""Bars: times the memory, and the processor time, of the first span that the last one may have."""


@dataclass(frozen=True)
class Span:
    """Where the run was after so many requests.

    Attributes:
        requests: requests done.
        mb: memory of the process.
        seconds: processor seconds per 1,000 requests since the span before.
        examples: examples that are written.
        patches: patches, whatever their status.
    """

    requests: int
    mb: float
    seconds: float
    examples: int
    patches: int


def run(runs: int, every: int, seed: int) -> list[Span]:
    """Make one run, and return where it was after each span."""
    spans: list[Span] = []
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        settings = RunSettings(runs=runs, seed=seed, golden=0, store=Path(folder) / "store")
        with lab_of(settings) as lab:
            runner = Runner(lab, settings)
            gc.collect()
            gc.freeze()
            start = time.process_time()

            def note(_: Trace, done: int) -> None:
                nonlocal start
                if done % every:
                    return
                spent = time.process_time() - start
                counts = (lab.store.examples.count(), lab.store.patches.count())
                spans.append(Span(done, memory_mb(), 1000 * spent / every, *counts))
                print(f"{done:,} of {runs:,}", file=sys.stderr, flush=True)
                start = time.process_time()

            runner.on_trace = note
            runner.run()
    return spans


def table(spans: Sequence[Span]) -> Table:
    """One row a span."""
    found = Table(title="A long run")
    for heading in ("requests", "MB", "CPU s per 1,000", "examples", "patches"):
        found.add_column(heading, justify="right")
    for span in spans:
        found.add_row(
            f"{span.requests:,}",
            f"{span.mb:.0f}",
            f"{span.seconds:.2f}",
            f"{span.examples:,}",
            f"{span.patches:,}",
        )
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and say by the exit code whether the bars are met."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.endurance", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--runs", type=int, default=20_000, help="requests (default 20,000)")
    parser.add_argument("--every", type=int, default=2000, help="requests a span (default 2,000)")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args(argv)
    share_heap()
    spans = run(options.runs, options.every, options.seed)
    first, last = spans[0], spans[-1]
    memory, rate = last.mb / first.mb, last.seconds / first.seconds
    if options.json:
        print(json.dumps([asdict(span) for span in spans], indent=2))
    else:
        Console().print(table(spans))
        print(f"memory {memory:.2f} times that of the first span, bar {MEMORY}")
        print(f"processor time {rate:.2f} times that of the first span, bar {RATE}")
    return int(memory > MEMORY or rate > RATE)


if __name__ == "__main__":
    sys.exit(main())
