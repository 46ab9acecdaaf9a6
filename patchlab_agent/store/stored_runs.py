"""The files of a store: prompts, and what its runs leave."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from patchlab_agent.models.base import JsonObject, digest
from patchlab_agent.models.golden import GoldenAnswer
from patchlab_agent.models.patch import Fix
from patchlab_agent.models.progress import StartedRun
from patchlab_agent.models.report import RunReport
from patchlab_agent.store.golden import SUFFIX as GOLDEN
from patchlab_agent.store.golden import golden_lines, read_golden
from patchlab_agent.store.kept import kept_runs
from patchlab_agent.store.place import Place
from patchlab_agent.store.reports import read_report
from patchlab_agent.store.running import RunLog, delete_logs, read_started, write_started
from patchlab_agent.store.snapshots import (
    SUFFIX,
    Snapshot,
    SnapshotHeader,
    read_header,
    read_snapshot,
)


class StoredRuns:
    """The files of a store.

    Args:
        place: where they are.
        parse_fix: the skill's function to read fixes back.
    """

    def __init__(self, place: Place, parse_fix: Callable[[JsonObject], Fix]) -> None:
        self._place = place
        self._parse_fix = parse_fix

    def keep_prompt(self, system: str) -> str:
        """Store a prompt's stable part once, and return the digest by which traces refer to it."""
        name = digest(system)
        file = f"{name}.txt"
        if file not in self._place.names("prompts"):
            self._place.write(f"prompts/{file}", [system])
        return name

    def keep_report(self, run: str, report: str) -> None:
        """Store a run's report as `runs/<run>.json`."""
        self._place.write(f"runs/{run}.json", [report])

    def keep_started(self, started: StartedRun) -> None:
        """Keep what a run begins with."""
        write_started(self._place, started)

    def started(self) -> StartedRun | None:
        """Return what the latest run began with; None if there was none.

        Raises:
            StoreError: it cannot be read.
        """
        return read_started(self._place)

    def run_log(self, number: int) -> RunLog:
        """Return a log of the answers of the run in progress, by its number."""
        return RunLog(self._place, number)

    def delete_run_logs(self, *, but: RunLog | None = None) -> None:
        """Delete all logs of answers, but for one."""
        delete_logs(self._place, but=but)

    def runs(self) -> tuple[str, ...]:
        """Return the names of the runs with a stored report, in order."""
        return kept_runs(self._place, ".json")

    def report(self, run: str) -> RunReport:
        """Read the stored report of a run.

        Raises:
            StoreError: it is missing, cannot be read, or has another version.
        """
        return read_report(self._place.file(f"runs/{run}.json"))

    def keep_golden(self, run: str, answers: Iterable[GoldenAnswer]) -> None:
        """Store the answers to a run's golden cases as `runs/<run>.golden.jsonl`."""
        self._place.write(f"runs/{run}{GOLDEN}", golden_lines(answers), until_then="golden.new")

    def golden(self, run: str) -> tuple[GoldenAnswer, ...]:
        """Return the answers to a run's golden cases; none if it measured none.

        Raises:
            StoreError: they cannot be read, or are damaged.
        """
        return read_golden(self._place.file(f"runs/{run}{GOLDEN}"))

    def snapshots(self) -> tuple[str, ...]:
        """Return the names of the runs that left a snapshot, in order."""
        return kept_runs(self._place, SUFFIX)

    def snapshot_header(self, run: str) -> SnapshotHeader:
        """Read the header of a run's snapshot.

        Raises:
            StoreError: it is missing, cannot be read, or has another version.
        """
        return read_header(self._place, snapshot_file(run))

    def snapshot(self, run: str) -> Snapshot:
        """Read the snapshot of a run.

        Raises:
            StoreError: it is missing, cannot be read, or has another version.
        """
        return read_snapshot(self._place.file(snapshot_file(run)), self._parse_fix)


def snapshot_file(run: str) -> str:
    """Return the name of a run's snapshot."""
    return f"runs/{run}{SUFFIX}"
