"""Where a run is: kept with every window, so that it goes on there however it was cut off.

A window is one unit of work of the store. What it changed counts together with where the run is
then: usage, the gate's estimate of noise, and how far the log of answers goes. The log itself runs
ahead of the windows, so what was asked of the model, and paid for, is not asked again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from pydantic import ValidationError

from patchlab_agent.backends.base import WrappedBackend
from patchlab_agent.backends.budget import BudgetedBackend
from patchlab_agent.backends.cache import CachedBackend
from patchlab_agent.backends.llm import LlmBackend
from patchlab_agent.backends.meter import Spent
from patchlab_agent.errors import StoreError
from patchlab_agent.gate.gate import Gate
from patchlab_agent.models.base import JsonObject
from patchlab_agent.models.model import Structure
from patchlab_agent.models.progress import RunState, StartedRun
from patchlab_agent.models.prompt import Completion
from patchlab_agent.models.trace import Trace, trace_name
from patchlab_agent.runs.parts import Parts
from patchlab_agent.store.store import Store

MOST_ENTRIES = 200_000
"""Entries of the log, some 40 MB, after which it is written anew without what is forgotten."""
AT_A_TIME = 100
"""Traces that are read at a time."""


class Counting(Protocol):
    """A judge whose next answer depends on how often it was asked."""

    tell: Callable[[list[Any]], None]

    def entries(self) -> Iterator[list[Any]]:
        """Yield what makes another one count the same."""
        ...

    def restore(self, entries: Iterable[list[Any]]) -> None:
        """Count what was asked before."""
        ...


class Progress:
    """The progress of a run.

    Args:
        lab: open for writing.
        started: what the run began with.
        referee: the simulated judge, which counts what it is asked.
    """

    def __init__(self, lab: Parts, started: StartedRun, referee: Counting) -> None:
        self.started = started
        self._lab = lab
        self._referee = referee
        self._log = lab.store.run_log(0)
        self._layers = list(_layers(lab.meter))
        self._state = RunState(run=started.run)
        self._full_calls_before = lab.gate.full_calls
        self._passed = False
        self._entries = 0
        self._is_log_new = False

    @property
    def done(self) -> int:
        """The number of requests that are done."""
        return self._state.done

    @property
    def full_calls(self) -> int:
        """Answers that the gate's decisions would have needed from a test of fixed size."""
        return self._lab.gate.full_calls - self._full_calls_before

    @property
    def _noise(self) -> tuple[int, int] | None:
        return self._lab.gate.noise if isinstance(self._lab.gate, Gate) else None

    def begin(self) -> None:
        """Begin with nothing done."""
        self._lab.meter.reset()
        self._state = self._state.model_copy(update={"noise": self._noise})
        self._listen()
        self._keep()

    def resume(self) -> None:
        """Go on where the run was cut off.

        Raises:
            StoreError: something else was learned since.
        """
        state = state_of(self._lab.store, self.started.run)
        if state is None:
            self.begin()
            return
        if state.touched:
            raise StoreError(
                f"{state.run} cannot be resumed, as something else was learned or judged since it "
                "stopped; start a new run without --resume."
            )
        self._state = state.model_copy(update={"taken_back": None})
        try:
            if state.taken_back is not None:
                with self._lab.store.unit(self._whole):
                    self._lab.store.take_back(state.taken_back)
                self._lab.store.traces.flush()
            self._restore()
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise _unreadable(state.run) from error
        self._listen()
        self._keep()

    def number_from(self, start: int) -> None:
        """Take note that from now on the trace of a request has its number plus this one."""
        if not self._state.spans or self._index(self.done) != start + self.done:
            spans = (*self._state.spans, (self.done, start + self.done))
            self._state = self._state.model_copy(update={"spans": spans})

    @contextmanager
    def unit(self) -> Iterator[None]:
        """Have a window's changes count together with where the run is after it."""
        self._passed = False
        with self._lab.store.unit(self._told):
            yield
        if self._is_log_new:
            # Nothing names the log before it any more.
            self._lab.store.delete_run_logs(but=self._log)
            self._is_log_new = False

    def is_busy(self) -> bool:
        """Return False, as a run that can be resumed has the store to itself."""
        return False

    def turn(self) -> None:
        """Do nothing, as a run that can be resumed has the store to itself."""

    def passed(self, requests: int) -> None:
        """Take note that so many requests more are done."""
        self._passed = True
        if self._entries > MOST_ENTRIES:
            self._listen()
        # First, as the state says how far the log goes.
        self._log.flush()
        self._state = RunState(
            run=self.started.run,
            done=self.done + requests,
            spans=self._state.spans,
            log=(self._log.number, self._log.size),
            spent={name: dict(vars(spent)) for name, spent in self._lab.meter.spent.items()},
            noise=self._noise,
            full_calls=self.full_calls,
            structure=None if (known := self._lab.meter.structure) is None else str(known),
        )

    def traces(self, numbers: Sequence[int]) -> Iterator[Trace]:
        """Yield the traces of requests that are done, in their order.

        Raises:
            StoreError: one is missing.
        """
        for start in range(0, len(numbers), AT_A_TIME):
            names = [trace_name(self._index(n)) for n in numbers[start : start + AT_A_TIME]]
            found = self._lab.store.traces.several(names)
            for name in names:
                if name not in found:
                    raise StoreError(
                        f"{self.started.run} cannot be resumed, as trace {name} is missing; start "
                        "a new run without --resume."
                    )
                yield found[name]

    def finish(self) -> None:
        """Forget all but what the run began with, as it came to its end."""
        self.close()
        store = self._lab.store
        store.keep_started(self.started.model_copy(update={"is_finished": True}))
        store.end_run()
        store.delete_run_logs()

    def close(self) -> None:
        """Listen no more."""
        for layer in self._layers:
            if isinstance(layer, CachedBackend):
                layer.tell = _nobody
        self._referee.tell = _nobody
        self._log.close()

    def _keep(self) -> None:
        """Keep where the run is now."""
        with self._lab.store.unit(self._whole):
            pass
        self._lab.store.delete_run_logs(but=self._log)
        self._is_log_new = False

    def _whole(self) -> JsonObject:
        """Return where the run is after its latest whole window."""
        return self._state.model_dump(mode="json", exclude_defaults=True)

    def _told(self) -> JsonObject:
        """Return where the run is, with what takes back a window that did not pass."""
        if self._passed:
            return self._whole()
        return {**self._whole(), "taken_back": self._lab.store.changed()}

    def _index(self, number: int) -> int:
        first, index = next(span for span in reversed(self._state.spans) if span[0] <= number)
        return index + number - first

    def _restore(self) -> None:
        spent = self._lab.meter.spent
        spent.clear()
        for name, values in self._state.spent.items():
            spent[name] = Spent(**values)  # type: ignore[arg-type]
        if isinstance(self._lab.gate, Gate) and self._state.noise is not None:
            self._lab.gate.noise = self._state.noise
        self._full_calls_before = self._lab.gate.full_calls - self._state.full_calls
        number, size = self._state.log
        self._log = self._lab.store.run_log(number)
        within, after = self._log.read(size)
        # What was asked for a window that is lost was paid for, so it waits to be asked for again.
        came = [entry for entry in after if entry[0] == "came"]
        self._referee.restore(e for e in within if e[0] in {"asked", "forgotten"})
        for layer in self._layers:
            if isinstance(layer, CachedBackend):
                layer.restore(e for e in (*within, *came) if e[0] in {"came", "given"})
            if isinstance(layer, BudgetedBackend):
                _rebook(layer, [*within, *came])
            if isinstance(layer, LlmBackend) and self._state.structure is not None:
                layer.settle(Structure(self._state.structure))

    def _listen(self) -> None:
        """Start the log over with what is remembered, and add to it from now on."""
        entries: list[list[Any]] = []
        for layer in self._layers:
            if isinstance(layer, CachedBackend):
                entries += layer.entries()
                layer.tell = self._note
            if isinstance(layer, BudgetedBackend):
                entries.append(["spent", *layer.spent])
        entries += self._referee.entries()
        self._referee.tell = self._note
        self._log.close()
        # A log of its own, as the state that was kept last still names the one before it.
        self._log = self._lab.store.run_log(self._log.number + 1)
        self._log.start(entries)
        self._is_log_new = True
        self._entries = len(entries)
        log = (self._log.number, self._log.size)
        self._state = self._state.model_copy(update={"log": log})

    def _note(self, entry: list[Any]) -> None:
        self._log.note(entry)
        self._entries += 1


def state_of(store: Store, run: str) -> RunState | None:
    """Return where a run of a store is; None if nothing is known of it.

    Raises:
        StoreError: it cannot be read.
    """
    found = store.run_state
    if found is None or found.get("run") != run:
        return None
    try:
        return RunState.model_validate(found)
    except ValidationError as error:
        raise _unreadable(run) from error


def _unreadable(run: str) -> StoreError:
    return StoreError(
        f"{run} cannot be resumed, as what the store keeps of it is damaged; start a new run "
        "without --resume."
    )


def _nobody(entry: list[Any]) -> None:
    """Tell nobody."""


def _layers(backend: object) -> Iterator[object]:
    while True:
        yield backend
        if not isinstance(backend, WrappedBackend):
            return
        backend = backend.inner


def _rebook(budget: BudgetedBackend, entries: Sequence[list[Any]]) -> None:
    """Count as spent what a log says, whether or not its window passed."""
    for kind, *values in entries:
        if kind == "spent":
            calls, tokens, cost = values
            budget.restore((calls, tokens, cost))
        elif kind == "came":
            budget.book(Completion.model_validate(values[1]))
