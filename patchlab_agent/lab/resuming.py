"""Whether the latest run of a store can be gone on with, and by what settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from typing import Any

from patchlab_agent.errors import UsageError
from patchlab_agent.models.address import Location
from patchlab_agent.models.case import Case
from patchlab_agent.models.progress import StartedRun
from patchlab_agent.runs.runner import kept_settings, requests_digest
from patchlab_agent.settings import SPENDING, RunSettings, checked
from patchlab_agent.store.places import place_of
from patchlab_agent.store.running import read_started

_MAY_CHANGE = frozenset({"store", "requests", "timeout", "record_note", *SPENDING})
"""Settings that change no answer. Of requests it is their content that has to be the same."""


def started_run(store: Location) -> StartedRun | None:
    """Return what the latest run of a store began with; None if there was none.

    Raises:
        StoreError: it cannot be read.
    """
    with closing(place_of(store)) as place:
        return read_started(place)


def as_started(started: StartedRun, settings: RunSettings, given: Iterable[str]) -> RunSettings:
    """Return the settings of a run to go on with.

    Args:
        started: what it began with.
        settings: those in effect now.
        given: names of the settings that somebody chose; the others are as they were.

    Raises:
        UsageError: one that was chosen is not what it was.
    """
    now: Mapping[str, Any] = kept_settings(settings)
    chosen = {"store", *given}
    for name in sorted(chosen - _MAY_CHANGE):
        if now[name] != started.settings.get(name):
            raise UsageError(
                f"{started.run} was started with {_told(name, started.settings.get(name))}, not "
                f"with {_told(name, now[name])}; leave that out, or start a new run without "
                "--resume."
            )
    kept = {name: getattr(settings, name) for name in chosen}
    return checked(RunSettings, {**started.settings, **kept})


def check_requests(started: StartedRun, cases: Sequence[Case] | None) -> None:
    """Make sure that a run goes on with the requests that it began with.

    Raises:
        UsageError: they are others.
    """
    if requests_digest(cases) != started.requests:
        raise UsageError(
            f"{started.run} was started on other requests; give the same ones, or start a new run "
            "without --resume."
        )


def _told(name: str, value: object) -> str:
    return f"--{name.replace('_', '-')} {value}" if value is not None else f"no --{name}"
