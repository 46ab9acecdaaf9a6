"""The simulated judge of a run, which can be asked again about what it judged."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from patchlab_agent.models.base import Output
from patchlab_agent.models.case import Case
from patchlab_agent.models.trace import Feedback, Trace
from patchlab_agent.skill.seam import Falsify, Simulator

REMEMBERED = 4096
"""Requests that the referee of a run can judge again, the latest."""


def _unheard(entry: list[Any]) -> None:
    """Tell nobody what the judge was asked."""


class SimulatedReferee:
    """The judge of a run, asked again about requests that it has judged.

    Args:
        simulator: knows the truth and judges.
        falsify: says something plausible and false about an answer; None: the judge is always
            right.
        share: of its judgements that are false, 0 to 1.
        seed: of which ones are.

    Attributes:
        tell: is told of each time that a request is asked about, or forgotten; `restore` takes it
            back.
    """

    def __init__(
        self,
        simulator: Simulator,
        *,
        falsify: Falsify | None = None,
        share: float = 0.0,
        seed: int = 0,
    ) -> None:
        self._simulator = simulator
        self._falsify = falsify if share else None
        self._share = share
        self._seed = seed
        self._cases: dict[str, Case] = {}
        self._asked: Counter[str] = Counter()
        self.tell: Callable[[list[Any]], None] = _unheard

    def restore(self, entries: Iterable[list[Any]]) -> None:
        """Count what was asked before."""
        for kind, request in entries:
            if kind == "asked":
                self._asked[request] += 1
            else:
                del self._asked[request]

    def entries(self) -> Iterator[list[Any]]:
        """Yield what makes another referee count the same as this one."""
        for request, times in self._asked.items():
            yield from [["asked", request]] * times

    def remember(self, case: Case) -> None:
        """Be ready to judge a request."""
        self._cases.pop(case.request, None)
        self._cases[case.request] = case
        if len(self._cases) > REMEMBERED:
            forgotten = next(iter(self._cases))
            del self._cases[forgotten]
            if self._asked.pop(forgotten, 0):
                self.tell(["forgotten", forgotten])

    def judge(self, request: str, output: Output | None) -> Feedback | None:
        """Judge an answer by the simulation's rules, or None where it was not asked before."""
        case = self._cases.get(request)
        return None if case is None else self._told(case, output)

    def heard(self, trace: Trace) -> Trace:
        """Return a judged trace with what the judge says, which may be false."""
        return trace if self._falsify is None else self._rejudged(trace, self._told)

    def truly(self, trace: Trace) -> Trace:
        """Return a judged trace with what is true of its answers: for figures alone."""
        return trace if self._falsify is None else self._rejudged(trace, self._simulator.judge)

    def _rejudged(self, trace: Trace, judge: Callable[[Case, Output | None], Feedback]) -> Trace:
        case = self._cases[trace.request]
        baseline = trace.baseline and trace.baseline.model_copy(
            update={"feedback": judge(case, trace.baseline.attempt.output)}
        )
        return trace.model_copy(
            update={"feedback": judge(case, trace.output), "baseline": baseline}
        )

    def _told(self, case: Case, output: Output | None) -> Feedback:
        true = self._simulator.judge(case, output)
        if self._falsify is None:
            return true
        self._asked[case.request] += 1
        self.tell(["asked", case.request])
        # By request and how often it was asked, so that one run's lies do not depend on another's.
        rng = random.Random(f"{self._seed}:{case.request}:{self._asked[case.request]}")  # noqa: S311
        return self._falsify(case, output, true, rng) if rng.random() < self._share else true
