"""Many requests: compare, learn from the failures, keep the traces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from patchlab_agent.backends.meter import MeteredBackend
from patchlab_agent.errors import BackendError, BackendUnavailable
from patchlab_agent.evaluation import Evaluator
from patchlab_agent.learner import Learner
from patchlab_agent.models.case import Case
from patchlab_agent.models.trace import OK, Trace, trace_name
from patchlab_agent.store.traces import TraceStore


class Loop:
    """Runs requests one after the other; each may retrieve what the ones before it taught.

    Args:
        evaluator: answers and judges.
        learner: turns failures into patches.
        traces: keeps the records.
        meter: books the gate's calls.

    Attributes:
        outage: why the loop ended early, or None.
    """

    def __init__(
        self, evaluator: Evaluator, learner: Learner, traces: TraceStore, meter: MeteredBackend
    ) -> None:
        self._evaluator = evaluator
        self._learner = learner
        self._traces = traces
        self._meter = meter
        self.outage: str | None = None

    def run(self, cases: Iterable[Case], name: str) -> Iterator[Trace]:
        """Run each case and yield its trace.

        Traces are on disk once the iterator is exhausted or closed. An outage ends the loop, not
        the program: what was learned before it is kept, and `outage` says why.
        """
        start = self._traces.count()
        try:
            for number, case in enumerate(cases):
                yield self._step(case, name, start, number)
        except BackendUnavailable as error:
            self.outage = str(error)
        finally:
            self._traces.flush()

    def _step(self, case: Case, name: str, start: int, number: int) -> Trace:
        index = start + number
        trace = self._evaluator.compare(
            case, draw=f"{name}:{number}", trace_id=trace_name(index), run=name, index=index
        )
        try:
            with self._meter.purpose("gate"):
                events = self._learner.learn(trace, trace.feedback or OK)
        except BackendError:
            self._traces.add(trace)
            raise
        trace = trace.model_copy(update={"events": events})
        self._traces.add(trace)
        return trace
