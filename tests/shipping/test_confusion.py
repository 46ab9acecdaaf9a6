"""Per label: what was there to do, what was done, and what was done rightly."""

from __future__ import annotations

from typing import Any

import pytest

from patchlab_agent.models.case import Case
from patchlab_agent.shipping.carrier import LABELS
from patchlab_agent.skill.seam import Confusion
from tests.shipping.helpers import REQUEST, SIMULATOR, as_json, asked, quote, shipment

Changes = dict[str, Any]
TP, FP, FN = Confusion(1, 0, 0), Confusion(0, 1, 0), Confusion(0, 0, 1)
WRONG, NOTHING = Confusion(0, 1, 1), Confusion()

FIELDS = {
    "weight_missing": TP,
    "weight_mismatch": TP,
    "unit_unknown": TP,
    "destination_unknown": TP,
    "item_unknown": TP,
    "parcel_unknown": TP,
}
REFUSALS = {
    "prohibited_item": NOTHING,
    "embargo_destination": NOTHING,
    "liquid_restricted": NOTHING,
    "overweight_parcel": NOTHING,
}
DECLARED = {
    "hazmat_undeclared": NOTHING,
    "fragile_undeclared": NOTHING,
    "temperature_uncontrolled": NOTHING,
    "insurance_required": NOTHING,
}
ANSWERED = {"invalid_response": TP}
QUOTED = {
    **FIELDS,
    **REFUSALS,
    **DECLARED,
    **ANSWERED,
    "wrong_refusal": TP,
    "overdeclared": TP,
}
REFUSED = {**REFUSALS, **ANSWERED, "wrong_refusal": NOTHING}


def case(**truth: Any) -> Case:
    return Case(request=REQUEST, truth=shipment(**truth).model_dump(mode="json"))


@pytest.mark.parametrize(
    ("truth", "given", "wanted"),
    [
        ({}, {}, {}),
        ({}, {"weight": None, "weight_kg": None}, {"weight_missing": FN, "weight_mismatch": FN}),
        (
            {},
            {"kg_per_unit": None, "weight_kg": None},
            {"unit_unknown": FN, "weight_mismatch": FN},
        ),
        ({}, {"weight_kg": 2.5}, {"weight_mismatch": WRONG}),
        ({}, {"weight_kg": 2.0199}, {}),
        ({}, {"item": None}, {"item_unknown": FN}),
        ({}, {"category": None}, {"item_unknown": FN}),
        ({}, {"item": "shoes"}, {"item_unknown": WRONG}),
        ({}, {"parcel": None}, {"parcel_unknown": FN}),
        ({}, {"parcel_limit_kg": None}, {"parcel_unknown": FN}),
        ({}, {"parcel": "bag"}, {"parcel_unknown": WRONG}),
        ({}, {"parcel_limit_kg": 40.0}, {"parcel_unknown": WRONG}),
        ({}, {"parcel_limit_kg": 30.2}, {}),
        ({}, {"parcel_takes_liquids": True}, {"parcel_unknown": WRONG}),
        ({}, {"category": "toys"}, {"item_unknown": WRONG}),
        ({}, {"country": None}, {"destination_unknown": FN}),
        ({}, {"country": "DE"}, {"destination_unknown": WRONG}),
        ({}, {"declarations": ["hazmat"]}, {"hazmat_undeclared": FP, "overdeclared": FN}),
        ({"services": ["hazmat"]}, {"declarations": ["hazmat"]}, {"hazmat_undeclared": TP}),
        (
            {},
            {"declarations": ["hazmat"], "refusal": "liquid_restricted"},
            {
                "hazmat_undeclared": FP,
                "overdeclared": FN,
                "liquid_restricted": FP,
                "wrong_refusal": FN,
            },
        ),
        ({"item": "books", "services": ["fragile"]}, {}, {"fragile_undeclared": FN}),
        (
            {"services": ["fragile", "insurance"]},
            {"declarations": ["fragile", "temperature"]},
            {
                "fragile_undeclared": TP,
                "insurance_required": FN,
                "temperature_uncontrolled": FP,
                "overdeclared": FN,
            },
        ),
        (
            {},
            {"refusal": "prohibited_item"},
            {"prohibited_item": FP, "wrong_refusal": FN},
        ),
        (
            {},
            {"refusal": "overweight_parcel", "weight_kg": 31},
            {"overweight_parcel": FP, "wrong_refusal": FN, "weight_mismatch": WRONG},
        ),
    ],
    ids=str,
)
def test_of_a_shipment_to_be_quoted_every_field_counts(
    truth: Changes, given: Changes, wanted: dict[str, Confusion]
) -> None:
    assert SIMULATOR.confusion(case(**truth), as_json(quote(**given))) == {**QUOTED, **wanted}


@pytest.mark.parametrize(
    ("truth", "given", "wanted"),
    [
        ({"item": "weapon"}, {"refusal": "prohibited_item"}, {"prohibited_item": TP}),
        ({"country": "SY"}, {"refusal": "embargo_destination"}, {"embargo_destination": TP}),
        ({"item": "wine"}, {"refusal": "liquid_restricted"}, {"liquid_restricted": TP}),
        ({"weight_kg": 31}, {"refusal": "overweight_parcel"}, {"overweight_parcel": TP}),
        ({"item": "weapon"}, {}, {"prohibited_item": FN, "wrong_refusal": FP}),
        (
            {"item": "weapon"},
            {"refusal": "prohibited_item", "declarations": ["hazmat"]},
            {"prohibited_item": TP},
        ),
        (
            {"item": "weapon"},
            {"refusal": "embargo_destination"},
            {"prohibited_item": FN, "embargo_destination": FP},
        ),
        (
            {"item": "weapon", "country": "SY", "weight_kg": 31},
            {"refusal": "embargo_destination"},
            {"embargo_destination": TP},
        ),
        (
            {"item": "weapon", "country": "SY"},
            {},
            {"prohibited_item": FN, "embargo_destination": FN, "wrong_refusal": FP},
        ),
        (
            {"item": "weapon", "country": "SY"},
            {"refusal": "overweight_parcel"},
            {"prohibited_item": FN, "embargo_destination": FN, "overweight_parcel": FP},
        ),
    ],
    ids=str,
)
def test_of_a_shipment_to_be_refused_only_the_refusal_counts(
    truth: Changes, given: Changes, wanted: dict[str, Confusion]
) -> None:
    assert SIMULATOR.confusion(case(**truth), as_json(quote(**given))) == {**REFUSED, **wanted}


def test_an_unusable_answer_does_nothing_of_what_was_to_do() -> None:
    quoted = SIMULATOR.confusion(case(services=["fragile"]), None)
    misses = {name for name, counts in quoted.items() if counts == FN}
    assert misses == {
        *FIELDS,
        "fragile_undeclared",
        "overdeclared",
        "wrong_refusal",
        "invalid_response",
    }
    assert {name for name, counts in quoted.items() if counts not in (FN, NOTHING)} == set()
    refused = SIMULATOR.confusion(case(item="weapon"), None)
    assert {name for name, counts in refused.items() if counts == FN} == {
        "prohibited_item",
        "invalid_response",
    }


def test_every_label_is_counted_over_the_golden_set() -> None:
    names = {name for found in SIMULATOR.golden() for name in SIMULATOR.confusion(found, None)}
    assert names == set(LABELS)


def test_a_right_answer_has_neither_false_positives_nor_false_negatives() -> None:
    right = 0
    for found in SIMULATOR.golden():
        given = asked(found.request, SIMULATOR.concerning(found))
        if not SIMULATOR.judge(found, given).ok or found.stratum == "adversarial":
            continue
        right += 1
        for label, counts in SIMULATOR.confusion(found, given).items():
            assert counts.false_negative == 0, (found.request, label)
            assert counts.false_positive == 0, (found.request, label)
    assert right > 150
