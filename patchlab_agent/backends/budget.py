"""A limit to what a run may spend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from patchlab_agent.backends.base import Answered, Backend, WrappedBackend, complete_batch
from patchlab_agent.errors import BudgetReached
from patchlab_agent.models.trace import Completion, Prompt


@dataclass(frozen=True)
class Budget:
    """Limits; None is none.

    Args:
        calls: answered calls.
        cost_usd: US dollars, as far as the model's price is known.
        tokens: of prompts and answers together.
    """

    calls: int | None = None
    cost_usd: float | None = None
    tokens: int | None = None

    @property
    def is_limited(self) -> bool:
        """Whether there is any limit."""
        return (self.calls, self.cost_usd, self.tokens) != (None, None, None)


class BudgetedBackend(WrappedBackend):
    """A backend that is asked no more once a limit is reached.

    Cost and tokens are known only after a call, so they are looked at before each group of calls
    that run beside each other: the last group may go beyond the limit.

    Args:
        inner: the one that answers.
        budget: the limits.
        group: calls that run beside each other.
    """

    def __init__(self, inner: Backend, budget: Budget, group: int = 1) -> None:
        super().__init__(inner)
        self._budget = budget
        self._group = group
        self._calls = 0
        self._tokens = 0
        self._cost = 0.0

    def complete_batch(self, prompts: Sequence[Prompt]) -> list[Answered]:
        """Answer as many as the budget has room for; the others get `BudgetReached`."""
        answers: list[Answered] = []
        while (reached := self._reached()) is None and len(answers) < len(prompts):
            group = prompts[len(answers) :][: self._room()]
            answered = complete_batch(self.inner, group)
            for each in answered:
                if isinstance(each, Completion):
                    self._book(each)
            answers += answered
        if reached is not None:
            answers += [BudgetReached(reached)] * (len(prompts) - len(answers))
        return answers

    def _room(self) -> int:
        if self._budget.calls is None:
            return self._group
        return min(self._group, self._budget.calls - self._calls)

    def _book(self, completion: Completion) -> None:
        usage = completion.usage
        self._calls += 1
        self._tokens += (usage.prompt_tokens or 0) + (usage.completion_tokens or 0)
        self._cost += usage.cost_usd or 0.0

    def _reached(self) -> str | None:
        budget = self._budget
        if budget.calls is not None and self._calls >= budget.calls:
            return f"The budget of {budget.calls} calls is used up; --max-calls raises it."
        if budget.tokens is not None and self._tokens >= budget.tokens:
            return f"The budget of {budget.tokens} tokens is used up; --max-tokens-total raises it."
        if budget.cost_usd is not None and self._cost >= budget.cost_usd:
            return f"The budget of ${budget.cost_usd:g} is used up; --max-cost raises it."
        return None
