"""Many requests: compare, learn from the failures, keep the traces."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from itertools import chain, islice, pairwise
from typing import Any, TypeVar

from patchlab_agent.agent.agent import Ask
from patchlab_agent.errors import Interruption, StoreError
from patchlab_agent.learning.learner import Learner
from patchlab_agent.models.base import Output
from patchlab_agent.models.case import Case
from patchlab_agent.models.trace import OK, Feedback, Trace, trace_name
from patchlab_agent.runs.evaluation import Evaluator
from patchlab_agent.runs.passing import Passing
from patchlab_agent.skill.seam import Simulator
from patchlab_agent.skill.skill import Falsify
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


MORE = 4
"""Windows that are answered at most while another process learns, before they are learned from."""
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


def _nothing() -> None:
    """Do nothing, as before most runs."""


class Loop:
    """Runs requests in windows; each window may retrieve what the ones before it taught.

    The requests of a window are answered concurrently, all from the state at its start; then their
    feedback is taken in their order. Windows of one make the strict sequence. What comes of a
    window does not depend on how long its answers take.

    Args:
        evaluator: answers and judges.
        learner: turns failures into patches.
        traces: keeps the records.
        referee: the judge, for whoever asks it again.
        window: requests at a time.
        before: what is to happen before the window that holds a run, by its number from 1.
        progress: makes each window a unit of work, and knows which ones were done before; None:
            nothing can be resumed.

    Attributes:
        stopped: what ended the loop early, or None.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        learner: Learner,
        traces: TraceStore,
        referee: SimulatedReferee,
        *,
        window: int = 1,
        before: Mapping[int, Callable[[], None]] | None = None,
        progress: Passing | None = None,
    ) -> None:
        self._evaluator = evaluator
        self._learner = learner
        self._traces = traces
        self._referee = referee
        self._window = window
        self._before = before or {}
        self._progress = progress
        self._rest: Iterator[tuple[_Window, _Window]] = iter(())
        self.stopped: Interruption | StoreError | None = None

    def run(self, cases: Iterable[Case], name: str, requests: int = 1) -> Iterator[Trace]:
        """Run each case and yield its trace.

        Args:
            cases: the requests.
            name: of the run.
            requests: how many there are at most, for which indices of traces are taken.

        Traces are on disk once the iterator is exhausted or closed. A failure of the model's side,
        of the skill or of the store ends the loop, not the program: what was learned before it is
        kept, and `stopped` says why. Requests that were answered and judged by then have their
        traces, too; nothing more is learned from them. Where it is the stream itself that fails,
        every request that came before is run. Where the store takes no more, the last traces wait
        for its `rescue`.

        Of a resumed run the traces of what was done before are yielded as they are stored.
        """
        done = self._progress.done if self._progress else 0
        start = self._traces.take(requests) - done
        if self._progress:
            self._progress.number_from(start)
        try:
            self._rest = self._windows(self._until_failure(cases))
            for window, following in self._rest:
                self._announce(window)
                known = [number for number, _ in window if number < done]
                if self._progress and known:
                    yield from self._progress.traces(known)
                due = window[len(known) :]
                if due:
                    later = [case for _, case in following]
                    self._evaluator.expect(later, self._asks(following, name, start))
                    yield from self._run_window(due, name, start)
        except (Interruption, StoreError) as error:
            self.stopped = error
        finally:
            self._flush()

    def _flush(self) -> None:
        try:
            self._traces.flush()
        except StoreError as error:
            self.stopped = error

    def _until_failure(self, cases: Iterable[Case]) -> Iterator[Case]:
        try:
            yield from cases
        except Interruption as error:
            self.stopped = error

    def _windows(self, cases: Iterable[Case]) -> Iterator[tuple[_Window, _Window]]:
        parts = windows(enumerate(cases), self._window)
        # A strict sequence has no empty places to fill, and may make a case of the trace before it.
        return with_next(parts) if self._window > 1 else ((part, []) for part in parts)

    def _run_window(self, window: _Window, name: str, start: int) -> Iterator[Trace]:
        """Take a window of requests through every step of the loop, as one unit of work."""
        traces: list[Trace] = []
        failure: Interruption | StoreError | None = None
        try:
            with self._progress.unit() if self._progress else nullcontext():
                failure = self._worked(window, name, start, traces)
                if self._progress and failure is None:
                    self._progress.passed(len(window))
        except StoreError as error:
            # The answers were paid for, and their traces wait for the store's `rescue`.
            failure = error
        yield from traces
        if failure is not None:
            raise failure

    def _worked(
        self, window: _Window, name: str, start: int, traces: list[Trace]
    ) -> Interruption | StoreError | None:
        """Add the traces of a window as they come, and return what ended it early."""
        judged: list[Trace | Interruption] = []
        ended: Interruption | StoreError | None = None
        try:
            for cases, asks in self._while_others_learn(window, name, start):
                # retrieve → apply
                contexts = self._evaluator.retrieve(cases, asks)
                # render → complete → validate
                answers = self._evaluator.answer(asks, contexts)
                # judge
                judged += self._evaluator.judge(cases, asks, contexts, answers, run=name)
        except (Interruption, StoreError) as error:
            ended = error
        if not judged:
            return ended
        try:
            # propose → gate
            if self._progress:
                self._progress.turn()
            refused: StoreError | None = None
            for trace in self._learned(self._heard(judged)):
                # store
                try:
                    self._traces.add(trace)
                except StoreError as error:
                    # The others of the window were paid for as well.
                    refused = error
                traces.append(trace)
        except (Interruption, StoreError) as error:
            return ended or error
        return ended or refused

    def _while_others_learn(
        self, window: _Window, name: str, start: int
    ) -> Iterator[tuple[list[Case], list[Ask]]]:
        """Yield the cases of a window, and of those after it for which there is time.

        While another process learns, this one could not, so it goes on answering.
        """
        for extra in range(MORE + 1):
            yield [case for _, case in window], self._asks(window, name, start)
            if extra == MORE or not (self._progress and self._progress.is_busy()):
                return
            window, _ = next(self._rest, ([], []))
            if not window:
                return
            self._announce(window)

    def _announce(self, window: _Window) -> None:
        """Do what is due before these requests, and let the referee know them."""
        for number, case in window:
            self._before.get(number + 1, _nothing)()
            self._referee.remember(case)

    def _learned(self, judged: Sequence[Trace | Interruption]) -> Iterator[Trace]:
        """Yield judged traces with what was learned from each, up to the first failure.

        The traces after a failure are yielded as they are, so that no answer is lost.

        Raises:
            Interruption, StoreError: the first failure, once all traces are out.
        """
        failure: Interruption | StoreError | None = self._prepare(judged)
        for found in judged:
            if isinstance(found, Interruption):
                failure = failure or found
                continue
            trace = found
            if failure is None:
                try:
                    trace = self._learned_from(found)
                except (Interruption, StoreError) as error:
                    failure = error
            yield trace
        if failure is not None:
            raise failure

    def _prepare(self, compared: Sequence[Trace | Interruption]) -> Interruption | None:
        """Ask ahead what learning from a whole window will need; return what fails at that."""
        traces = [found for found in compared if isinstance(found, Trace)]
        if len(compared) == 1 or len(traces) < len(compared):
            return None
        try:
            self._learner.prepare(traces, self._referee)
        except Interruption as error:
            return error
        return None

    def _heard(self, judged: Sequence[Trace | Interruption]) -> list[Trace | Interruption]:
        """Return the traces with what the judge says of them, which may be false."""
        heard: list[Trace | Interruption] = []
        for found in judged:
            try:
                heard.append(self._referee.heard(found) if isinstance(found, Trace) else found)
            except Interruption as error:
                heard.append(error)
        return heard

    @staticmethod
    def _asks(window: _Window, name: str, start: int) -> list[Ask]:
        return [
            Ask(
                case.request,
                draw=f"{name}:{number}",
                trace_id=trace_name(start + number),
                index=start + number,
                is_use=True,
            )
            for number, case in window
        ]

    def _learned_from(self, trace: Trace) -> Trace:
        learned = self._learner.learn(trace, trace.feedback or OK, self._referee)
        return trace.model_copy(update={"events": learned.events, "corrected": learned.corrected})
