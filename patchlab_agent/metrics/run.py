"""All figures of a run, summed up while it goes on, so that none of its outcomes is kept."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Protocol

from patchlab_agent.metrics.failures import Clusters
from patchlab_agent.metrics.outcomes import Outcome
from patchlab_agent.metrics.success import (
    RECENT,
    Arms,
    Curve,
    Drift,
    Highlights,
    PromptLengths,
    arm_rates,
)
from patchlab_agent.metrics.usage import ExampleUses, PatchUses, Proposals
from patchlab_agent.models.patch import Status
from patchlab_agent.models.report import ArmRates


class Sum(Protocol):
    """A figure that takes one outcome after the other."""

    def add(self, outcome: Outcome) -> None:
        """Take the next outcome."""
        ...


class RunFigures:
    """The figures of one run.

    Args:
        at_start: the status of each patch that was in the store before, by id.
        show: how many requests to name to which patches made a difference.
        drift: the first run under changed rules, from 1; None if none change.

    Attributes:
        runs: number of requests.
        is_graded: some answers were right in part.
    """

    def __init__(
        self, at_start: Mapping[str, Status], *, show: int = 0, drift: int | None = None
    ) -> None:
        self.runs = 0
        self.is_graded = False
        self.arms = Arms()
        self.curve = Curve(at_start)
        self.clusters = Clusters()
        self.uses = PatchUses()
        self.proposals = Proposals()
        self.examples = ExampleUses()
        self.highlights = Highlights(show)
        self.drift = None if drift is None else Drift(drift)
        self.prompts = PromptLengths()
        self._recent: deque[Outcome] = deque(maxlen=RECENT)
        self._sums: list[Sum] = [
            self.arms,
            self.curve,
            self.clusters,
            self.uses,
            self.proposals,
            self.examples,
            self.highlights,
            self.prompts,
            *([] if self.drift is None else [self.drift]),
        ]

    def add(self, outcome: Outcome) -> None:
        """Add the next request of the run."""
        self.runs += 1
        self.is_graded |= outcome.is_graded
        self._recent.append(outcome)
        for each in self._sums:
            each.add(outcome)

    def recent(self, *, is_graded: bool) -> ArmRates:
        """Return the rates of the last `RECENT` requests."""
        return arm_rates(self._recent, is_graded=is_graded)
