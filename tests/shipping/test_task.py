"""The agent's side of the skill: from an answer to a quote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from patchlab_agent.errors import InvalidAnswer
from patchlab_agent.prompts import VARIABLES
from patchlab_agent.shipping.rules import ExampleFix, UnitFix
from patchlab_agent.shipping.schema import ShippingQuote
from patchlab_agent.shipping.tables import known_rules
from patchlab_agent.shipping.task import ShippingTask, settle
from tests.shipping.helpers import ANSWER, REQUEST, TASK, answer, quote

pytestmark = pytest.mark.quick


def read(**changes: Any) -> dict[str, Any]:
    return TASK.read(json.dumps({**ANSWER, **changes})).output


def test_the_right_answer_becomes_the_right_quote() -> None:
    assert read() == quote().model_dump(mode="json")
    assert settle(answer()) == quote()


def test_an_answer_is_kept_as_the_model_gave_it() -> None:
    reading = TASK.read(json.dumps({**ANSWER, "declarations": ["hazmat"]}))
    assert reading.answer == {**ANSWER, "declarations": ["hazmat"]}
    assert json.loads(json.dumps(reading.output)) == reading.output


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"weight": 3}, {"weight_kg": 3.0, "price_eur": 28.4, "refusal": None}),
        ({"kg_per_unit": 0.45359237}, {"weight_kg": 0.90718474, "price_eur": 18.35}),
        ({"weight": None}, {"weight_kg": None, "price_eur": None, "refusal": None}),
        ({"kg_per_unit": None}, {"weight_kg": None, "price_eur": None, "refusal": None}),
        ({"country": None}, {"weight_kg": 2.0, "price_eur": None, "refusal": None}),
        ({"weight": 30.5}, {"refusal": "overweight_parcel", "price_eur": None}),
        ({"category": "liquid"}, {"refusal": "liquid_restricted", "price_eur": None}),
        ({"category": "liquid", "parcel_takes_liquids": True}, {"refusal": None}),
        ({"prohibited": "books"}, {"refusal": "prohibited_item", "price_eur": None}),
        ({"embargo": "us", "weight": 99}, {"refusal": "embargo_destination"}),
    ],
    ids=str,
)
def test_code_multiplies_compares_and_prices(
    changes: dict[str, Any], wanted: dict[str, Any]
) -> None:
    found = read(**changes)
    assert {name: found[name] for name in wanted} == wanted


@pytest.mark.parametrize("field", sorted(ANSWER.keys() - {"prohibited", "embargo", "declarations"}))
def test_there_is_no_price_without_all_that_it_rests_on(field: str) -> None:
    if field != "parcel_takes_liquids":
        assert read(**{field: None})["price_eur"] is None
        assert read(**{field: "null"})["price_eur"] is None
    assert read()["price_eur"] is not None


def test_every_quote_comes_back_from_its_json() -> None:
    found = read(declarations=["fragile", "hazmat"])
    assert ShippingQuote.model_validate(found).model_dump(mode="json") == found


def test_what_is_no_answer_is_invalid() -> None:
    with pytest.raises(InvalidAnswer):
        TASK.read("Sure! I would love to help.")


def test_the_schema_is_the_answers_and_closed() -> None:
    assert TASK.answer_schema["additionalProperties"] is False
    assert set(ANSWER) == set(TASK.answer_schema["required"])  # type: ignore[arg-type]
    assert "weight_kg" not in json.dumps(TASK.answer_schema)


def test_a_task_knows_what_it_is_given_and_cannot_be_changed_through_it() -> None:
    rules = known_rules()
    task = ShippingTask(rules)
    rules.clear()
    assert list(task.known_rules) == known_rules()


def test_the_prompt_folder_holds_every_template() -> None:
    assert isinstance(TASK.prompts, Path)
    assert {path.name for path in TASK.prompts.iterdir()} >= set(VARIABLES)


def test_fixes_are_read_by_kind_and_only_examples_are_shown_as_such() -> None:
    fix = UnitFix(unit="lb", kg_per_unit=0.45)
    assert TASK.parse_fix(fix.model_dump(mode="json")) == fix
    assert fix.is_rule
    shown = ExampleFix(request=REQUEST, answer=answer(weight=3))
    assert not shown.is_rule
    worked, example = TASK.examples_of([fix, shown])[::-1]
    assert (example.request, example.answer) == (REQUEST, {**ANSWER, "weight": 3.0})
    assert (example.rules, worked.rules) == ((), (fix,))
    assert TASK.examples_of([]) == ()
    with pytest.raises(ValueError, match="validation error"):
        TASK.parse_fix({"kind": "spell"})


@pytest.mark.parametrize(
    ("changes", "claimed"),
    [
        ({"weight": 30.5}, "refusal"),
        ({"category": "liquid"}, "refusal item category parcel parcel_takes_liquids"),
        ({"prohibited": "books"}, "refusal item prohibited"),
        ({"embargo": "us"}, "refusal embargo"),
        ({"country": None}, ""),
    ],
    ids=str,
)
def test_a_refusal_claims_its_grounds_and_no_answer_without_a_price_anything(
    changes: dict[str, Any], claimed: str
) -> None:
    assert set(TASK.judged(read(**changes))) == set(claimed.split())


def test_an_unknown_name_takes_the_price_and_no_other_claim() -> None:
    quote = read(category=None)
    assert quote["price_eur"] is None
    assert TASK.judged(quote).keys() == TASK.judged(read()).keys()


def test_a_price_claims_all_that_it_rests_on() -> None:
    claimed = set(TASK.judged(read()))
    assert {"weight", "kg_per_unit", "parcel_limit_kg", "country", "declarations"} <= claimed
    assert "price_eur" not in claimed
