"""What counts as an answer, and what code makes of it."""

# ruff: noqa: RUF001 - look-alike characters are what these tests are about
from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from patchlab_agent.errors import InvalidAnswer
from patchlab_agent.shipping.schema import (
    MAX_TEXT,
    Answer,
    Declaration,
    Refusal,
    ShippingQuote,
    parse_answer,
    refusal,
    weight_kg,
)
from tests.shipping.helpers import ANSWER, COMPUTED, answer

pytestmark = pytest.mark.quick

JUNK = st.one_of(
    st.text(),
    st.text(alphabet='{}[]":,0129.eE+-\\u"tfn '),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ).map(json.dumps),
    st.dictionaries(
        st.sampled_from(sorted(Answer.model_fields)),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text()),
    ).map(lambda changes: json.dumps({**ANSWER, **changes})),
)


@pytest.mark.parametrize(
    "frame",
    [
        "%s",
        "Here you are:\n```json\n%s\n```\nAnything else?",
        "\n\t %s\r\n",
        "(%s)",
        "<think>The {tube} holds {'kg': 5}.</think>\n%s",
        "%s\n\nNote: {weight} is as written.",
        '{"thought": "easy"}\n%s',
        json.dumps({**ANSWER, "weight": 9}) + "\nNo, wait:\n%s",
    ],
)
def test_one_object_is_found_wherever_it_stands(frame: str) -> None:
    assert parse_answer(frame % json.dumps(ANSWER)) == answer()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no JSON object"),
        ("I cannot help with that.", "no JSON object"),
        ("}{", "no valid JSON"),
        ("[1, 2]", "no JSON object"),
        ("{not json}", "no valid JSON"),
        (json.dumps(ANSWER)[:-20] + "}", "no valid JSON"),
        (json.dumps({**ANSWER, "weight": -1}) + " {", "weight: "),
        ("<think>{tube}</think>" + json.dumps({**ANSWER, "weight": -1}), "weight: "),
        ('{"a": 1} {"b": 2}', "weight: Field required"),
        ('{"trigger": "tin", "fix": {"kind": "parcel", "parcel": "tin"}', "no valid JSON"),
        ('{"weight": ' + "9" * 5000 + "}", "no valid JSON"),
        ('{"a": ' + "[" * 100_000 + "}", "no valid JSON"),
        ("{}", "weight: Field required"),
        ('{"\\ud800": 1}', "answer: "),
        (json.dumps({**ANSWER, "unit": "\ud800"}), "unit: "),
    ],
    ids=lambda value: value[:24],
)
def test_what_is_no_answer_says_why(text: str, why: str) -> None:
    with pytest.raises(InvalidAnswer, match=why):
        parse_answer(text)


@given(JUNK)
@settings(max_examples=200, derandomize=True)
def test_arbitrary_text_is_an_answer_or_an_invalid_one(text: str) -> None:
    with suppress(InvalidAnswer):
        found = parse_answer(text)
        assert Answer.model_validate_json(found.model_dump_json()) == found


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("weight", 0),
        ("weight", -2),
        ("weight", float("nan")),
        ("weight", float("inf")),
        ("weight", 1e10),
        ("weight", "two"),
        ("weight", True),
        ("weight", False),
        ("weight", "2,5"),
        ("weight", "1_000"),
        ("weight", "1e3"),
        ("weight", "٢"),
        ("weight", 10**400),
        ("weight", "9" * 400),
        ("weight", [2]),
        ("kg_per_unit", True),
        ("parcel_limit_kg", True),
        ("kg_per_unit", 0),
        ("kg_per_unit", float("inf")),
        ("kg_per_unit", 1e7),
        ("parcel_limit_kg", -1),
        ("parcel_limit_kg", float("nan")),
        ("parcel_takes_liquids", None),
        ("parcel_takes_liquids", 1),
        ("parcel_takes_liquids", "yes"),
        ("unit", "x" * (MAX_TEXT + 1)),
        ("item", 7),
        ("declarations", ["explosive"]),
        ("declarations", ["hazmat"] * 5),
        ("declarations", "hazmat"),
        ("declarations", [True]),
        ("prohibited", True),
        ("embargo", "x" * (MAX_TEXT + 1)),
        ("refusal", "overweight_parcel"),
        ("price_eur", 3),
    ],
)
def test_a_field_out_of_its_range_is_refused_by_name(field: str, value: Any) -> None:
    with pytest.raises(InvalidAnswer, match=field):
        parse_answer(json.dumps({**ANSWER, field: value}))


TEXTS = ("unit", "item", "category", "prohibited", "parcel", "destination", "country", "embargo")
NUMBERS = ("weight", "kg_per_unit", "parcel_limit_kg")


@pytest.mark.parametrize("field", [*TEXTS, *NUMBERS])
@pytest.mark.parametrize("text", ["null", "None", " NULL ", "n/a", "", "-", "unknown"])
def test_a_text_in_place_of_null_is_null(field: str, text: str) -> None:
    assert getattr(parse_answer(json.dumps({**ANSWER, field: text})), field) is None


def test_a_number_may_stand_in_quotation_marks() -> None:
    assert parse_answer(json.dumps({**ANSWER, "weight": " 2.5 "})).weight == 2.5


@pytest.mark.parametrize(
    ("country", "wanted"),
    [
        ("US", "US"),
        ("EU", "EU"),
        ("XK", "XK"),
        (" de ", "DE"),
        ("NA", "NA"),
        ("UK", None),
        ("ZZ", None),
        ("XX", None),
        ("Germany", None),
        ("DEU", None),
        ("D", None),
        ("ＤＥ", None),
        ("D\u0415", None),
    ],
)
def test_a_country_is_a_code_or_unknown(country: str, wanted: str | None) -> None:
    assert parse_answer(json.dumps({**ANSWER, "country": country})).country == wanted


@pytest.mark.parametrize("field", sorted(Answer.model_fields))
@pytest.mark.parametrize("other", [99, None, "shoes"])
def test_no_field_may_be_given_twice(field: str, other: Any) -> None:
    twice = f"{json.dumps(ANSWER)[:-1]}, {json.dumps(field)}: {json.dumps(other)}}}"
    with pytest.raises(InvalidAnswer, match=f"{field}: the key is given twice"):
        parse_answer(twice)


@pytest.mark.parametrize("field", sorted(Answer.model_fields))
def test_no_field_may_be_left_out(field: str) -> None:
    partial = {name: value for name, value in ANSWER.items() if name != field}
    with pytest.raises(InvalidAnswer, match=field):
        parse_answer(json.dumps(partial))


def test_every_field_of_an_answer_is_described_in_its_schema() -> None:
    properties = Answer.model_json_schema()["properties"]
    assert set(properties) == set(Answer.model_fields)
    assert all(entry.get("description") for entry in properties.values())


def test_a_quote_has_all_that_an_answer_has() -> None:
    assert set(Answer.model_fields) <= set(ShippingQuote.model_fields)
    with pytest.raises(ValidationError):
        ShippingQuote.model_validate({**ANSWER, **COMPUTED, "note": ""})


@pytest.mark.parametrize(
    ("weight", "factor", "kg"),
    [(3.0, 0.5, 1.5), (2.0, 1.0, 2.0), (None, 1.0, None), (2.0, None, None), (None, None, None)],
)
def test_code_multiplies(weight: float | None, factor: float | None, kg: float | None) -> None:
    assert weight_kg(answer(weight=weight, kg_per_unit=factor)) == kg


@pytest.mark.parametrize(
    ("changes", "kg", "wanted"),
    [
        ({}, 2.0, None),
        ({"prohibited": "books"}, 2.0, Refusal.PROHIBITED),
        ({"prohibited": "Book", "item": "book about lighters"}, 2.0, Refusal.PROHIBITED),
        ({"prohibited": "weapn", "item": "weapon"}, 2.0, None),
        ({"prohibited": "weapon", "item": "weapn"}, 2.0, Refusal.PROHIBITED),
        ({"prohibited": "lighter"}, 2.0, None),
        ({"prohibited": "lighter", "item": "highlighters"}, 2.0, None),
        ({"prohibited": "books", "item": None}, 2.0, None),
        ({"prohibited": "", "embargo": "-"}, 2.0, None),
        ({"embargo": "US"}, 2.0, Refusal.EMBARGO),
        ({"embargo": "north korea", "destination": "south korea"}, 2.0, None),
        ({"embargo": "iran", "destination": "tirana"}, 2.0, None),
        ({"embargo": "us", "destination": None}, 2.0, None),
        ({"prohibited": "books", "embargo": "us"}, 2.0, Refusal.PROHIBITED),
        ({"prohibited": "us", "embargo": "books"}, 2.0, None),
        ({"category": "liquid"}, 2.0, Refusal.LIQUID),
        ({"category": "liquid", "parcel_takes_liquids": True}, 2.0, None),
        ({"category": "liquid", "parcel": None}, 2.0, None),
        ({}, 30.0, None),
        ({}, 30.01, Refusal.OVERWEIGHT),
        ({}, None, None),
        ({"parcel_limit_kg": None}, 1e6, None),
        ({"embargo": "us", "category": "liquid"}, 99.0, Refusal.EMBARGO),
        ({"category": "liquid"}, 99.0, Refusal.LIQUID),
    ],
)
def test_code_compares_and_decides(
    changes: dict[str, Any], kg: float | None, wanted: Refusal | None
) -> None:
    assert refusal(answer(**changes), kg) is wanted


def test_declarations_are_read_as_such() -> None:
    found = parse_answer(json.dumps({**ANSWER, "declarations": ["hazmat", "insurance"]}))
    assert found.declarations == (Declaration.HAZMAT, Declaration.INSURANCE)
