"""The union of fixes: what each says, what it claims, and the book that is made of them."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from patchlab_agent.models.base import Output
from patchlab_agent.models.patch import Fix
from patchlab_agent.shipping.fix import RequestPart
from patchlab_agent.shipping.rule_book import RuleBook
from patchlab_agent.shipping.rules import (
    DestinationFix,
    EmbargoFix,
    ExampleFix,
    ItemFix,
    LiquidsFix,
    ParcelFix,
    RestrictionFix,
    RevokedFix,
    ShippingFix,
    UnitFix,
    parse_fix,
)
from patchlab_agent.shipping.schema import Declaration
from tests.shipping.helpers import REQUEST, answer

pytestmark = pytest.mark.quick

EVERY: list[tuple[ShippingFix, RequestPart, tuple[str, ...]]] = [
    (UnitFix(unit="lb", kg_per_unit=0.45), "unit", ("unit", "lb")),
    (ParcelFix(parcel="tube", limit_kg=5), "parcel", ("parcel", "tube")),
    (DestinationFix(alias="Berlin", country="DE"), "destination", ("destination", "berlin")),
    (ItemFix(item="tent", category="outdoor"), "item", ("item", "tent")),
    (
        RestrictionFix(item="ivory", demand="prohibited"),
        "item",
        ("restriction", "ivory", "prohibited"),
    ),
    (
        RestrictionFix(item="battery", demand="hazmat"),
        "item",
        ("restriction", "battery", "hazmat"),
    ),
    (EmbargoFix(destination="Syria"), "destination", ("embargo", "syria")),
    (LiquidsFix(parcel="crate"), "parcel", ("liquids", "crate")),
    (
        RevokedFix(rule="prohibited", subject="umbrella"),
        "item",
        ("revoked", "prohibited", "umbrella"),
    ),
    (RevokedFix(rule="embargo", subject="cuba"), "destination", ("revoked", "embargo", "cuba")),
    (RevokedFix(rule="liquids", subject="satchel"), "parcel", ("revoked", "liquids", "satchel")),
    *[
        (
            RevokedFix.model_validate({"rule": declaration, "subject": "books"}),
            "item",
            ("revoked", declaration, "books"),
        )
        for declaration in ("hazmat", "fragile", "temperature", "insurance")
    ],
    (ExampleFix(request=REQUEST, answer=answer()), "weight", ("example", REQUEST.lower())),
]


@pytest.mark.parametrize(("fix", "slot", "subject"), EVERY, ids=lambda v: str(v)[:30])
def test_a_fix_names_its_part_of_a_request_and_its_subject(
    fix: ShippingFix, slot: str, subject: tuple[str, ...]
) -> None:
    assert fix.request_part == slot
    assert fix.subject_key == subject


BANNED: Output = {"item": "gas lighter", "prohibited": "lighter", "refusal": "prohibited_item"}
EMBARGOED: Output = {"embargo": "iran", "refusal": "embargo_destination"}
HOLDS: list[tuple[ShippingFix, Output, bool | None]] = [
    (RestrictionFix(item="lighter", demand="prohibited"), BANNED, True),
    (RevokedFix(rule="prohibited", subject="lighter"), BANNED, False),
    (
        RestrictionFix(item="lighter", demand="hazmat"),
        {"item": "books", "prohibited": "lighter", "declarations": []},
        None,
    ),
    (EmbargoFix(destination="iran"), EMBARGOED, True),
    (EmbargoFix(destination="oslo"), EMBARGOED, None),
    (RevokedFix(rule="embargo", subject="iran"), EMBARGOED, False),
    (RevokedFix(rule="embargo", subject="cuba"), EMBARGOED, None),
    (UnitFix(unit="lb", kg_per_unit=0.4536), {"unit": "lb", "kg_per_unit": 0.45}, True),
    (UnitFix(unit="lb", kg_per_unit=0.4536), {"unit": " LB", "kg_per_unit": 0.5}, False),
    (UnitFix(unit="lb", kg_per_unit=0.4536), {"unit": "lb", "kg_per_unit": None}, False),
    (UnitFix(unit="lb", kg_per_unit=0.4536), {"unit": "oz", "kg_per_unit": 0.4536}, None),
    (UnitFix(unit="lb", kg_per_unit=0.4536), {"unit": None, "kg_per_unit": None}, None),
    (ParcelFix(parcel="tube", limit_kg=5), {"parcel": "tube", "parcel_limit_kg": 5.04}, True),
    (ParcelFix(parcel="tube", limit_kg=5), {"parcel": "tube", "parcel_limit_kg": 30}, False),
    (ParcelFix(parcel="tube", limit_kg=5), {"parcel": "tube", "parcel_limit_kg": None}, False),
    (ParcelFix(parcel="tube", limit_kg=5), {"parcel": "tube"}, None),
    (ParcelFix(parcel="tube", limit_kg=5), {"parcel": "box", "parcel_limit_kg": 5}, None),
    (
        DestinationFix(alias="berlin", country="DE"),
        {"destination": "Berlin", "country": "DE"},
        True,
    ),
    (
        DestinationFix(alias="berlin", country="DE"),
        {"destination": "berlin", "country": "US"},
        False,
    ),
    (
        DestinationFix(alias="berlin", country="DE"),
        {"destination": "berlin", "country": None},
        False,
    ),
    (DestinationFix(alias="berlin", country="DE"), {"destination": "us", "country": "DE"}, None),
    (ItemFix(item="tent", category="outdoor"), {"item": "tent", "category": "outdoor"}, True),
    (ItemFix(item="tent", category="outdoor"), {"item": "tent", "category": "print"}, False),
    (ItemFix(item="tent", category="outdoor"), {"item": "tent", "category": None}, False),
    (ItemFix(item="tent", category="outdoor"), {"item": "books", "category": "outdoor"}, None),
    (
        RestrictionFix(item="ivory", demand="prohibited"),
        {"item": "ivory", "refusal": "prohibited_item"},
        True,
    ),
    (
        RestrictionFix(item="ivory", demand="prohibited"),
        {"item": "ivory", "refusal": "overweight_parcel"},
        None,
    ),
    (
        RestrictionFix(item="ivory", demand="prohibited"),
        {"item": "weapon", "refusal": "prohibited_item"},
        None,
    ),
    (
        RestrictionFix(item="battery", demand="hazmat"),
        {"item": "battery", "declarations": ["fragile", "hazmat"]},
        True,
    ),
    (
        RestrictionFix(item="battery", demand="hazmat"),
        {"item": "battery", "declarations": ["fragile"]},
        False,
    ),
    (
        RestrictionFix(item="battery", demand="hazmat"),
        {"item": "battery", "declarations": []},
        False,
    ),
    (RestrictionFix(item="battery", demand="hazmat"), {"item": "battery"}, None),
    (
        RestrictionFix(item="battery", demand="hazmat"),
        {"item": "drone", "declarations": ["hazmat"]},
        None,
    ),
    (
        EmbargoFix(destination="syria"),
        {"destination": "syria", "refusal": "embargo_destination"},
        True,
    ),
    (EmbargoFix(destination="syria"), {"destination": "syria", "refusal": "prohibited_item"}, None),
    (EmbargoFix(destination="syria"), {"destination": "syria", "refusal": None}, False),
    (EmbargoFix(destination="syria"), {"destination": "us", "refusal": None}, None),
    (LiquidsFix(parcel="crate"), {"parcel": "crate", "parcel_takes_liquids": True}, True),
    (LiquidsFix(parcel="crate"), {"parcel": "crate", "parcel_takes_liquids": False}, False),
    (LiquidsFix(parcel="crate"), {"parcel": "box", "parcel_takes_liquids": True}, None),
    (RevokedFix(rule="prohibited", subject="tv"), {"item": "tv", "refusal": None}, True),
    (
        RevokedFix(rule="prohibited", subject="tv"),
        {"item": "tv", "refusal": "prohibited_item"},
        False,
    ),
    (RevokedFix(rule="prohibited", subject="tv"), {"item": "books", "refusal": None}, None),
    (RevokedFix(rule="embargo", subject="cuba"), {"destination": "cuba", "refusal": None}, True),
    (
        RevokedFix(rule="embargo", subject="cuba"),
        {"destination": "cuba", "refusal": "embargo_destination"},
        False,
    ),
    (RevokedFix(rule="embargo", subject="cuba"), {"destination": "us", "refusal": None}, None),
    (
        RevokedFix(rule="liquids", subject="bag"),
        {"parcel": "bag", "parcel_takes_liquids": False},
        True,
    ),
    (
        RevokedFix(rule="liquids", subject="bag"),
        {"parcel": "bag", "parcel_takes_liquids": True},
        False,
    ),
    (
        RevokedFix(rule="liquids", subject="bag"),
        {"parcel": "box", "parcel_takes_liquids": False},
        None,
    ),
    (RevokedFix(rule="hazmat", subject="tv"), {"item": "tv", "declarations": []}, True),
    (RevokedFix(rule="hazmat", subject="tv"), {"item": "tv", "declarations": ["hazmat"]}, False),
    (RevokedFix(rule="hazmat", subject="tv"), {"item": "books", "declarations": []}, None),
    (ExampleFix(request=REQUEST, answer=answer()), {"weight": 2.01}, True),
    (ExampleFix(request=REQUEST, answer=answer()), {"weight": 12}, False),
    (ExampleFix(request=REQUEST, answer=answer()), {"weight": None}, False),
]


@pytest.mark.parametrize(("fix", "quote", "holds"), HOLDS, ids=lambda v: str(v)[:40])
def test_an_answer_agrees_with_a_fix_or_not_or_does_not_speak_of_its_subject(
    fix: ShippingFix, quote: Output, holds: bool | None
) -> None:
    assert fix.holds_in(quote) is holds


def test_the_table_of_answers_has_each_outcome_of_every_kind() -> None:
    found = {type(fix): set[bool | None]() for fix, *_ in EVERY}
    for fix, _, holds in HOLDS:
        found[type(fix)].add(holds)
    # An example speaks of every weight that an answer names.
    assert found.pop(ExampleFix) == {True, False}
    assert all(outcomes == {True, False, None} for outcomes in found.values())


LABELS: Output = {
    "weight_kg": 2.0,
    "item": "battery",
    "category": "electronics",
    "parcel": "crate",
    "parcel_limit_kg": 100.0,
    "parcel_takes_liquids": True,
    "country": "SY",
    "declarations": ["hazmat"],
    "refusal": "embargo_destination",
}
"""The right answer of a labeled case, which names neither unit nor destination nor number."""


@pytest.mark.parametrize(
    ("fix", "holds"),
    [
        (UnitFix(unit="lb", kg_per_unit=0.4536), None),
        (ParcelFix(parcel="crate", limit_kg=100), True),
        (ParcelFix(parcel="crate", limit_kg=10), False),
        (ParcelFix(parcel="tube", limit_kg=100), None),
        (DestinationFix(alias="damascus", country="SY"), True),
        (DestinationFix(alias="damascus", country="DE"), False),
        (ItemFix(item="battery", category="electronics"), True),
        (ItemFix(item="battery", category="print"), False),
        (ItemFix(item="books", category="print"), None),
        (RestrictionFix(item="battery", demand="hazmat"), True),
        (RestrictionFix(item="battery", demand="fragile"), False),
        # The refusal for another reason hides whether this one holds.
        (RestrictionFix(item="battery", demand="prohibited"), None),
        (RestrictionFix(item="drone", demand="hazmat"), None),
        (EmbargoFix(destination="damascus"), True),
        (LiquidsFix(parcel="crate"), True),
        (LiquidsFix(parcel="box"), None),
        (RevokedFix(rule="prohibited", subject="battery"), None),
        (RevokedFix(rule="fragile", subject="battery"), True),
        (RevokedFix(rule="hazmat", subject="battery"), False),
        (RevokedFix(rule="hazmat", subject="drone"), None),
        (RevokedFix(rule="embargo", subject="damascus"), False),
        (RevokedFix(rule="liquids", subject="crate"), False),
        (RevokedFix(rule="liquids", subject="box"), None),
        (ExampleFix(request=REQUEST, answer=answer()), None),
    ],
    ids=lambda v: str(v)[:40],
)
def test_labels_agree_with_a_fix_by_what_they_name(fix: ShippingFix, holds: bool | None) -> None:
    assert fix.holds_in(LABELS) is holds


@pytest.mark.parametrize("fix", [fix for fix, *_ in EVERY], ids=lambda fix: str(fix)[:30])
def test_a_fix_says_nothing_of_an_answer_that_names_nothing(fix: ShippingFix) -> None:
    named = dict.fromkeys(("unit", "item", "parcel", "destination"))
    assert fix.holds_in(named) is None


@pytest.mark.parametrize(
    ("withdrawal", "rule"),
    [
        (
            RevokedFix(rule="prohibited", subject="tv"),
            RestrictionFix(item="TV", demand="prohibited"),
        ),
        (RevokedFix(rule="hazmat", subject="tv"), RestrictionFix(item="tv", demand="hazmat")),
        (RevokedFix(rule="embargo", subject="cuba"), EmbargoFix(destination="Cuba")),
        (RevokedFix(rule="liquids", subject="bag"), LiquidsFix(parcel="bag")),
    ],
)
def test_a_withdrawal_contradicts_the_rule_that_it_withdraws(
    withdrawal: RevokedFix, rule: ShippingFix
) -> None:
    assert withdrawal.conflict_key == rule.conflict_key == rule.subject_key
    assert withdrawal.subject_key != rule.subject_key


def test_fixes_of_different_subjects_do_not_contradict_each_other() -> None:
    keys = [fix.conflict_key for fix, *_ in EVERY]
    assert len(set(keys)) == len(keys)


def test_fixes_that_say_something_else_of_one_subject_contradict_each_other() -> None:
    one = DestinationFix(alias="Georgia", country="GE")
    assert one.conflict_key == DestinationFix(alias="georgia", country="US").conflict_key


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
        {"kind": "revoked", "rule": "overweight", "subject": "tent"},
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


@pytest.mark.parametrize(
    "rule",
    ["prohibited", "embargo", "liquids", "hazmat", "fragile", "temperature", "insurance"],
)
def test_withdrawing_what_never_held_changes_nothing(rule: str) -> None:
    assert RuleBook.of([RevokedFix.model_validate({"rule": rule, "subject": "x"})]) == RuleBook()


def test_a_withdrawn_prohibition_leaves_the_declarations() -> None:
    rules: list[Fix] = [RestrictionFix(item="violin", demand="insurance")]
    rules += [RestrictionFix(item="violin", demand="prohibited")]
    book = RuleBook.of([*rules, RevokedFix(rule="prohibited", subject="violin")])
    assert not book.prohibits("violin")
    assert book.declarations("violin") == (Declaration.INSURANCE,)


@pytest.mark.parametrize("withdrawn", ["hazmat", "fragile", "temperature", "insurance"])
def test_a_withdrawn_declaration_leaves_the_items_other_demands(withdrawn: str) -> None:
    demands = {"prohibited", "hazmat", "fragile", "temperature", "insurance"}
    book = RuleBook.of(
        RestrictionFix.model_validate({"item": item, "demand": demand})
        for item in ("violin", "guitar")
        for demand in demands
    )
    book.add(RevokedFix.model_validate({"rule": withdrawn, "subject": "violin"}))
    assert book.demands == {"violin": demands - {withdrawn}, "guitar": demands}


@given(st.permutations(["hazmat", "fragile", "temperature", "insurance"]))
@settings(max_examples=24, derandomize=True)
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
