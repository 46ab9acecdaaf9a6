"""Runs that are killed and gone on with, and what they leave."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from patchlab_agent.lab.lab import Lab
from patchlab_agent.models.base import JsonObject
from patchlab_agent.models.case import Case
from patchlab_agent.runs.runner import Runner
from patchlab_agent.settings import RunSettings


class Killed(BaseException):
    """What a process does not live to see."""


def outcome(
    lab: Lab, cases: Sequence[Case], *, resume: bool = False, **settings: Any
) -> JsonObject:
    """Run the cases, or go on with them; what came of it."""
    wanted = RunSettings.model_validate({"examples": 2, **settings})
    started = lab.store.started() if resume else None
    report = Runner(lab, wanted, cases=cases, resumed=started).run(show=3)
    return report.model_dump(mode="json", exclude={"timing", "store"})


def records(lab: Lab) -> list[Any]:
    """All that a store's collections hold."""
    return [
        list(lab.store.patches.all()),
        lab.store.examples.all(),
        list(lab.store.traces.newest(100)),
    ]
