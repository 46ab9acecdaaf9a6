"""How the windows of a run count: what the loop needs of whoever keeps account of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from patchlab_agent.models.progress import StartedRun
from patchlab_agent.models.trace import Trace
from patchlab_agent.runs.parts import Parts


class Passing(Protocol):
    """The account of a run's windows."""

    @property
    def done(self) -> int:
        """The number of requests that were done before."""
        ...

    def number_from(self, start: int) -> None:
        """Take note that from now on the trace of a request has its number plus this one."""
        ...

    def unit(self) -> AbstractContextManager[None]:
        """Have what a window changes count together."""
        ...

    def is_busy(self) -> bool:
        """Return True if somebody else is learning, so that `turn` would have to wait."""
        ...

    def turn(self) -> None:
        """Have the store to oneself for the rest of the window, as something is learned now."""
        ...

    def passed(self, requests: int) -> None:
        """Take note that so many requests more are done."""
        ...

    def traces(self, numbers: Sequence[int]) -> Iterator[Trace]:
        """Yield the traces of requests that are done, in their order."""
        ...


class SharedPassing:
    """The account of a run in a store that others write to as well, which is not resumed.

    Each window begins with what the others learned before it, and what is learned from it is
    learned while the others wait.

    Args:
        lab: open for writing.
        started: what the run began with.
    """

    done = 0

    def __init__(self, lab: Parts, started: StartedRun) -> None:
        self.started = started
        self._lab = lab
        self._full_calls_before = lab.gate.full_calls

    @property
    def full_calls(self) -> int:
        """Answers that the gate's decisions would have needed from a test of fixed size."""
        return self._lab.gate.full_calls - self._full_calls_before

    def begin(self) -> None:
        """Begin with nothing done."""
        self._lab.meter.reset()

    def number_from(self, start: int) -> None:
        """Do nothing, as no trace is looked for again."""

    def unit(self) -> AbstractContextManager[None]:
        """Have what a window changes count together, once it has its turn."""
        return self._lab.store.unit(apart=True)

    def is_busy(self) -> bool:
        """Take in what the others learned; return True if one of them is learning now."""
        return self._lab.store.is_busy()

    def turn(self) -> None:
        """Wait until nobody else is learning, and take in what they learned."""
        self._lab.store.turn()

    def passed(self, requests: int) -> None:
        """Do nothing, as the traces say it."""

    def traces(self, numbers: Sequence[int]) -> Iterator[Trace]:  # noqa: ARG002 - none is done
        """Yield nothing."""
        return iter(())

    def finish(self) -> None:
        """Do nothing, as nothing was kept."""

    def close(self) -> None:
        """Do nothing, as nothing is listened to."""
