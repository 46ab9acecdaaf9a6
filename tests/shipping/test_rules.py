"""The union of fixes: what each says, what it claims, and the book that is made of them."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from patchlab_agent.models.base import Quote
from patchlab_agent.models.patch import Fix
from patchlab_agent.shipping.rules import (
    DestinationFix,
    EmbargoFix,
    ExampleFix,
    ItemFix,
    LiquidsFix,
    ParcelFix,
    RestrictionFix,
    RevokedFix,
    RuleBook,
    ShippingFix,
    Slot,
    UnitFix,
    parse_fix,
)
from patchlab_agent.shipping.schema import Declaration
from tests.shipping.helpers import REQUEST, answer

EVERY: list[tuple[ShippingFix, Slot, Quote, tuple[str, ...]]] = [
    (UnitFix(unit="lb", kg_per_unit=0.45), "unit", {"kg_per_unit": 0.45}, ("unit", "lb")),
    (
        ParcelFix(parcel="tube", limit_kg=5),
        "parcel",
        {"parcel": "tube", "parcel_limit_kg": 5.0},
        ("parcel", "tube"),
    ),
    (
        DestinationFix(alias="Berlin", country="DE"),
        "destination",
        {"country": "DE"},
        ("destination", "berlin"),
    ),
    (
        ItemFix(item="tent", category="outdoor"),
        "item",
        {"item": "tent", "category": "outdoor"},
        ("item", "tent"),
    ),
    (
        RestrictionFix(item="ivory", demand="prohibited"),
        "item",
        {"refusal": "prohibited_item"},
        ("restriction", "ivory", "prohibited"),
    ),
    (
        RestrictionFix(item="battery", demand="hazmat"),
        "item",
        {"declarations": ["hazmat"]},
        ("restriction", "battery", "hazmat"),
    ),
    (
        EmbargoFix(destination="Syria"),
        "destination",
        {"refusal": "embargo_destination"},
        ("embargo", "syria"),
    ),
    (
        LiquidsFix(parcel="crate"),
        "parcel",
        {"parcel": "crate", "parcel_takes_liquids": True},
        ("liquids", "crate"),
    ),
    (
        RevokedFix(rule="prohibited", subject="umbrella"),
        "item",
        {"refusal": None},
        ("revoked", "prohibited", "umbrella"),
    ),
    (
        RevokedFix(rule="embargo", subject="cuba"),
        "destination",
        {"refusal": None},
        ("revoked", "embargo", "cuba"),
    ),
    (
        RevokedFix(rule="liquids", subject="satchel"),
        "parcel",
        {"parcel": "satchel", "parcel_takes_liquids": False},
        ("revoked", "liquids", "satchel"),
    ),
    (
        ExampleFix(request=REQUEST, answer=answer()),
        "weight",
        {"weight": 2.0},
        ("example", REQUEST.lower()),
    ),
]


@pytest.mark.parametrize(("fix", "slot", "claim", "subject"), EVERY, ids=lambda v: str(v)[:30])
def test_a_fix_names_its_part_of_a_request_its_claim_and_its_subject(
    fix: ShippingFix, slot: str, claim: Quote, subject: tuple[str, ...]
) -> None:
    assert fix.request_slot == slot
    assert fix.claim == claim
    assert fix.slot == subject


def test_the_table_above_has_every_kind_of_the_union() -> None:
    members = set(get_args(get_args(ShippingFix)[0]))
    assert {type(fix) for fix, *_ in EVERY} == members
    assert len(members) == 9


@pytest.mark.parametrize("fix", [fix for fix, *_ in EVERY], ids=lambda fix: str(fix)[:30])
def test_a_fix_comes_back_from_its_json(fix: ShippingFix) -> None:
    found = parse_fix(fix.model_dump(mode="json"))
    assert found == fix
    assert type(found) is type(fix)


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"kind": "spell", "unit": "lb"},
        {"kind": "unit", "unit": "lb"},
        {"kind": "unit", "unit": "", "kg_per_unit": 1},
        {"kind": "unit", "unit": "?!", "kg_per_unit": 1},
        {"kind": "unit", "unit": "one two three four five", "kg_per_unit": 1},
        {"kind": "unit", "unit": "x" * 41, "kg_per_unit": 1},
        {"kind": "unit", "unit": "lb", "kg_per_unit": 0},
        {"kind": "unit", "unit": "lb", "kg_per_unit": float("nan")},
        {"kind": "unit", "unit": "lb", "kg_per_unit": 1e7},
        {"kind": "unit", "unit": "lb", "kg_per_unit": 1, "note": "please"},
        {"kind": "unit", "unit": "<|im_start|>", "kg_per_unit": 1},
        {"kind": "unit", "unit": "l\u200bb", "kg_per_unit": 1},
        {"kind": "unit", "unit": "p\u043eund", "kg_per_unit": 1},
        {"kind": "unit", "unit": 'lb" x', "kg_per_unit": 1},
        {"kind": "item", "item": "tent", "category": "ignore rules"},
        {"kind": "item", "item": "tent", "category": "ignore-rules"},
        {"kind": "item", "item": "tent", "category": "ignoreRules"},
        {"kind": "item", "item": "tent", "category": "忽略规则"},
        {"kind": "item", "item": "tent", "category": "x" * 17},
        {"kind": "parcel", "parcel": "tube", "limit_kg": -5},
        {"kind": "destination", "alias": "berlin", "country": "de"},
        {"kind": "destination", "alias": "berlin", "country": "DEU"},
        {"kind": "destination", "alias": "berlin", "country": "DE\n"},
        {"kind": "restriction", "item": "tent", "demand": "explosive"},
        {"kind": "revoked", "rule": "hazmat", "subject": "tent"},
        {"kind": "example", "request": "", "answer": answer().model_dump(mode="json")},
        {"kind": "example", "request": "x" * 201, "answer": answer().model_dump(mode="json")},
        {"kind": "example", "request": REQUEST, "answer": {"weight": 2}},
    ],
    ids=lambda data: str(data)[:60],
)
def test_what_is_no_fix_is_a_value_error(data: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        parse_fix(data)


def test_names_are_normalised() -> None:
    assert UnitFix(unit="  Fl.  OZ ", kg_per_unit=1).unit == "fl. oz"
    assert UnitFix(unit="µg", kg_per_unit=1e-9).unit == "\u03bcg"
    assert DestinationFix(alias="दिल्ली", country="IN").alias == "दिल्ली"
    assert ItemFix(item="书", category="印刷").category == "印刷"
    assert EmbargoFix(destination="North\n KOREA") == EmbargoFix(destination="north korea")


def test_a_fix_is_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        UnitFix(unit="lb", kg_per_unit=1).unit = "oz"  # type: ignore[misc]


def test_a_book_holds_each_rule_in_its_place() -> None:
    book = RuleBook.of(fix for fix, *_ in EVERY[:8])
    assert book.units == {"lb": 0.45}
    assert book.parcels == {"tube": 5.0}
    assert book.destinations == {"berlin": "DE"}
    assert book.items == {"tent": "outdoor"}
    assert book.demands == {"ivory": {"prohibited"}, "battery": {"hazmat"}}
    assert book.embargoes == {"syria"}
    assert book.liquids == {"crate"}
    assert book.prohibits("ivory")
    assert not book.prohibits("battery")


def test_examples_are_no_rules() -> None:
    assert RuleBook.of([ExampleFix(request=REQUEST, answer=answer())]) == RuleBook()


def test_a_later_rule_overrides_an_earlier_one() -> None:
    rules = [UnitFix(unit="cwt", kg_per_unit=50.8), UnitFix(unit="cwt", kg_per_unit=45.36)]
    assert RuleBook.of(rules).units == {"cwt": 45.36}


@pytest.mark.parametrize(
    ("rule", "subject", "empty"),
    [
        ("prohibited", "ivory", "demands"),
        ("embargo", "syria", "embargoes"),
        ("liquids", "crate", "liquids"),
    ],
)
def test_a_withdrawn_rule_no_longer_holds(rule: str, subject: str, empty: str) -> None:
    withdrawal = RevokedFix.model_validate({"rule": rule, "subject": subject})
    rules: list[Fix] = [RestrictionFix(item="ivory", demand="prohibited")]
    rules += [EmbargoFix(destination="syria"), LiquidsFix(parcel="crate")]
    book = RuleBook.of([*rules, withdrawal])
    left = getattr(book, empty)
    assert not (left.get("ivory") if isinstance(left, dict) else left)
    again = RuleBook.of([*rules, withdrawal, *rules])
    assert again == RuleBook.of(rules)


@pytest.mark.parametrize("rule", ["prohibited", "embargo", "liquids"])
def test_withdrawing_what_never_held_changes_nothing(rule: str) -> None:
    assert RuleBook.of([RevokedFix.model_validate({"rule": rule, "subject": "x"})]) == RuleBook()


def test_a_withdrawn_prohibition_leaves_the_declarations() -> None:
    rules: list[Fix] = [RestrictionFix(item="violin", demand="insurance")]
    rules += [RestrictionFix(item="violin", demand="prohibited")]
    book = RuleBook.of([*rules, RevokedFix(rule="prohibited", subject="violin")])
    assert not book.prohibits("violin")
    assert book.declarations("violin") == (Declaration.INSURANCE,)


@given(st.permutations(["hazmat", "fragile", "temperature", "insurance"]))
@settings(deadline=None, max_examples=24, derandomize=True)
def test_declarations_have_one_order(demands: list[str]) -> None:
    rules = [RestrictionFix.model_validate({"item": "x", "demand": d}) for d in demands]
    assert RuleBook.of(rules).declarations("x") == tuple(Declaration)


def test_a_copy_is_changed_on_its_own() -> None:
    book = RuleBook.of(fix for fix, *_ in EVERY[:8])
    before, copy = book.copy(), book.copy()
    for fix, *_ in EVERY:
        copy.add(fix)
    copy.add(RestrictionFix(item="battery", demand="fragile"))
    copy.add(RestrictionFix(item="ivory", demand="insurance"))
    assert copy != book
    assert book == before
