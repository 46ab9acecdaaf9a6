"""A store as people use it, without a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

from patchlab_agent.agent.agent import utc_now
from patchlab_agent.lab.comparing import compare_stored
from patchlab_agent.lab.describing import details_of
from patchlab_agent.lab.naming import find_run
from patchlab_agent.lab.patches import Patches
from patchlab_agent.lab.skills import skill_in
from patchlab_agent.lab.stores import contents_of, lifecycle_by_hand, raw_store, store_location
from patchlab_agent.lab.traces import Traces
from patchlab_agent.models.address import Location
from patchlab_agent.models.comparison import ComparisonReport
from patchlab_agent.models.listing import StoreContents
from patchlab_agent.models.report import RunReport
from patchlab_agent.report.html.comparison_page import comparison_page
from patchlab_agent.report.html.page import MAX_TRACES, page
from patchlab_agent.skill.skill import Skill
from patchlab_agent.store.store import Store
from patchlab_agent.tasks.definition import Task


class StoredLab:
    """The lessons, traces and reports of a store: found, listed, moved and exported.

    Args:
        skill: that the store is of.
        store: open, for writing where anything is to be moved.
        clock: the time as ISO 8601.

    Example:
        >>> with open_store(".patchlab") as store:
        ...     print(store.contents.active, store.patches.get("3696").trigger)
        1 bleach
    """

    def __init__(self, skill: Skill, store: Store, clock: Callable[[], str] = utc_now) -> None:
        self.skill = skill
        self.store = store
        self.clock = clock

    @property
    def patches(self) -> Patches:
        """The stored patches; raises `StoreError` once the store is closed."""
        self.store.require_open()
        lifecycle = lifecycle_by_hand(self.store, self.clock)
        longest = self.skill.max_request_chars
        return Patches(self.store, self.skill.labels, lifecycle, self.skill.task, longest)

    @property
    def traces(self) -> Traces:
        """The stored traces; raises `StoreError` once the store is closed."""
        self.store.require_open()
        return Traces(self.store, self.skill.labels, self.skill.max_request_chars)

    @property
    def labels(self) -> tuple[str, ...]:
        """Every error label of the skill."""
        return self.skill.labels.listed

    @property
    def details(self) -> Mapping[str, str]:
        """What the detail of a person's feedback takes, by label."""
        return details_of(self.skill.proposer)

    @property
    def contents(self) -> StoreContents:
        """The numbers of what the store holds."""
        self.store.require_open()
        return contents_of(self.store)

    @property
    def runs(self) -> tuple[str, ...]:
        """The names of the runs that have a report, the oldest first."""
        return self.store.runs()

    def report(self, run: str | int | None = None) -> RunReport:
        """Return the report of a run.

        Args:
            run: its name or number: `run-0003`, or `3`; None or `last`: the last one.

        Raises:
            InputError: there is no such report.
            StoreError: it cannot be read.

        Example:
            >>> made = lab.run(RunSettings(runs=5, golden=2))
            >>> lab.report() == lab.report(1) == lab.report("run-0001") == made
            True
        """
        return self.store.report(find_run(self.store, run))

    def compare(self, *runs: str | int) -> ComparisonReport:
        """Compare runs, pair by pair on the golden cases that all of them have.

        Args:
            runs: names or numbers of the store's runs, or paths of reports of `run --json`; two or
                more. The others are compared with the first.

        Raises:
            UsageError: there are fewer than two.
            InputError: there is no such run or file, or the runs have no golden case in common.
            StoreError: what the store kept of a run cannot be read.

        Example:
            >>> first = lab.run(RunSettings(runs=5, golden=2))
            >>> second = lab.run(RunSettings(runs=5, golden=2))
            >>> report = lab.compare(1, 2)
            >>> report.cases, [side.label for side in report.sides]
            (2, ['run-0001', 'run-0002'])
        """
        return compare_stored([str(run) for run in runs], self.store.path, self.store)

    def page(self, report: RunReport | ComparisonReport) -> str:
        """Return one HTML document with a comparison, or with a run's report.

        With a report come the store's patches, the run's traces and its golden answers.

        Example:
            >>> from pathlib import Path
            >>> report = lab.run(RunSettings(runs=5, golden=2))
            >>> Path("report.html").write_text(lab.page(report), "utf-8") > 10_000
            True
        """
        if isinstance(report, ComparisonReport):
            return comparison_page(report)
        patches = tuple(self.store.patches.all())
        traces = self.store.traces_of(report.run, MAX_TRACES)
        return page(report, patches, traces, self.store.golden(report.run))

    def close(self) -> None:
        """Write what is pending and let go of the store."""
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def open_store(
    path: str | Location,
    *,
    write: bool = False,
    task: Task | None = None,
    clock: Callable[[], str] = utc_now,
) -> StoredLab:
    """Open a store that is there, to look into it or to steer what it learned; no model is needed.

    Args:
        path: its folder, or its address on a Chroma server.
        write: False opens it for looking into, beside whoever writes to it.
        task: the store's, if it was made in Python; any other one the store remembers.
        clock: the time as ISO 8601.

    Raises:
        StoreError: there is none at the path, or it cannot be opened.
        SkillError: its skill is not installed.

    Example:
        >>> with open_store(".patchlab") as store:
        ...     [listed.patch.trigger for listed in store.patches.select(status=Status.ACTIVE)]
        ['bleach']
    """
    given = None if task is None else task.skill
    store = raw_store(store_location(path), write=write, given=given)
    return StoredLab(given or skill_in(store.info), store, clock)
