"""Usage of model calls, by purpose."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from patchlab_agent.backends.base import Answered, Backend, WrappedBackend, complete_batch
from patchlab_agent.models.prompt import Completion, Prompt


@dataclass
class Spent:
    """The usage of all calls for one purpose."""

    calls: int = 0
    cache_hits: int = 0
    prompt_tokens: int = 0
    cached_prompt_tokens: int = 0
    """Those of `told_prompt_tokens` that were in the server's prefix cache."""
    told_prompt_tokens: int = 0
    """Prompt tokens of the answers whose server reported how much its cache held."""
    completion_tokens: int = 0
    cost_usd: float | None = None
    seconds: float = 0.0

    @property
    def prefix_hits(self) -> float | None:
        """The share of prompt tokens from the server's prefix cache; None if it did not report."""
        if not self.told_prompt_tokens:
            return None
        return round(self.cached_prompt_tokens / self.told_prompt_tokens, 6)

    def add(self, completion: Completion, seconds: float) -> None:
        """Count one answer; one from a cache is a hit and costs nothing."""
        usage = completion.usage
        if usage.cached:
            self.cache_hits += 1
            return
        self.calls += 1
        self.seconds += seconds if usage.seconds is None else usage.seconds
        self.prompt_tokens += usage.prompt_tokens or 0
        self.completion_tokens += usage.completion_tokens or 0
        if usage.cached_prompt_tokens is not None:
            self.cached_prompt_tokens += usage.cached_prompt_tokens
            self.told_prompt_tokens += usage.prompt_tokens or 0
        if usage.cost_usd is not None:
            self.cost_usd = (self.cost_usd or 0.0) + usage.cost_usd


class MeteredBackend(WrappedBackend):
    """A backend that records the usage of another one.

    Args:
        inner: the backend that answers.
        clock: monotonic clock in seconds, for backends that do not time their calls.

    Attributes:
        spent: usage by purpose.
    """

    def __init__(self, inner: Backend, clock: Callable[[], float] = time.perf_counter) -> None:
        super().__init__(inner)
        self.spent: defaultdict[str, Spent] = defaultdict(Spent)
        self._clock = clock

    def reset(self) -> None:
        """Discard the usage recorded so far."""
        self.spent.clear()

    def complete_batch(self, prompts: Sequence[Prompt]) -> list[Answered]:
        """Answer, and count each answer under its prompt's purpose."""
        start = self._clock()
        answers = complete_batch(self.inner, prompts)
        booked = [
            (prompt.purpose, answered)
            for prompt, answered in zip(prompts, answers, strict=True)
            if isinstance(answered, Completion)
        ]
        calls = sum(not answered.usage.cached for _, answered in booked)
        each = (self._clock() - start) / max(1, calls)
        for purpose, answered in booked:
            self.spent[purpose].add(answered, each)
        return answers
