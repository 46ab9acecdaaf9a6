"""What a run may spend: calls to the one, tokens and cost to the group of calls."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from patchlab_agent.backends.base import Answered, BatchBackend
from patchlab_agent.backends.budget import Budget, BudgetedBackend
from patchlab_agent.errors import BackendError, BackendUnavailable, BudgetReached
from patchlab_agent.models.model import Structure
from patchlab_agent.models.prompt import Completion, Prompt, Usage
from tests.backends.llm.helpers import prompt

USAGE = Usage(prompt_tokens=8, completion_tokens=2, cost_usd=0.25)


class Spender(BatchBackend):
    """Answers with a given usage, or fails where the prompt says so.

    Args:
        usage: of each answer.
        filtered: whether the provider holds them back.

    Attributes:
        groups: how many prompts came together.
    """

    name = "spender"
    varies = True
    structure = Structure.JSON

    def __init__(self, usage: Usage = USAGE, *, filtered: bool = False) -> None:
        self.groups: list[int] = []
        self.closed = False
        self._answer = Completion(text="x", usage=usage, filtered=filtered)

    def complete_batch(self, prompts: Sequence[Prompt]) -> list[Answered]:
        self.groups.append(len(prompts))
        failures = {"fail": BackendError("no"), "out": BackendUnavailable("out")}
        return [failures.get(each.user, self._answer) for each in prompts]

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


@pytest.mark.parametrize(
    ("budget", "option"), [(Budget(cost_usd=9), "--max-cost"), (Budget(tokens=9), "-tokens-total")]
)
def test_what_cannot_be_counted_cannot_be_limited(budget: Budget, option: str) -> None:
    inner = Spender(Usage())
    backend = BudgetedBackend(inner, budget, group=3)
    *answers, last = backend.complete_batch([prompt()] * 8)
    assert fates(answers) == "aaaffff"
    assert option in str(last)
    assert "use --max-calls" in str(last)
    assert fates(backend.complete_batch([prompt()])) == "f"
    assert inner.groups == [3]


def test_what_is_filtered_out_may_cost_nothing() -> None:
    backend = BudgetedBackend(Spender(Usage(), filtered=True), Budget(cost_usd=9, tokens=9))
    assert fates(backend.complete_batch([prompt()] * 2)) == "aa"


def test_after_an_outage_the_rest_of_the_batch_is_not_tried() -> None:
    inner = Spender()
    backend = BudgetedBackend(inner, Budget(calls=100), group=2)
    prompts = [prompt(text) for text in ("a", "b", "out", "c", "d", "e")]
    *_, untried, last = answers = backend.complete_batch(prompts)
    assert fates(answers) == "aafaff"
    assert untried is last
    assert inner.groups == [2, 2]
    assert fates(backend.complete_batch([prompt()])) == "a"


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
