"""What a run may spend: calls to the one, tokens and cost to the group of calls."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from patchlab_agent.backends.base import Answered, BatchBackend
from patchlab_agent.backends.budget import Budget, BudgetedBackend
from patchlab_agent.errors import BackendError, BudgetReached
from patchlab_agent.models.model import Structure
from patchlab_agent.models.trace import Completion, Prompt, Usage
from tests.llm.helpers import prompt

USAGE = Usage(prompt_tokens=8, completion_tokens=2, cost_usd=0.25)


class Spender(BatchBackend):
    """Answers with a given usage, or fails where the prompt says so.

    Attributes:
        groups: how many prompts came together.
    """

    name = "spender"
    varies = True
    structure = Structure.JSON

    def __init__(self, usage: Usage = USAGE) -> None:
        self.groups: list[int] = []
        self.closed = False
        self._usage = usage

    def complete_batch(self, prompts: Sequence[Prompt]) -> list[Answered]:
        self.groups.append(len(prompts))
        return [
            BackendError("no") if each.user == "fail" else Completion(text="x", usage=self._usage)
            for each in prompts
        ]

    def close(self) -> None:
        self.closed = True


def fates(answers: Sequence[Answered]) -> str:
    """A letter for each prompt: answered, failed or beyond the budget."""
    return "".join(
        "a" if isinstance(each, Completion) else "b" if isinstance(each, BudgetReached) else "f"
        for each in answers
    )


@pytest.mark.parametrize(
    ("budget", "groups", "answers"),
    [
        (Budget(calls=5), [3, 2], "aaaaabbb"),
        (Budget(calls=3), [3], "aaabbbbb"),
        (Budget(calls=8), [3, 3, 2], "aaaaaaaa"),
        (Budget(tokens=10), [3], "aaabbbbb"),
        (Budget(tokens=31), [3, 3], "aaaaaabb"),
        (Budget(cost_usd=0.75), [3], "aaabbbbb"),
        (Budget(cost_usd=0.76), [3, 3], "aaaaaabb"),
        (Budget(calls=5, tokens=1000, cost_usd=0.5), [3], "aaabbbbb"),
        (Budget(), [3, 3, 2], "aaaaaaaa"),
    ],
)
def test_calls_are_limited_to_the_one_and_the_rest_to_the_group(
    budget: Budget, groups: list[int], answers: str
) -> None:
    inner = Spender()
    backend = BudgetedBackend(inner, budget, group=3)
    assert fates(backend.complete_batch([prompt()] * 8)) == answers
    assert inner.groups == groups


@pytest.mark.parametrize(
    ("budget", "option"),
    [
        (Budget(calls=2), r"2 calls .*--max-calls"),
        (Budget(tokens=20), r"20 tokens .*--max-tokens-total"),
        (Budget(cost_usd=0.5), r"\$0\.5 .*--max-cost"),
    ],
)
def test_a_limit_holds_across_batches_and_names_its_option(budget: Budget, option: str) -> None:
    inner = Spender()
    backend = BudgetedBackend(inner, budget)
    assert fates(backend.complete_batch([prompt()] * 2)) == "aa"
    with pytest.raises(BudgetReached, match=option):
        backend.complete(prompt())
    assert inner.groups == [1, 1]


def test_a_failed_call_takes_nothing_from_the_budget() -> None:
    backend = BudgetedBackend(Spender(), Budget(calls=2), group=2)
    prompts = [prompt(text) for text in ("fail", "a", "b", "c")]
    assert fates(backend.complete_batch(prompts)) == "faab"


def test_what_has_no_price_spends_nothing() -> None:
    backend = BudgetedBackend(Spender(Usage()), Budget(cost_usd=0.01, tokens=1))
    assert fates(backend.complete_batch([prompt()] * 4)) == "aaaa"


@pytest.mark.parametrize(
    "budget", [Budget(calls=0), Budget(tokens=0), Budget(cost_usd=0.0)], ids=str
)
def test_any_limit_is_a_limit(budget: Budget) -> None:
    assert budget.is_limited
    assert not Budget().is_limited


def test_a_budget_changes_nothing_else() -> None:
    inner = Spender()
    backend = BudgetedBackend(inner, Budget(calls=1))
    assert (backend.name, backend.varies, backend.structure) == ("spender", True, Structure.JSON)
    backend.close()
    assert inner.closed
