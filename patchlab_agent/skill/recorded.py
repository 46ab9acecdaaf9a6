"""A simulator that asks what a recorded run asked, whatever the skill would generate today."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from patchlab_agent.models.case import Case, CaseSets
from patchlab_agent.skill.optional import cases_of
from patchlab_agent.skill.skill import Skill


class RecordedSimulator:
    """A stand-in for a skill's simulator, with the cases of a recording in place of its own.

    A skill's tables and labeled cases can grow without changing what a recording was asked. It is
    the simulator that judges: all other members are its.

    Args:
        skill: whose simulator it stands for.
        recorded: the cases; the simulator's own take the place of an empty set.
    """

    def __init__(self, skill: Skill, recorded: CaseSets) -> None:
        self._simulator = skill.simulator
        self.recorded = recorded

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        # Optional members are found by `isinstance` and a protocol, as `DriftingSimulator` is.
        return self._simulator.__class__

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._simulator, name)

    def requests(self, rng: random.Random) -> Iterator[Case]:
        """Yield the recorded requests, then the simulator's from the same place on."""
        stream = self.recorded.stream
        yield from stream
        yield from islice(cases_of(self._simulator, rng), len(stream), None)

    def golden(self) -> Sequence[Case]:
        """Return the recorded golden cases."""
        return self.recorded.golden or self._simulator.golden()

    def regression(self) -> Sequence[Case]:
        """Return the recorded cases that the gate replays."""
        return self.recorded.regression or self._simulator.regression()


def with_cases(skill: Skill, recorded: CaseSets) -> Skill:
    """Return a skill that asks what a recording holds."""
    stand_in: Any = RecordedSimulator(skill, recorded)
    return replace(skill, simulator=stand_in)
