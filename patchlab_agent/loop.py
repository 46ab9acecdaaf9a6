"""Many requests: compare, learn from the failures, keep the traces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice, pairwise
from typing import TypeVar

from patchlab_agent.agent import Ask
from patchlab_agent.errors import BackendError
from patchlab_agent.evaluation import Evaluator
from patchlab_agent.learner import Learner
from patchlab_agent.models.base import Quote
from patchlab_agent.models.case import Case
from patchlab_agent.models.trace import OK, Feedback, Trace, trace_name
from patchlab_agent.skill import World
from patchlab_agent.store.traces import TraceStore

Item = TypeVar("Item")


_Window = list[tuple[int, Case]]


def windows(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Items by so many; the last window may be smaller."""
    rest = iter(items)
    while window := list(islice(rest, size)):
        yield window


def with_next(parts: Iterable[list[Item]]) -> Iterator[tuple[list[Item], list[Item]]]:
    """Each part with the one after it, the last with an empty one."""
    return pairwise(chain(parts, [[]]))


REMEMBERED = 4096
"""Requests that the referee of a run can judge again, the latest."""


class CarrierReferee:
    """The carrier of a run, asked again about requests that it has judged.

    Args:
        world: knows the truth and judges.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._cases: dict[str, Case] = {}

    def remember(self, case: Case) -> None:
        """Be ready to judge a request."""
        self._cases.pop(case.request, None)
        self._cases[case.request] = case
        if len(self._cases) > REMEMBERED:
            del self._cases[next(iter(self._cases))]

    def judge(self, request: str, quote: Quote | None) -> Feedback | None:
        """Judge an answer by the carrier's rules, or None where it was not asked before."""
        case = self._cases.get(request)
        return None if case is None else self._world.judge(case, quote)


class Loop:
    """Runs requests in windows; each window may retrieve what the ones before it taught.

    The requests of a window are answered beside each other, all from the state at its start; then
    their feedback is taken in their order. Windows of one make the strict sequence. What comes of
    a window does not depend on how long its answers take.

    Args:
        evaluator: answers and judges.
        learner: turns failures into patches.
        traces: keeps the records.
        referee: the carrier, for whoever asks it again.
        window: requests at a time.

    Attributes:
        stopped: what ended the loop early, or None.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        learner: Learner,
        traces: TraceStore,
        referee: CarrierReferee,
        *,
        window: int = 1,
    ) -> None:
        self._evaluator = evaluator
        self._learner = learner
        self._traces = traces
        self._referee = referee
        self._window = window
        self.stopped: BackendError | None = None

    def run(self, cases: Iterable[Case], name: str) -> Iterator[Trace]:
        """Run each case and yield its trace.

        Traces are on disk once the iterator is exhausted or closed. A failure of the model's side
        ends the loop, not the program: what was learned before it is kept, and `stopped` says why.
        Requests that were answered and judged by then have their traces, too; nothing more is
        learned from them.
        """
        start = self._traces.next_index()
        try:
            for window, following in self._windows(cases):
                later = [case for _, case in following]
                self._evaluator.expect(later, self._asks(following, name, start))
                yield from self._run_window(window, name, start)
        except BackendError as error:
            self.stopped = error
        finally:
            self._traces.flush()

    def _windows(self, cases: Iterable[Case]) -> Iterator[tuple[_Window, _Window]]:
        parts = windows(enumerate(cases), self._window)
        # A strict sequence has no empty places to fill, and may make a case of the trace before it.
        return with_next(parts) if self._window > 1 else ((part, []) for part in parts)

    def _run_window(self, window: _Window, name: str, start: int) -> Iterator[Trace]:
        asks = self._asks(window, name, start)
        for _, case in window:
            self._referee.remember(case)
        compared = self._evaluator.compare_all([case for _, case in window], asks, run=name)
        traces = [found for found in compared if isinstance(found, Trace)]
        if len(window) > 1 and len(traces) == len(window):
            self._learner.prepare(traces, self._referee)
        failure: BackendError | None = None
        for found in compared:
            if isinstance(found, BackendError):
                failure = failure or found
                continue
            trace = found
            if failure is None:
                try:
                    trace = self._learned(found)
                except BackendError as error:
                    failure = error
            self._traces.add(trace)
            yield trace
        if failure is not None:
            raise failure

    @staticmethod
    def _asks(window: _Window, name: str, start: int) -> list[Ask]:
        return [
            Ask(
                case.request,
                draw=f"{name}:{number}",
                trace_id=trace_name(start + number),
                index=start + number,
            )
            for number, case in window
        ]

    def _learned(self, trace: Trace) -> Trace:
        events = self._learner.learn(trace, trace.feedback or OK, self._referee)
        return trace.model_copy(update={"events": events})
