"""Limits on what a run may spend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from patchlab_agent.backends.base import (
    Answered,
    Backend,
    WrappedBackend,
    complete_batch,
    outage_in,
)
from patchlab_agent.errors import BackendError, BudgetReached
from patchlab_agent.models.prompt import Completion, Prompt


@dataclass(frozen=True)
class Budget:
    """Spending limits; None sets no limit.

    Args:
        calls: number of answered calls.
        cost_usd: cost in US dollars.
        tokens: tokens of prompts and answers together.
    """

    calls: int | None = None
    cost_usd: float | None = None
    tokens: int | None = None

    @property
    def is_limited(self) -> bool:
        """True if any limit is set."""
        return (self.calls, self.cost_usd, self.tokens) != (None, None, None)


class BudgetedBackend(WrappedBackend):
    """A backend that makes no more calls once a limit is reached.

    Cost and tokens are known only after a call, so they are checked before each group of
    concurrent calls: the last group may exceed the limit. What cannot be counted, such as the cost
    of a model without a known price, cannot be limited: then no further calls are made.

    Args:
        inner: the backend that answers.
        budget: the limits.
        group: number of concurrent calls.
    """

    def __init__(self, inner: Backend, budget: Budget, group: int = 1) -> None:
        super().__init__(inner)
        self._budget = budget
        self._group = group
        self._calls = 0
        self._tokens = 0
        self._cost = 0.0
        self._uncounted = ""

    def complete_batch(self, prompts: Sequence[Prompt]) -> list[Answered]:
        """Answer as many prompts as the budget has room for; the others get `BudgetReached`.

        After an outage the rest of the batch is not tried.
        """
        answers: list[Answered] = []
        # In groups, not one by one: that would give up concurrency to keep the limit exactly.
        while (ended := self._ended()) is None and len(answers) < len(prompts):
            group = prompts[len(answers) :][: self._room()]
            answered = complete_batch(self.inner, group)
            for each in answered:
                if isinstance(each, Completion):
                    self.book(each)
            answers += answered
            if (ended := outage_in(answered)) is not None:
                # Or every further group would wait for its own retries.
                break
        rest = len(prompts) - len(answers)
        return answers if ended is None else [*answers, *[ended] * rest]

    @property
    def spent(self) -> tuple[int, int, float]:
        """Calls, tokens and US dollars so far."""
        return self._calls, self._tokens, self._cost

    def restore(self, spent: tuple[int, int, float]) -> None:
        """Count what was spent before as spent here."""
        self._calls, self._tokens, self._cost = spent

    def _room(self) -> int:
        if self._budget.calls is None:
            return self._group
        return min(self._group, self._budget.calls - self._calls)

    def book(self, completion: Completion) -> None:
        """Count one answer as spent."""
        usage = completion.usage
        tokens = (usage.prompt_tokens or 0) + (usage.completion_tokens or 0)
        self._calls += 1
        self._tokens += tokens
        self._cost += usage.cost_usd or 0.0
        if completion.filtered:
            # A filtered call may report no usage even where the model's usage is known.
            return
        if self._budget.cost_usd is not None and usage.cost_usd is None:
            self._uncounted = f"No price is known of {self.name}, so --max-cost cannot be kept"
        if self._budget.tokens is not None and not tokens:
            self._uncounted = f"{self.name} counts no tokens, so --max-tokens-total cannot be kept"

    def _ended(self) -> BackendError | None:
        if self._uncounted:
            return BackendError(f"{self._uncounted}; use --max-calls in its place.")
        reached = self._reached()
        return None if reached is None else BudgetReached(reached)

    def _reached(self) -> str | None:
        budget = self._budget
        if budget.calls is not None and self._calls >= budget.calls:
            return f"The budget of {budget.calls} calls is used up; --max-calls raises it."
        if budget.tokens is not None and self._tokens >= budget.tokens:
            return f"The budget of {budget.tokens} tokens is used up; --max-tokens-total raises it."
        if budget.cost_usd is not None and self._cost >= budget.cost_usd:
            return f"The budget of ${budget.cost_usd:g} is used up; --max-cost raises it."
        return None
