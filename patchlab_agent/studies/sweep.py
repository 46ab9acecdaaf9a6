"""A sweep over settings: one run after another, each on a fresh store."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from patchlab_agent.errors import BackendError, Interruption, SkillError, StoreError
from patchlab_agent.models.case import Case
from patchlab_agent.models.comparison import Failure
from patchlab_agent.models.report import Stop
from patchlab_agent.runs.parts import Parts
from patchlab_agent.runs.runner import Runner
from patchlab_agent.runs.summary import stop_of
from patchlab_agent.settings import RunSettings
from patchlab_agent.studies.comparison import Entrant
from patchlab_agent.studies.variation import variations

MAX_NAME = 60
"""Maximum number of characters of a label in its store's name."""
NOT_TRIED = "Not tried after the outage before it."


@dataclass(frozen=True)
class PlannedRun:
    """A run that can start.

    Attributes:
        label: the varied values in words.
        varied: the value of each varied name, as given.
        settings: settings of the run; its store is a folder that does not exist yet.
        cases: the user's labeled requests; None uses generated ones.
    """

    label: str
    varied: Mapping[str, str]
    settings: RunSettings
    cases: Sequence[Case] | None


Check: TypeAlias = Callable[[RunSettings], list[Case] | None]
"""A function that raises if a run cannot start, and else returns the user's labeled requests."""
Open: TypeAlias = Callable[[RunSettings], AbstractContextManager[Parts]]
"""A function that assembles the parts that settings describe."""


def plan(base: RunSettings, vary: Sequence[str], folder: Path, check: Check) -> list[PlannedRun]:
    """Plan the runs that `--vary` asks for, each checked as far as possible without running it.

    Args:
        base: the settings that all runs share.
        vary: what to vary, as in `variations`.
        folder: receives a store for each run.
        check: finds out whether a run can start.

    Raises:
        UsageError, InputError, StoreError, MissingExtra: the first problem found.
    """
    runs = []
    for number, each in enumerate(variations(base, vary), start=1):
        name = re.sub(r"[^\w.=-]+", "_", each.label)[:MAX_NAME]
        store = folder / f"{number:02d}-{name}"
        placed = each.settings.model_copy(update={"store": store})
        runs.append(PlannedRun(each.label, each.varied, placed, check(placed)))
    return runs


def axes_of(runs: Sequence[PlannedRun]) -> dict[str, tuple[str, ...]]:
    """Return each varied name with its values, in the order in which they were given.

    Args:
        runs: at least one, all of one plan.
    """
    return {
        name: tuple(dict.fromkeys(planned.varied[name] for planned in runs))
        for name in runs[0].varied
    }


def run_all(
    runs: Sequence[PlannedRun], open_parts: Open, watch: Callable[[PlannedRun, Runner], None]
) -> tuple[list[Entrant], list[Failure]]:
    """Run one after another; a failure does not keep the others from running, but an outage does.

    Args:
        runs: the planned runs.
        open_parts: opens a store and model for one run.
        watch: called before each run, to listen to it.

    Raises:
        Interruption: the first failure, if no run got as far as golden answers.
        StoreError: a store cannot be written, which the next one could not either.
    """
    entrants: list[Entrant] = []
    failures: list[Failure] = []
    first: Interruption | None = None
    for planned in runs:
        if failures and failures[-1].stop.kind == "outage":
            stop = Stop(kind="outage", reason=NOT_TRIED)
            failures.append(_failure(planned, stop))
            continue
        try:
            entrant = _run(planned, open_parts, watch)
        except Interruption as error:
            first = first or error
            failures.append(_failure(planned, stop_of(error)))
            continue
        if entrant.report.stopped is None:
            entrants.append(entrant)
        else:
            failures.append(_failure(planned, entrant.report.stopped))
    if not entrants:
        raise first or _raised(failures[0].stop)
    return entrants, failures


def _failure(planned: PlannedRun, stop: Stop) -> Failure:
    return Failure(label=planned.label, varied=dict(planned.varied), stop=stop)


def _raised(stop: Stop) -> Interruption:
    """Return the error that a report tells of."""
    return SkillError(stop.reason) if stop.kind == "skill" else BackendError(stop.reason)


def _run(
    planned: PlannedRun, open_parts: Open, watch: Callable[[PlannedRun, Runner], None]
) -> Entrant:
    with open_parts(planned.settings) as lab:
        runner = Runner(lab, planned.settings, planned.cases)
        watch(planned, runner)
        report = runner.run()
        if report.stopped is not None and report.stopped.kind == "store":
            raise StoreError(report.stopped.reason)
        patches = {patch.id: patch for patch in lab.store.patches.all()}
        return Entrant(planned.label, report, patches, planned.varied)
