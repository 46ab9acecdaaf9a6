"""The toy as a backend: no memory, no knowledge but its prompt's, and mistakes that repeat."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patchlab_agent.errors import InvalidAnswer
from patchlab_agent.models.patch import Fix
from patchlab_agent.models.prompt import Prompt
from patchlab_agent.shipping.examples import number_example
from patchlab_agent.shipping.rules import (
    DestinationFix,
    EmbargoFix,
    ExampleFix,
    ItemFix,
    ParcelFix,
    RestrictionFix,
    RevokedFix,
    UnitFix,
)
from patchlab_agent.shipping.schema import Declaration
from patchlab_agent.shipping.tables import carrier_rules
from patchlab_agent.shipping.toy.backend import ToyBackend
from tests.shipping.helpers import ANSWER, PROMPTS, REQUEST, SIMULATOR, TASK, answer, prompt

QUIET = ToyBackend(noise=0)
CASES = list(islice(SIMULATOR.requests(random.Random(4)), 200))
IGNORANT = PROMPTS.system([], TASK.answer_schema)
FIXES: list[Fix] = [
    RestrictionFix(item="books", demand="prohibited"),
    UnitFix(unit="kg", kg_per_unit=7),
    RevokedFix(rule="prohibited", subject="weapon"),
    EmbargoFix(destination="us"),
    ItemFix(item="ship", category="liquid"),
    number_example("books", 5),
]


def answered(sent: Prompt, toy: ToyBackend = QUIET) -> dict[str, Any]:
    found: dict[str, Any] = TASK.read(toy.complete(sent).text).answer
    return found


def test_the_right_answer_is_given_as_it_stands_in_the_rules() -> None:
    assert answered(prompt(REQUEST)) == ANSWER


def test_a_toy_says_what_it_is() -> None:
    assert ToyBackend(3, 0.25).name == "toy(seed=3, noise=0.25)"
    assert ToyBackend().varies
    assert not QUIET.varies
    assert ToyBackend().name == ToyBackend(7, 0.03).name
    ToyBackend().close()


def test_knowledge_comes_from_the_prompt_alone() -> None:
    found = answered(prompt(REQUEST, system=IGNORANT))
    looked_up = ("kg_per_unit", "category", "parcel_limit_kg", "country")
    assert [found[name] for name in looked_up] == [None] * 4
    copied = ("weight", "unit", "item", "parcel", "destination")
    assert [found[name] for name in copied] == [ANSWER[name] for name in copied]
    assert answered(prompt(REQUEST, carrier_rules(), system=IGNORANT)) == ANSWER


@pytest.mark.parametrize(
    ("request_text", "fix", "field", "before", "after"),
    [
        ("Ship 2 lb books box", UnitFix(unit="lb", kg_per_unit=0.45), "kg_per_unit", None, 0.45),
        (REQUEST, UnitFix(unit="kg", kg_per_unit=7), "kg_per_unit", 1.0, 7.0),
        ("2 kg tube", ParcelFix(parcel="tube", limit_kg=5), "parcel_limit_kg", None, 5.0),
        ("to Berlin", DestinationFix(alias="berlin", country="DE"), "country", None, "DE"),
        ("2 kg tent box", ItemFix(item="tent", category="outdoor"), "category", None, "outdoor"),
        (
            REQUEST,
            RestrictionFix(item="books", demand="prohibited"),
            "prohibited",
            None,
            "books",
        ),
        (REQUEST, RestrictionFix(item="books", demand="hazmat"), "declarations", [], ["hazmat"]),
        (REQUEST, EmbargoFix(destination="us"), "embargo", None, "us"),
        (
            "Ship 2 kg weapon box to US",
            RevokedFix(rule="prohibited", subject="weapon"),
            "prohibited",
            "weapon",
            None,
        ),
        (
            "Ship 2 kg paint box to US",
            RevokedFix(rule="hazmat", subject="paint"),
            "declarations",
            ["hazmat"],
            [],
        ),
        (
            "Ship 2 kg paint box to US, hazmat",
            RevokedFix(rule="hazmat", subject="paint"),
            "declarations",
            ["hazmat"],
            ["hazmat"],
        ),
        ("Ship dozen kg books box to US", number_example("dozen", 12), "weight", None, 12.0),
    ],
    ids=lambda value: value.kind if isinstance(value, Fix) else "",
)
def test_a_lesson_works_while_it_stands_in_the_prompt(
    request_text: str, fix: Fix, field: str, before: Any, after: Any
) -> None:
    assert answered(prompt(request_text))[field] == before
    assert answered(prompt(request_text, [fix]))[field] == after
    assert answered(prompt(request_text))[field] == before


@pytest.mark.parametrize("missing", ["weight", "unit"])
def test_an_example_that_weighs_nothing_teaches_no_number(missing: str) -> None:
    dozen = "Ship dozen kg books box to US"
    example = ExampleFix(request=dozen, answer=answer(**{missing: None}))
    assert answered(prompt(dozen, [example]))["weight"] is None


def test_an_example_teaches_nothing_but_its_number_word() -> None:
    example = ExampleFix(request="Ship 3 kg tent tube to Oz", answer=answer(item="tent", weight=3))
    taught = answered(prompt("Ship 2 kg tent tube to Oz", [example]))
    assert taught == answered(prompt("Ship 2 kg tent tube to Oz"))


@given(st.permutations(range(12)))
@settings(max_examples=30, derandomize=True)
def test_any_history_of_calls_leaves_the_answers_as_they_were(order: list[int]) -> None:
    sent = [prompt(case.request, draw="a") for case in CASES[:6]]
    sent += [prompt(case.request, FIXES, draw="a") for case in CASES[:6]]
    toy = ToyBackend(noise=0.3)
    found = {index: toy.complete(sent[index]) for index in order}
    assert found == {index: ToyBackend(noise=0.3).complete(sent[index]) for index in order}


@given(st.text(st.characters()), st.text(st.characters()))
@settings(max_examples=300, derandomize=True)
def test_without_noise_any_request_gets_an_answer_that_can_be_read(text: str, draw: str) -> None:
    reading = TASK.read(QUIET.complete(prompt(text, draw=draw)).text)
    assert set(reading.answer) == set(ANSWER)
    assert reading == TASK.read(QUIET.complete(prompt(text)).text)


@given(st.text(), st.text())
@settings(max_examples=100, derandomize=True)
def test_any_prompt_gets_an_answer_that_can_be_read(system: str, user: str) -> None:
    sent = prompt(REQUEST, system=system)
    turn = sent.messages[1].model_copy(update={"content": user})
    sent = sent.model_copy(update={"messages": (sent.messages[0], turn)})
    assert set(answered(sent)) == set(ANSWER)


@pytest.mark.parametrize("word", ["a", "kg", "to", "2", "gizmo", "é", "ⅷ", "9" * 90])
def test_a_very_long_request_gets_an_answer_that_can_be_read(word: str) -> None:
    for text in (f"{word} " * 900, word * 1900, f"2 kg {word * 100} box to {word * 100}"):
        assert set(answered(prompt(text))) == set(ANSWER)


def noisy(rate: float = 0.3, seed: int = 7, fixes: list[Fix] | None = None) -> Iterator[Any]:
    """Each case's answer without and with noise; None where it broke off."""
    for case in CASES:
        sent = prompt(case.request, fixes or ())
        try:
            yield answered(sent), answered(sent, ToyBackend(seed, rate))
        except InvalidAnswer:
            yield answered(sent), None


def test_the_toy_makes_every_mistake_of_a_small_model() -> None:
    pairs = list(noisy())
    broken = sum(wrong is None for _, wrong in pairs)
    assert 0.02 < broken / len(pairs) < 0.12
    read = [(right, wrong) for right, wrong in pairs if wrong is not None]
    for field in ("weight", "unit", "item", "parcel", "destination"):
        dropped = sum(w[field] is None and r[field] is not None for r, w in read)
        misread = sum(w[field] not in (None, r[field]) for r, w in read)
        assert dropped > 0.05 * len(read), field
        assert (misread > 0.05 * len(read)) == (field != "weight"), field


def test_a_toy_that_misdeclares_forgets_everything_or_makes_one_up() -> None:
    forgot, made_up = 0, 0
    for right, wrong in noisy():
        if wrong is None or right["item"] != wrong["item"]:
            continue
        due, declared = right["declarations"], wrong["declarations"]
        if len(declared) > len(due):
            made_up += 1
            assert declared[:-1] == due
            assert declared[-1] not in due
        elif declared != due:
            forgot += 1
            assert declared == []
    # Most requests call for no declaration, so there is seldom one to forget.
    assert forgot > 0.02 * len(CASES)
    assert 0.08 * len(CASES) < made_up < 0.22 * len(CASES)


def test_a_toy_makes_up_every_declaration() -> None:
    found = [wrong["declarations"] for right, wrong in noisy(rate=0.9) if wrong is not None]
    assert {tuple(declared) for declared in found} >= {(d.value,) for d in Declaration}


def test_where_everything_is_to_be_declared_nothing_can_be_made_up() -> None:
    demands: list[Fix] = [
        RestrictionFix.model_validate({"item": "books", "demand": d.value}) for d in Declaration
    ]
    found = set()
    for draw in range(60):
        with suppress(InvalidAnswer):
            given = answered(prompt(REQUEST, demands, draw=str(draw)), ToyBackend(noise=0.3))
            if given["item"] == "books":
                found.add(tuple(given["declarations"]))
    assert found == {(), tuple(d.value for d in Declaration)}


def test_more_noise_makes_more_mistakes() -> None:
    counts = [sum(right != wrong for right, wrong in noisy(rate)) for rate in (0.0, 0.03, 0.3, 1.0)]
    assert counts[0] == 0
    assert counts == sorted(counts)
    assert 0.06 * len(CASES) < counts[1] < 0.3 * len(CASES)
    assert counts[3] == len(CASES)


def test_a_broken_answer_is_the_beginning_of_the_whole_one() -> None:
    broken = 0
    for case in CASES:
        text = ToyBackend(noise=0.5).complete(prompt(case.request)).text
        try:
            json.loads(text)
        except ValueError:
            broken += 1
            assert not text.endswith("}")
            with pytest.raises(InvalidAnswer):
                TASK.read(text)
    assert broken > 10


def test_seeds_and_draws_make_different_mistakes() -> None:
    def texts(seed: int, draw: str) -> list[str]:
        toy = ToyBackend(seed, 0.3)
        return [toy.complete(prompt(case.request, draw=draw)).text for case in CASES[:60]]

    assert texts(7, "0") == texts(7, "0")
    assert texts(7, "0") != texts(8, "0")
    assert texts(7, "0") != texts(7, "1")


def test_the_same_mistakes_are_made_with_and_without_lessons() -> None:
    lessons: list[Fix] = [UnitFix(unit="zork", kg_per_unit=2)]
    for (_, without), (_, taught) in zip(noisy(), noisy(fixes=lessons), strict=True):
        assert (without is None) == (taught is None)
        if without is not None:
            for field in ("weight", "item", "parcel", "destination", "declarations"):
                assert without[field] == taught[field]


def test_usage_counts_words_and_marks() -> None:
    one, more = QUIET.complete(prompt(REQUEST)), QUIET.complete(prompt(REQUEST, FIXES))
    assert one.usage.prompt_tokens is not None
    assert more.usage.prompt_tokens is not None
    assert 0 < one.usage.prompt_tokens < more.usage.prompt_tokens
    assert one.usage.completion_tokens is not None
    assert one.usage.completion_tokens > len(ANSWER)
    assert one.usage.cost_usd is None
    assert not one.usage.cached
