"""Runs to be compared: made now, each on a fresh store, or read back from where they are kept."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from patchlab_agent.comparison import Entrant, Rules
from patchlab_agent.errors import BackendError, InputError, StoreError
from patchlab_agent.models.case import Case
from patchlab_agent.models.comparison import Failure
from patchlab_agent.models.report import RunReport, Stop
from patchlab_agent.models.trace import named_run
from patchlab_agent.runner import Runner, stop_of
from patchlab_agent.settings import RunSettings
from patchlab_agent.skill import load_skill
from patchlab_agent.store.reports import read_report
from patchlab_agent.variation import variations
from patchlab_agent.wiring import check_settings, lab_of, open_store

MAX_NAME = 60
"""Characters of a label that go into its store's name."""
NOT_TRIED = "Not tried after the outage before it."


@dataclass(frozen=True)
class Trial:
    """A run that can start.

    Attributes:
        label: what was varied.
        varied: the same, by name: the value of each, as given.
        settings: its own; the store is a folder that is not there yet.
        cases: the user's labeled requests; None takes generated ones.
    """

    label: str
    varied: Mapping[str, str]
    settings: RunSettings
    cases: Sequence[Case] | None


def plan(base: RunSettings, vary: Sequence[str], folder: Path) -> list[Trial]:
    """The trials that `--vary` asks for, each checked as far as can be without running it.

    Args:
        base: the settings that all share.
        vary: as `variations` takes them.
        folder: gets a store for each.

    Raises:
        UsageError, InputError, StoreError, MissingExtra: whatever is wrong first.
    """
    trials = []
    for number, each in enumerate(variations(base, vary), start=1):
        name = re.sub(r"[^\w.=-]+", "_", each.label)[:MAX_NAME]
        store = folder / f"{number:02d}-{name}"
        placed = each.settings.model_copy(update={"store": store})
        trials.append(Trial(each.label, each.varied, placed, check_settings(placed)))
    return trials


def axes_of(trials: Sequence[Trial]) -> dict[str, tuple[str, ...]]:
    """Return what was varied: each name with its values, in the order in which they were given.

    Args:
        trials: at least one, all of one plan.
    """
    return {
        name: tuple(dict.fromkeys(trial.varied[name] for trial in trials))
        for name in trials[0].varied
    }


def run_trials(
    trials: Sequence[Trial], watch: Callable[[Trial, Runner], None]
) -> tuple[list[Entrant], list[Failure]]:
    """Run one after the other; what fails keeps no other from running, unless it is an outage.

    Args:
        trials: as `plan` made them.
        watch: is called before each run, to listen to it.

    Raises:
        BackendError: the first failure, where no trial has come to golden answers.
    """
    entrants: list[Entrant] = []
    failures: list[Failure] = []
    first: BackendError | None = None
    for trial in trials:
        if failures and failures[-1].stop.kind == "outage":
            stop = Stop(kind="outage", reason=NOT_TRIED)
            failures.append(_failure(trial, stop))
            continue
        try:
            entrant = _run(trial, watch)
        except BackendError as error:
            first = first or error
            failures.append(_failure(trial, stop_of(error)))
            continue
        if entrant.report.stopped is None:
            entrants.append(entrant)
        else:
            failures.append(_failure(trial, entrant.report.stopped))
    if not entrants:
        raise first or BackendError(failures[0].stop.reason)
    return entrants, failures


def _failure(trial: Trial, stop: Stop) -> Failure:
    return Failure(label=trial.label, varied=dict(trial.varied), stop=stop)


def _run(trial: Trial, watch: Callable[[Trial, Runner], None]) -> Entrant:
    with lab_of(trial.settings) as lab:
        runner = Runner(lab, trial.settings, trial.cases)
        watch(trial, runner)
        report = runner.run()
        patches = {patch.id: patch for patch in lab.store.patches.all()}
        return Entrant(trial.label, report, patches, trial.varied)


def rules_of(skills: Iterable[str]) -> Rules:
    """What the prompts of skills say from the start, and what each golden case needs beside it.

    Raises:
        SkillError: one is not installed.
    """
    loaded = [load_skill(skill) for skill in skills]
    return Rules(
        known=tuple(rule for skill in loaded for rule in skill.task.known_rules),
        needed={
            case.request: skill.world.untaught(case)
            for skill in loaded
            for case in skill.world.golden()
        },
    )


def stored_run(name: str, store: Path) -> Entrant:
    """A run by its name or number in a store, or by the path of a report of `run --json`.

    Raises:
        InputError: there is no such run or file, or it is no report.
        StoreError: the store, or what it kept of the run, cannot be read.
    """
    path, run = Path(name), named_run(name)
    # A number is a run's, whatever files there are; too long a name is no file's.
    if run == name and os.path.isfile(path):  # noqa: PTH113 - Path's own raises on such a name
        return Entrant(name, _from_file(path))
    if path.suffix == ".json" or len(path.parts) != 1:
        raise InputError(f"There is no file {name!r}; give a report as `run --json` prints it.")
    with open_store(store) as opened:
        if run not in opened.runs():
            known = ", ".join(opened.runs()) or "none"
            raise InputError(f"{store} has no run {name!r}; there are: {known}.")
        return Entrant(run, opened.report(run), {p.id: p for p in opened.patches.all()})


def _from_file(path: Path) -> RunReport:
    try:
        return read_report(path)
    except StoreError as error:
        # Any file may be named here, not only what a store keeps.
        raise InputError(str(error)) from error
