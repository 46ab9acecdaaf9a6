"""Integrity checks of what a store keeps beside its database: prompts and the files of runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from patchlab_agent.errors import StoreError
from patchlab_agent.models.base import JsonObject, digest
from patchlab_agent.models.patch import Fix
from patchlab_agent.models.trace import run_name
from patchlab_agent.store.golden import SUFFIX as GOLDEN
from patchlab_agent.store.golden import read_golden
from patchlab_agent.store.info import MARKER, StoreInfo
from patchlab_agent.store.place import File, Place
from patchlab_agent.store.reports import OtherVersion, read_report
from patchlab_agent.store.snapshots import SUFFIX, read_header, read_snapshot


def kept_problems(
    place: Place, info: StoreInfo, parse_fix: Callable[[JsonObject], Fix]
) -> Iterator[str]:
    """Yield a phrase for each kept file that is damaged, or that the marker does not know of.

    Args:
        place: where the store is.
        info: its marker.
        parse_fix: the skill's function to read fixes back.
    """
    counted = {run_name(number) for number in range(1, info.runs + 1)}
    for run in kept_runs(place, ".json"):
        report = place.file(f"runs/{run}.json")
        yield from _problem(partial(read_report, report))
        if run not in counted:
            yield f"{report} is of a run that {MARKER} does not count"
    for run in kept_runs(place, SUFFIX):
        snapshot = place.file(f"runs/{run}{SUFFIX}")
        yield from _problem(partial(read_snapshot, snapshot, parse_fix))
    for run in kept_runs(place, GOLDEN):
        yield from _problem(partial(read_golden, place.file(f"runs/{run}{GOLDEN}")))
    for name in sorted(place.names("prompts")):
        prompt = place.file(f"prompts/{name}")
        if name.endswith(".txt") and not _is_itself(prompt):
            yield f"{prompt} is damaged"


def kept_runs(place: Place, suffix: str) -> tuple[str, ...]:
    """Return the names of the runs of which a store keeps a file with this suffix, in order."""
    names = (name for name in place.names("runs") if name.startswith("run-"))
    found = (name.removesuffix(suffix) for name in names if name.endswith(suffix))
    return tuple(sorted(found, key=lambda name: (len(name), name)))


def patches_left(place: Place) -> int:
    """Return the number of patches at the end of the last run; no command deletes any."""
    runs = kept_runs(place, SUFFIX)
    try:
        return read_header(place, f"runs/{runs[-1]}{SUFFIX}").patches if runs else 0
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


def _is_itself(prompt: File) -> bool:
    try:
        return f"{digest(prompt.read_bytes().decode())}.txt" == prompt.name
    except (OSError, ValueError):
        return False
