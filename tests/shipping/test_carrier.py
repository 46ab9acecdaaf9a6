"""The carrier's word on a quote: every label, with field, value and detail, in its order."""

from __future__ import annotations

from typing import Any

import pytest

from patchlab_agent.models.trace import OK, Feedback
from patchlab_agent.shipping.carrier import LABELS, Carrier
from patchlab_agent.shipping.tables import carrier_rules
from tests.shipping.helpers import quote, shipment

CARRIER = Carrier(carrier_rules())
Changes = dict[str, Any]

TABLE: list[tuple[Changes, Changes, tuple[str, str, Any, str]]] = [
    (
        {},
        {"weight": None, "weight_kg": None},
        ("weight_missing", "weight", None, "2 kg on the scale"),
    ),
    (
        {},
        {"unit": "lb", "kg_per_unit": None, "weight_kg": None},
        ("unit_unknown", "unit", "lb", "1 lb is 0.45359237 kg"),
    ),
    (
        {},
        {"unit": "LBS", "kg_per_unit": None, "weight_kg": None},
        ("unit_unknown", "unit", "LBS", "1 LBS is 0.45359237 kg"),
    ),
    (
        {"weight_kg": 1.25},
        {"unit": "zorkmid", "kg_per_unit": None, "weight_kg": None},
        ("unit_unknown", "unit", "zorkmid", "1.25 kg on the scale"),
    ),
    (
        {},
        {"unit": None, "kg_per_unit": None, "weight_kg": None},
        ("unit_unknown", "unit", None, "2 kg on the scale"),
    ),
    ({}, {"item": "shoes"}, ("item_unknown", "item", "shoes", "books: print")),
    ({}, {"item": None}, ("item_unknown", "item", None, "books: print")),
    (
        {"item": "tent"},
        {"item": "tent", "category": None},
        ("item_unknown", "item", "tent", "tent: outdoor"),
    ),
    ({}, {"category": "toys"}, ("item_unknown", "item", "books", "books: print")),
    ({}, {"parcel": "crate"}, ("parcel_unknown", "parcel", "crate", "box: up to 30 kg")),
    (
        {"parcel": "tube"},
        {"parcel": "tube", "parcel_limit_kg": None},
        ("parcel_unknown", "parcel", "tube", "tube: up to 5 kg"),
    ),
    (
        {"country": "DE"},
        {"destination": "berlin", "country": None},
        ("destination_unknown", "destination", "berlin", "DE"),
    ),
    (
        {"country": "GE"},
        {"destination": "georgia"},
        ("destination_unknown", "destination", "georgia", "GE"),
    ),
    ({}, {"weight_kg": 2.5}, ("weight_mismatch", "weight_kg", 2.5, "2 kg on the scale")),
    ({}, {"weight_kg": None}, ("weight_mismatch", "weight_kg", None, "2 kg on the scale")),
    (
        {"item": "weapon"},
        {"item": "weapon", "category": "weapons"},
        ("prohibited_item", "item", "weapon", "weapon: prohibited"),
    ),
    (
        {"country": "IR"},
        {"destination": "iran", "country": "IR"},
        ("embargo_destination", "destination", "iran", "under embargo"),
    ),
    (
        {"item": "wine"},
        {"item": "wine", "category": "liquid"},
        ("liquid_restricted", "parcel", "box", "wine: liquid; box: no liquids"),
    ),
    (
        {"weight_kg": 31},
        {"weight_kg": 31, "weight": 31},
        ("overweight_parcel", "parcel", "box", "box: up to 30 kg"),
    ),
    (
        {"item": "battery"},
        {"item": "battery", "category": "electronics"},
        ("hazmat_undeclared", "declarations", [], "battery: hazmat"),
    ),
    (
        {"item": "plasma"},
        {"item": "plasma", "category": "medicine", "declarations": ["hazmat"]},
        ("temperature_uncontrolled", "declarations", ["hazmat"], "plasma: temperature"),
    ),
    (
        {"item": "mirror"},
        {"item": "mirror", "category": "household"},
        ("fragile_undeclared", "declarations", [], "mirror: fragile"),
    ),
    (
        {"item": "laptop"},
        {"item": "laptop", "category": "electronics"},
        ("insurance_required", "declarations", [], "laptop: insurance"),
    ),
    (
        {"services": ["insurance"]},
        {"declarations": ["fragile"]},
        ("insurance_required", "declarations", ["fragile"], "the sender asked: insurance"),
    ),
    (
        {},
        {"refusal": "prohibited_item"},
        ("wrong_refusal", "refusal", "prohibited_item", "books: not prohibited"),
    ),
    (
        {},
        {"refusal": "embargo_destination"},
        ("wrong_refusal", "refusal", "embargo_destination", "US: no embargo"),
    ),
    (
        {},
        {"refusal": "liquid_restricted"},
        ("wrong_refusal", "refusal", "liquid_restricted", "books: no liquid"),
    ),
    (
        {"item": "wine", "parcel": "crate"},
        {"refusal": "liquid_restricted"},
        ("wrong_refusal", "refusal", "liquid_restricted", "crate: takes liquids"),
    ),
    (
        {},
        {"refusal": "overweight_parcel"},
        (
            "wrong_refusal",
            "refusal",
            "overweight_parcel",
            "box: up to 30 kg; 2 kg on the scale",
        ),
    ),
]


@pytest.mark.parametrize(("truth", "given", "wanted"), TABLE, ids=lambda v: str(v)[:40])
def test_a_wrong_quote_gets_its_label(
    truth: Changes, given: Changes, wanted: tuple[str, str, Any, str]
) -> None:
    label, field, value, detail = wanted
    found = CARRIER.judge(shipment(**truth), quote(**given))
    assert found == Feedback(label=label, field=field, value=value, detail=detail)
    assert not found.ok


def test_an_answer_of_no_use_is_invalid() -> None:
    assert CARRIER.judge(shipment(), None) == Feedback(label="invalid_response")


def test_the_table_above_has_every_label() -> None:
    assert {label for _, _, (label, *_) in TABLE} | {"invalid_response"} == set(LABELS)
    assert len(LABELS) == len(set(LABELS)) == 16


@pytest.mark.parametrize(
    ("truth", "given"),
    [
        ({}, {}),
        ({}, {"item": "BOOKS", "parcel": " Box", "unit": "KG"}),
        ({}, {"declarations": ["fragile", "insurance"]}),
        ({}, {"weight_kg": 2.0199}),
        ({}, {"weight_kg": 1.9801}),
        ({}, {"price_eur": None}),
        ({"weight_kg": 30}, {"weight_kg": 30}),
        ({"services": ["fragile"]}, {"declarations": ["fragile"]}),
        ({"item": "weapon"}, {"refusal": "prohibited_item"}),
        ({"item": "weapon", "country": "IR"}, {"refusal": "embargo_destination"}),
        ({"item": "wine", "weight_kg": 99}, {"refusal": "overweight_parcel"}),
        ({"item": "wine"}, {"refusal": "liquid_restricted", "item": None, "weight": None}),
    ],
    ids=str,
)
def test_a_right_quote_or_a_rightful_refusal_is_ok(truth: Changes, given: Changes) -> None:
    assert CARRIER.judge(shipment(**truth), quote(**given)) == OK
