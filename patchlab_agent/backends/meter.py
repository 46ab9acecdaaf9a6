"""Counting what model calls cost, by what they were for."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from patchlab_agent.backends.base import Backend
from patchlab_agent.models.trace import Completion, Prompt


@dataclass
class Spent:
    """What the calls for one purpose came to."""

    calls: int = 0
    cache_hits: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float | None = None
    seconds: float = 0.0

    def add(self, completion: Completion, seconds: float) -> None:
        """Count one answer; one from a cache is a hit and costs nothing."""
        usage = completion.usage
        if usage.cached:
            self.cache_hits += 1
            return
        self.calls += 1
        self.seconds += seconds
        self.prompt_tokens += usage.prompt_tokens or 0
        self.completion_tokens += usage.completion_tokens or 0
        if usage.cost_usd is not None:
            self.cost_usd = (self.cost_usd or 0.0) + usage.cost_usd


@dataclass
class MeteredBackend:
    """A backend that keeps the books of another.

    Args:
        inner: the one that answers.
        clock: seconds, monotonic.
    """

    inner: Backend
    clock: Callable[[], float] = time.perf_counter
    spent: defaultdict[str, Spent] = field(default_factory=lambda: defaultdict(Spent))
    _purpose: str = "answer"

    @property
    def name(self) -> str:
        """The inner backend's."""
        return self.inner.name

    @property
    def varies(self) -> bool:
        """The inner backend's."""
        return self.inner.varies

    @property
    def calls(self) -> int:
        """Calls so far, whatever for."""
        return sum(spent.calls for spent in self.spent.values())

    def reset(self) -> None:
        """Begin new books."""
        self.spent.clear()

    @contextmanager
    def purpose(self, name: str) -> Iterator[None]:
        """Book the calls in this block under a name."""
        before, self._purpose = self._purpose, name
        try:
            yield
        finally:
            self._purpose = before

    def complete(self, prompt: Prompt) -> Completion:
        """Answer, and count it."""
        start = self.clock()
        completion = self.inner.complete(prompt)
        self.spent[self._purpose].add(completion, self.clock() - start)
        return completion

    def close(self) -> None:
        """Close the inner backend."""
        self.inner.close()
