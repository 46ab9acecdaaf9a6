"""Runs settings to compare them, each in a lab of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from patchlab_agent.errors import UsageError
from patchlab_agent.lab.comparing import compared
from patchlab_agent.lab.opening import lab_of
from patchlab_agent.lab.preflight import check_settings
from patchlab_agent.lab.stores import store_contents
from patchlab_agent.models.comparison import ComparisonReport
from patchlab_agent.runs.runner import Runner
from patchlab_agent.settings import RunSettings
from patchlab_agent.studies.sweep import PlannedRun, axes_of, plan, run_all


def watch_nothing(planned: PlannedRun, number: int, total: int, runner: Runner) -> None:
    """Ignore the run: the default listener."""


def compare_settings(
    base: RunSettings,
    vary: Sequence[str],
    folder: str | Path,
    watch: Callable[[PlannedRun, int, int, Runner], None] = watch_nothing,
) -> ComparisonReport:
    """Run each of several settings on a fresh store, and compare what comes of them.

    Args:
        base: the settings that all share.
        vary: names and values as in `top-k=1,5`; several make the product.
        folder: gets a store for each.
        watch: is called before each run with its number, from 1, and their number.

    Raises:
        UsageError, InputError, StoreError, MissingExtra: a setting cannot be run.
        Interruption: no run has come to golden answers.

    Example:
        >>> base = RunSettings(noise=0, runs=10, golden=4)
        >>> report = compare_settings(base, ["top-k=0,5"], "sweep")
        >>> [side.label for side in report.sides]
        ['top-k=0', 'top-k=5']
    """
    if base.record is not None:
        raise UsageError("A cassette is of a single run; leave record out.")
    runs = plan(base, vary, Path(folder), check_settings)
    for planned in runs:
        if store_contents(planned.settings.store) is not None:
            raise UsageError(
                f"{folder} holds stores of an earlier comparison; name an empty folder."
            )

    def listen(planned: PlannedRun, runner: Runner) -> None:
        watch(planned, runs.index(planned) + 1, len(runs), runner)

    entrants, failures = run_all(runs, lab_of, listen)
    return compared(entrants, failures, axes_of(runs))
