"""Integrity checks of what a store keeps beside its database: prompts and the files of runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from patchlab_agent.errors import StoreError
from patchlab_agent.models.base import JsonObject, digest
from patchlab_agent.models.patch import Fix
from patchlab_agent.models.trace import run_name
from patchlab_agent.store.golden import SUFFIX as GOLDEN
from patchlab_agent.store.golden import read_golden
from patchlab_agent.store.layout import MARKER, StoreInfo, kept_runs
from patchlab_agent.store.reports import OtherVersion, read_report
from patchlab_agent.store.snapshots import SUFFIX, read_header, read_snapshot


def kept_problems(
    path: Path, info: StoreInfo, parse_fix: Callable[[JsonObject], Fix]
) -> Iterator[str]:
    """Yield a phrase for each kept file that is damaged, or that the marker does not know of.

    Args:
        path: the store's folder.
        info: its marker.
        parse_fix: the skill's function to read fixes back.
    """
    counted = {run_name(number) for number in range(1, info.runs + 1)}
    for run in kept_runs(path, ".json"):
        report = path / "runs" / f"{run}.json"
        yield from _problem(partial(read_report, report))
        if run not in counted:
            yield f"{report} is of a run that {MARKER} does not count"
    for run in kept_runs(path, SUFFIX):
        snapshot = path / "runs" / f"{run}{SUFFIX}"
        yield from _problem(partial(read_snapshot, snapshot, parse_fix))
    for run in kept_runs(path, GOLDEN):
        yield from _problem(partial(read_golden, path / "runs" / f"{run}{GOLDEN}"))
    for prompt in sorted((path / "prompts").glob("*.txt")):
        if not _is_itself(prompt):
            yield f"{prompt} is damaged"


def patches_left(path: Path) -> int:
    """Return the number of patches at the end of the last run; no command deletes any."""
    runs = kept_runs(path, SUFFIX)
    try:
        return read_header(path / "runs" / f"{runs[-1]}{SUFFIX}").patches if runs else 0
    except StoreError:
        return 0  # a problem of its own


def _problem(read: Callable[[], object]) -> Iterator[str]:
    try:
        read()
    except OtherVersion:
        return
    except StoreError as error:
        found, _, _ = str(error).rpartition("; ")
        yield found


def _is_itself(prompt: Path) -> bool:
    try:
        return digest(prompt.read_text("utf-8")) == prompt.stem
    except (OSError, ValueError):
        return False
