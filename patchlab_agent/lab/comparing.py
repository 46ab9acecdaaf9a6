"""Compares runs that stores or files keep."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

from patchlab_agent.errors import InputError, StoreError, UsageError, in_short
from patchlab_agent.lab.stores import raw_store
from patchlab_agent.models.address import Location
from patchlab_agent.models.comparison import ComparisonReport, Failure
from patchlab_agent.models.report import RunReport
from patchlab_agent.models.trace import LAST, named_run
from patchlab_agent.skill.optional import rules_needed
from patchlab_agent.skill.skill import load_skill
from patchlab_agent.store.reports import read_report
from patchlab_agent.store.store import Store
from patchlab_agent.studies.comparison import Entrant, Rules, compare_runs


def compare_stored(
    names: Sequence[str], path: Location, store: Store | None = None
) -> ComparisonReport:
    """Compare runs that are over, pair by pair on the golden cases that all of them have.

    Args:
        names: of runs in the store, or their numbers, or paths of reports of `run --json`; two or
            more. The others are compared with the first.
        path: of the store that holds the named runs; opened only where one is named.
        store: the same, where it is open already.

    Raises:
        UsageError: there are fewer than two.
        InputError: there is no such run or file, or the runs have no golden case in common.
        StoreError: the store, or what it kept of a run, cannot be read.
    """
    if len(names) < 2:
        raise UsageError("Name two runs or more to compare.")
    return compared([_stored_run(name, path, store) for name in names])


def compared(
    entrants: Sequence[Entrant],
    failures: Sequence[Failure] = (),
    axes: Mapping[str, Sequence[str]] | None = None,
) -> ComparisonReport:
    """Hold entrants against the first one, and against the rules of their skills."""
    skills = {
        str(each.report.settings["skill"])
        for each in entrants
        if each.patches is not None and _knows_rules(each.report)
    }
    return compare_runs(entrants, _rules_of(sorted(skills)), failures, axes)


def _knows_rules(report: RunReport) -> bool:
    return report.golden is not None and all(case.has_ceiling for case in report.golden.cases)


def _rules_of(skills: Iterable[str]) -> Rules:
    """Return the rules in every prompt of these skills, and those that each golden case needs.

    Raises:
        SkillError: one is not installed.
    """
    loaded = [load_skill(skill) for skill in skills]
    return Rules(
        known=tuple(rule for skill in loaded for rule in skill.task.known_rules),
        needed={
            case.request: rules_needed(skill.simulator, case)
            for skill in loaded
            for case in skill.simulator.golden()
        },
    )


def _stored_run(name: str, folder: Location, store: Store | None) -> Entrant:
    """Return a run by its name or number in a store, or by the path of a `run --json` report.

    Raises:
        InputError: there is no such run or file, or it is no report.
        StoreError: the store, or what it kept of the run, cannot be read.
    """
    path, run = Path(name), named_run(name)
    # A number is a run's, whatever files there are; too long a name is no file's.
    if run == name and os.path.isfile(path):  # noqa: PTH113 - Path's own raises on such a name
        return Entrant(name, _from_file(path))
    if path.suffix == ".json" or len(path.parts) != 1:
        raise InputError(
            f"There is no file {in_short(name)}; give a report as `run --json` prints it."
        )
    with nullcontext(store) if store is not None else raw_store(folder) as opened:
        if run == LAST:
            run = next(reversed(opened.runs()), LAST)
        if run not in opened.runs():
            known = ", ".join(opened.runs()) or "none"
            raise InputError(f"{folder} has no run {in_short(name)}; there are: {known}.")
        return Entrant(run, opened.report(run), {p.id: p for p in opened.patches.all()})


def _from_file(path: Path) -> RunReport:
    try:
        return read_report(path)
    except StoreError as error:
        # Any file may be named here, not only what a store keeps.
        raise InputError(str(error)) from error
