"""How many calls `patches effect` makes, beside a full re-run for each patch.

    python -m bench.effects

A few runs of the toy teach a store a hundred patches; then each of them is left out on 40 golden
cases, with answers known from nowhere.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from patchlab_agent.lab.opening import open_lab
from patchlab_agent.models.effect import EffectReport
from patchlab_agent.models.patch import Patch, Status
from patchlab_agent.runs.runner import Runner
from patchlab_agent.settings import RunSettings
from patchlab_agent.studies.effects import LeaveOneOut

BAR = 0.1
RUNS = 400
"""Requests of one toy run."""


def teach(store: Path, wanted: int) -> int:
    """Run the toy until so many patches are active; returns the requests that it took."""
    settings = RunSettings(store=store, runs=RUNS, golden=0)
    requests = 0
    with open_lab(store=store) as lab:
        while lab.store.patches.active_count < wanted:
            requests += Runner(lab, settings).run().runs
    return requests


def measure(store: Path, patches: int, golden: int) -> tuple[EffectReport, float]:
    """The report on the first so many patches by trigger, and the seconds that it took."""
    with open_lab(store=store) as lab:
        active: list[Patch] = list(lab.store.patches.all(Status.ACTIVE))[:patches]
        started = time.perf_counter()
        report = LeaveOneOut(lab, active).report(golden, traces=0)
        return report, time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patches", type=int, default=100)
    parser.add_argument("--golden", type=int, default=40)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "store"
        requests = teach(store, options.patches)
        report, seconds = measure(store, options.patches, options.golden)
    share = report.calls / report.full_calls
    print(f"{len(report.patches)} active patches, learned from {requests:,} requests of the toy")
    print(
        f"{options.golden} golden cases: {report.calls} calls of {report.full_calls:,} that a full "
        f"re-run for each patch takes, {share:.1%}, bar {BAR:.0%}; {seconds:.1f} s"
    )
    raise SystemExit(share >= BAR)


if __name__ == "__main__":
    main()
