"""What a quote comes to, in words."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchlab_agent.shipping.verdict import verdict
from patchlab_agent.text import words
from tests.shipping.helpers import REQUEST, as_json, quote

pytestmark = pytest.mark.quick


def told(request: str = REQUEST, **changes: Any) -> str:
    return verdict(request, as_json(quote(**changes))).text


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "Quoted at 23.60 EUR."),
        ({"price_eur": 12345.5}, "Quoted at 12,345.50 EUR."),
        ({"weight": None, "unit": None}, "Not quoted: weight is missing."),
        ({"unit": None, "kg_per_unit": None}, "Not quoted: unit is missing."),
        (
            {"weight": None, "destination": None, "country": None},
            "Not quoted: weight and destination are missing.",
        ),
        (
            {"weight": None, "item": None, "parcel": None, "destination": None},
            "Not quoted: weight, item, parcel and destination are missing.",
        ),
        ({"parcel_limit_kg": None}, "Not quoted: parcel 'box' is unknown."),
        (
            {"parcel_limit_kg": None, "category": None},
            "Not quoted: item 'books' and parcel 'box' are unknown.",
        ),
        (
            {"kg_per_unit": None, "destination": None, "country": None},
            "Not quoted: destination is missing, and unit 'kg' is unknown.",
        ),
        ({"price_eur": None}, "Not quoted."),
        (
            {"refusal": "embargo_destination", "embargo": "us", "weight": None},
            "Refused because destination 'us' is under embargo.",
        ),
        (
            {"refusal": "prohibited_item", "prohibited": "books"},
            "Refused because item 'books' is prohibited.",
        ),
        (
            {"refusal": "liquid_restricted"},
            "Refused because item 'books' is a liquid, which parcel 'box' may not carry.",
        ),
        (
            {"refusal": "overweight_parcel", "weight_kg": 40.0},
            "Refused because 40 kg is more than the 30 kg that parcel 'box' holds.",
        ),
    ],
)
def test_it_is_a_price_a_refusal_or_what_stands_in_the_way(
    changes: dict[str, Any], text: str
) -> None:
    # What nothing accounts for comes after it, and is another matter.
    found = told(**changes)
    assert found == text or found.startswith(f"{text} Nothing accounts for")


def test_the_parts_are_there_for_programs() -> None:
    found = verdict(
        "Ship 2 kg books letter asap", as_json(quote(parcel_limit_kg=None, destination=None))
    )
    assert found.outcome == "incomplete"
    assert found.missing == ("destination",)
    assert found.unknown == {"parcel": "box"}
    assert found.unexplained == ("letter", "asap")


@pytest.mark.parametrize(
    ("request_", "changes", "left"),
    [
        (REQUEST, {}, ()),
        ("Could you please ship 2kg of BOOKS in a box to the US?", {}, ()),
        ("2 kg books express box to US, urgent express", {}, ("express", "urgent")),
        ("3 kg books box to US", {}, ("3",)),
        ("2 kg books box to US, 3 of them", {}, ("3", "them")),
        ("2,0 kg books box to US", {}, ()),
        ("1 1/2 kg books box to US", {"weight": 1.5, "weight_kg": 1.5}, ()),
        ("1 kg 500 g books box to US", {"weight": 1.5, "weight_kg": 1.5}, ()),
        ("1 kg 500 g books box to US", {"weight": 1.0, "weight_kg": 1.0}, ("500", "g")),
        ("2-3 kg books box to US", {"weight": None, "weight_kg": None}, ("2", "3")),
        ("two kg books box to US", {}, ()),
        ("books, two and a half kg, box to US", {"weight": 2.5}, ()),
        ("two kg books box to US", {"weight": None}, ("two",)),
        ("2 kg ligthbulbs box to US", {"item": "lightbulbs"}, ()),
        ("2 kg books box from Berlin to US", {}, ("berlin",)),
        ("2 kg books box to US, insured", {}, ("insured",)),
        ("2 kg books box to US, not insured", {}, ()),
        ("2 kg books box to US, insured", {"declarations": ["insurance"]}, ()),
        ("2 kg books box to America", {"destination": "united states"}, ("america",)),
        ("2 kg books no weapon box to US", {"prohibited": "weapon"}, ()),
        ("2 kg Bücher box nach 東京", {}, ("bücher", "nach", "東京")),
    ],
)
def test_words_that_nothing_accounts_for_are_named(
    request_: str, changes: dict[str, Any], left: tuple[str, ...]
) -> None:
    assert verdict(request_, as_json(quote(**changes))).unexplained == left


def test_many_such_words_are_counted() -> None:
    many = told(f"{REQUEST} {' '.join(f'abc{letter}' for letter in 'defghijkl')}")
    assert many.endswith("'abcd', 'abce', 'abcf', 'abcg', 'abch', 'abci' and 3 more.")
    assert told(f"{REQUEST} asap now").endswith("Nothing accounts for the words 'asap' and 'now'.")


@given(st.text(max_size=60))
def test_only_words_of_the_request_are_named_and_the_text_is_one_line(request_: str) -> None:
    found = verdict(request_, as_json(quote(item=request_[:80] or None, price_eur=None)))
    said = "".join(words(request_))
    assert all(word in said for word in found.unexplained)
    assert found.text.isprintable()
