"""What fits a budget of tokens, and what comes first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchlab_agent.agent.budgeting import ContextBudget, estimated_tokens
from patchlab_agent.models.evidence import Record, Standing
from patchlab_agent.models.patch import Patch
from patchlab_agent.models.prompt import Message
from patchlab_agent.models.trace import Context, Example
from tests.support.make import make_hit, make_patch
from tests.support.words_skill import words_lab

LESSON, EXAMPLE = 10, 7
"""Tokens that each takes here."""


def cost(context: Context) -> int:
    return LESSON * len(context.applied) + EXAMPLE * len(context.examples)


def lesson(word: str, outcomes: str = "", standing: Standing = Standing.TRIAL) -> Patch:
    record = Record(outcomes=outcomes, standing=standing)
    return make_patch(word).model_copy(update={"record": record})


def context_of(patches: Sequence[Patch], examples: int = 0) -> Context:
    shown = (Example(id=f"t-{n}", request=f"r {n}", answer={}) for n in range(examples))
    return Context(retrieved=tuple(map(make_hit, patches)), examples=tuple(shown))


def fitted(context: Context, tokens: int) -> Context:
    return ContextBudget(tokens, cost).fit(context)


def words_of(context: Context) -> set[str]:
    return {patch.trigger_text for patch in context.applied}


def test_what_fits_as_a_whole_stays_as_it_is() -> None:
    context = context_of([lesson("a"), lesson("b")], examples=2)
    assert fitted(context, 34) == context


def test_proven_lessons_come_before_those_on_trial_and_these_before_examples() -> None:
    proven = lesson("b", "+", Standing.PROVEN)
    context = context_of([lesson("a", "++++"), proven], examples=2)
    assert words_of(fitted(context, 10)) == {"b"}
    assert words_of(fitted(context, 20)) == {"a", "b"}
    assert fitted(context, 20).examples == ()
    assert [each.id for each in fitted(context, 27).examples] == ["t-0"]


def test_of_equal_standing_the_worthiest_comes_first() -> None:
    context = context_of([lesson("a", "+-"), lesson("b", "+++"), lesson("c")])
    assert words_of(fitted(context, 10)) == {"b"}
    assert words_of(fitted(context, 20)) == {"a", "b"}


def test_worth_counts_per_token() -> None:
    long, short = lesson("long", "+++"), lesson("short", "++")

    def by_length(context: Context) -> int:
        return sum(30 if patch.trigger == "long" else 10 for patch in context.applied)

    found = ContextBudget(30, by_length).fit(context_of([long, short]))
    assert words_of(found) == {"short"}
    # What is there without any lesson is none of its cost.
    beside = ContextBudget(1030, lambda some: 1000 + by_length(some))
    assert words_of(beside.fit(context_of([long, short]))) == {"short"}


def test_what_is_too_large_leaves_room_for_something_smaller() -> None:
    found = fitted(context_of([lesson("a")], examples=1), 8)
    assert (words_of(found), len(found.examples)) == (set(), 1)


def test_what_has_no_room_is_named() -> None:
    found = fitted(context_of([lesson("a"), lesson("b", "+")], examples=2), 10)
    assert {hit.patch.trigger: hit.over_budget for hit in found.retrieved} == {
        "a": True,
        "b": False,
    }
    assert [each.id for each in found.over_budget] == ["t-0", "t-1"]


def test_what_had_no_room_is_looked_at_anew() -> None:
    crowded = fitted(context_of([lesson("a"), lesson("b", "+")], examples=1), 10)
    freed = crowded.model_copy(update={"retrieved": crowded.retrieved[:1]})
    assert words_of(fitted(freed, 17)) == {"a"}
    assert len(fitted(freed, 17).examples) == 1


@given(st.lists(st.text("+-", max_size=4), max_size=5), st.integers(0, 4), st.integers(0, 90))
def test_a_budget_is_kept_and_nothing_is_lost(
    records: list[str], examples: int, tokens: int
) -> None:
    whole = context_of([lesson(f"w{n}", each) for n, each in enumerate(records)], examples)
    found = fitted(whole, tokens)
    assert cost(found) <= tokens
    assert len(found.retrieved) == len(records)
    assert len(found.examples) + len(found.over_budget) == examples
    assert fitted(found, 10_000).applied == whole.applied
    # What was left out has no room beside what was kept.
    if any(hit.over_budget for hit in found.retrieved):
        assert LESSON * (len(found.applied) + 1) > tokens


def test_tokens_are_about_what_models_count() -> None:
    assert estimated_tokens([]) == 0
    # The chat template's own.
    assert estimated_tokens([Message(role="user", content="")] * 10) == 40
    answer = '{"weight":3.0,"unit":"kg","kg_per_unit":1.0,"item":"books","category":"print"}'
    # Qwen2.5 takes 27 for the text, and 5 for the turn.
    assert estimated_tokens([Message(role="assistant", content=answer)]) == pytest.approx(
        32, rel=0.3
    )


def test_a_trace_says_what_its_prompt_had_no_room_for(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        for word in ("zok", "blim"):
            lab.store.patches.upsert(make_patch(word))
        lab.agent.context_tokens = 0
        trace = lab.agent.answer("zok blim")
        lab.agent.context_tokens = None
        whole = lab.agent.answer("zok blim")
    assert [(ref.applied, ref.over_budget) for ref in trace.retrieved] == [(False, True)] * 2
    assert [(ref.applied, ref.over_budget) for ref in whole.retrieved] == [(True, False)] * 2
    assert len(trace.attempt.user_prompt) < len(whole.attempt.user_prompt)
