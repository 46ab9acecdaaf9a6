"""The simulation: what is expected, what a case needs, and how much that is worth."""

from __future__ import annotations

import random
from functools import cache
from itertools import islice
from typing import Any

import pytest

from patchlab_agent.models.base import Output
from patchlab_agent.models.case import Case
from patchlab_agent.models.patch import Fix
from patchlab_agent.models.trace import OK, Feedback
from patchlab_agent.shipping.carrier import LABELS
from patchlab_agent.shipping.examples import number_example
from patchlab_agent.shipping.rules import (
    DestinationFix,
    EmbargoFix,
    ItemFix,
    LiquidsFix,
    ParcelFix,
    RestrictionFix,
    RevokedFix,
    UnitFix,
)
from patchlab_agent.shipping.simulator import ShippingSimulator
from patchlab_agent.shipping.tables import carrier_rules, known_rules
from patchlab_agent.shipping.toy.lexicon import lexicon
from patchlab_agent.text import same_word, words
from tests.shipping.helpers import REQUEST, SIMULATOR, as_json, asked, meets, quote, shipment

CASES = list(islice(SIMULATOR.requests(random.Random(2)), 500))


def case(request: str = REQUEST, **truth: Any) -> Case:
    return Case(request=request, truth=shipment(**truth).model_dump(mode="json"))


def succeeds(found: Case, fixes: list[Fix]) -> bool:
    return SIMULATOR.judge(found, asked(found.request, fixes)).ok


@cache
def ceiling() -> tuple[bool, ...]:
    """Which of the generated cases are right with all that concerns them."""
    return tuple(succeeds(found, list(SIMULATOR.concerning(found))) for found in CASES)


@cache
def baseline() -> tuple[bool, ...]:
    """Which of them are right with nothing learned."""
    return tuple(succeeds(found, []) for found in CASES)


KG = UnitFix(unit="kg", kg_per_unit=1)
BOX = ParcelFix(parcel="box", limit_kg=30)
US = DestinationFix(alias="us", country="US")
BOOKS = ItemFix(item="books", category="print")


def test_labels_are_the_carriers() -> None:
    assert SIMULATOR.labels == LABELS


def test_a_quote_is_expected_where_the_carrier_takes_the_shipment() -> None:
    assert SIMULATOR.expected(case(item="violin", services=["hazmat"])) == {
        "weight_kg": 2.0,
        "item": "violin",
        "category": "instruments",
        "parcel": "box",
        "parcel_limit_kg": 30.0,
        "parcel_takes_liquids": False,
        "country": "US",
        "declarations": ["hazmat", "fragile", "insurance"],
        "refusal": None,
    }


@pytest.mark.parametrize(
    ("truth", "refusal"),
    [
        ({"item": "weapon"}, "prohibited_item"),
        ({"country": "SY"}, "embargo_destination"),
        ({"item": "wine"}, "liquid_restricted"),
        ({"weight_kg": 31}, "overweight_parcel"),
        ({"item": "weapon", "country": "SY", "weight_kg": 31}, "prohibited_item"),
    ],
)
def test_a_refusal_is_expected_with_every_other_field(truth: Any, refusal: str) -> None:
    expected = SIMULATOR.expected(case(**truth))
    assert expected["refusal"] == refusal
    assert expected.keys() == SIMULATOR.expected(case()).keys()
    assert {name: expected[name] for name in truth} == truth


def test_an_answer_that_is_ok_has_what_is_expected() -> None:
    taken = 0
    for found in (*CASES, *SIMULATOR.golden(), *SIMULATOR.regression()):
        given = asked(found.request, SIMULATOR.concerning(found))
        expected = SIMULATOR.expected(found)
        if expected["refusal"] is None and SIMULATOR.judge(found, given).ok:
            taken += 1
            assert meets(given, expected), found.request
    assert taken > 500


def test_the_carrier_finds_nothing_wrong_with_what_is_expected() -> None:
    for found in (*CASES, *SIMULATOR.golden(), *SIMULATOR.regression()):
        given = as_json(quote()) | SIMULATOR.expected(found)
        assert SIMULATOR.judge(found, given) == OK, found.request


def test_every_fact_that_is_expected_is_judged() -> None:
    plain = case(parcel="crate", services=["fragile"])
    right = as_json(quote()) | SIMULATOR.expected(plain)
    wrong: Output = {
        "weight_kg": 3.0,
        "item": "shoes",
        "category": "toys",
        "parcel": "box",
        "parcel_limit_kg": 100.0,
        "parcel_takes_liquids": False,
        "country": "DE",
        "declarations": ["fragile", "hazmat"],
        "refusal": "liquid_restricted",
    }
    assert wrong.keys() == SIMULATOR.expected(plain).keys()
    assert SIMULATOR.judge(plain, right) == OK
    for field, value in wrong.items():
        assert not SIMULATOR.judge(plain, {**right, field: value}).ok, field


def test_a_known_rule_that_the_carrier_lacks_is_withdrawn_where_it_concerns_a_case(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    outdated: list[Fix] = [
        RestrictionFix(item="books", demand="hazmat"),
        RestrictionFix(item="books", demand="prohibited"),
        RestrictionFix(item="shoes", demand="fragile"),
        EmbargoFix(destination="us"),
        LiquidsFix(parcel="box"),
    ]
    known = [*carrier_rules(), *outdated]
    monkeypatch.setattr("patchlab_agent.shipping.simulator.known_rules", lambda: known)
    assert list(ShippingSimulator().uncovered(case())) == [
        RevokedFix(rule="hazmat", subject="books"),
        RevokedFix(rule="prohibited", subject="books"),
        RevokedFix(rule="embargo", subject="us"),
        RevokedFix(rule="liquids", subject="box"),
    ]


def test_the_withdrawal_of_a_declaration_is_followed() -> None:
    fixes: list[Fix] = [RestrictionFix(item="books", demand="hazmat")]
    assert SIMULATOR.judge(case(), asked(REQUEST, fixes)).label == "overdeclared"
    assert succeeds(case(), [*fixes, RevokedFix(rule="hazmat", subject="books")])


def test_judging_needs_no_quote() -> None:
    assert SIMULATOR.judge(case(), None) == Feedback(label="invalid_response")
    assert SIMULATOR.judge(case(), as_json(quote())) == OK


@pytest.mark.parametrize(
    ("found", "needs"),
    [
        (case(), [KG, BOX, US, BOOKS]),
        (
            case("Ship 2kg shoes, or books, box from Germany to US"),
            [KG, BOX, US, BOOKS],
        ),
        (
            case("Ship 2 lb books tube to Berlin", parcel="tube", country="DE"),
            [
                UnitFix(unit="lb", kg_per_unit=0.45359237),
                ParcelFix(parcel="tube", limit_kg=5),
                DestinationFix(alias="berlin", country="DE"),
                BOOKS,
            ],
        ),
        (
            case("Ship dozen kg books crate to US", parcel="crate"),
            [
                KG,
                ParcelFix(parcel="crate", limit_kg=120),
                LiquidsFix(parcel="crate"),
                US,
                BOOKS,
                number_example("dozen", 12),
            ],
        ),
        (
            case("Ship 2 kg violn box to North Korea", item="violin", country="KP"),
            [
                KG,
                BOX,
                DestinationFix(alias="north korea", country="KP"),
                EmbargoFix(destination="north korea"),
                ItemFix(item="violin", category="instruments"),
                RestrictionFix(item="violin", demand="fragile"),
                RestrictionFix(item="violin", demand="insurance"),
            ],
        ),
        (
            case("Umbrella satchel, 2 kg, Cuba", item="umbrella", parcel="satchel", country="CU"),
            [
                ParcelFix(parcel="satchel", limit_kg=3),
                KG,
                DestinationFix(alias="cuba", country="CU"),
                ItemFix(item="umbrella", category="clothing"),
                RevokedFix(rule="liquids", subject="satchel"),
                RevokedFix(rule="embargo", subject="cuba"),
                RevokedFix(rule="prohibited", subject="umbrella"),
            ],
        ),
    ],
    ids=lambda value: value.request if isinstance(value, Case) else "",
)
def test_exactly_the_rules_that_a_case_needs_concern_it(found: Case, needs: list[Fix]) -> None:
    concerning = list(SIMULATOR.concerning(found))
    assert sorted(map(str, concerning)) == sorted(map(str, needs))
    known = known_rules()
    assert list(SIMULATOR.uncovered(found)) == [fix for fix in concerning if fix not in known]


def test_the_plainest_case_needs_nothing_new() -> None:
    assert list(SIMULATOR.uncovered(case())) == []
    assert succeeds(case(), [])


def misspells_two(request: str) -> bool:
    """Whether a word may be either of two names: `austrlia` is Austria or Australia."""
    known = lexicon(tuple(carrier_rules())).vocabulary
    unknown = [word for word in words(request) if word not in known]
    return any(sum(same_word(name, word) for name in known) > 1 for word in unknown)


def test_the_ceiling_is_near_perfect_without_noise() -> None:
    assert sum(ceiling()) >= 0.99 * len(CASES)


def test_what_is_untaught_is_all_that_was_missing() -> None:
    generated = islice(SIMULATOR.requests(random.Random(11)), 2000)
    cases = [*generated, *SIMULATOR.golden(), *SIMULATOR.regression()]
    wrong = [found for found in cases if not succeeds(found, list(SIMULATOR.uncovered(found)))]
    # No rule tells which of two names a misspelt word means.
    assert [found.request for found in wrong if not misspells_two(found.request)] == []
    assert len(wrong) <= 0.002 * len(cases)


def test_the_baseline_leaves_room_to_learn() -> None:
    assert 0.3 * len(CASES) <= sum(baseline()) <= 0.6 * len(CASES)
    assert all(after for before, after in zip(baseline(), ceiling(), strict=True) if before)


def test_cases_that_need_nothing_new_are_right_from_the_start() -> None:
    right = [
        before
        for found, before in zip(CASES, baseline(), strict=True)
        if not SIMULATOR.uncovered(found)
    ]
    assert len(right) >= 0.3 * len(CASES)
    assert sum(right) >= 0.99 * len(right)


def test_an_unrelated_quote_is_never_ok() -> None:
    nothing: Output = as_json(
        quote(weight=None, weight_kg=None, item=None, parcel=None, country=None)
    )
    assert not any(SIMULATOR.judge(found, nothing).ok for found in CASES)
