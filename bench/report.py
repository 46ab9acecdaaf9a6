"""How large a page of 1,000 runs is, and how long it takes beside the run that made it.

    python -m bench.report

Seconds of a machine that does other things as well say little. So the page's time is given as a
share of the run's in the same process, too, and the best of several tries counts. Imports are done
before; reading the store counts.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from patchlab_agent.lab.opening import lab_of
from patchlab_agent.lab.stores import raw_store
from patchlab_agent.report.html.page import MAX_TRACES, page
from patchlab_agent.runs.runner import Runner
from patchlab_agent.settings import RunSettings

MAX_MEGABYTES = 5.0
MAX_SECONDS = 2.0
TRIES = 5
GOLDEN = 260
"""All golden cases."""


def run(store: Path, runs: int) -> float:
    """Make the store; the seconds that took."""
    settings = RunSettings(runs=runs, golden=GOLDEN, store=store)
    with lab_of(settings) as lab:
        return Runner(lab, settings).run().timing.seconds


def build(path: Path) -> tuple[float, float]:
    """Seconds from an open store to a page, and the page's megabytes."""
    with raw_store(path) as store:
        start = time.perf_counter()
        report = store.report(store.runs()[-1])
        traces = store.traces_of(report.run, MAX_TRACES)
        text = page(report, tuple(store.patches.all()), traces, store.golden(report.run))
        size = len(text.encode("utf-8"))
        return time.perf_counter() - start, size / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        made = run(Path(folder) / "store", options.runs)
        tries = [build(Path(folder) / "store") for _ in range(TRIES)]
    seconds, megabytes = min(tries)
    print(f"{options.runs} requests and {GOLDEN} golden cases: {made:.1f} s")
    print(f"page: {megabytes:.2f} MB, bar {MAX_MEGABYTES:g}")
    print(f"built in {seconds:.2f} s, bar {MAX_SECONDS:g}; {seconds / made:.0%} of the run's time")
    raise SystemExit(megabytes >= MAX_MEGABYTES or seconds >= MAX_SECONDS)


if __name__ == "__main__":
    main()
