"""The carrier's word on a quote: every label, with field, value and detail, in its order."""

from __future__ import annotations

from typing import Any

import pytest

from patchlab_agent.models.trace import OK, Feedback
from patchlab_agent.shipping.carrier import LABELS, Carrier
from patchlab_agent.shipping.tables import carrier_rules
from tests.shipping.helpers import quote, shipment

pytestmark = pytest.mark.quick

CARRIER = Carrier(carrier_rules())
Changes = dict[str, Any]
NOT_HAZMAT = "books: not hazmat"

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
    ({}, {"category": "toys"}, ("item_unknown", "category", "toys", "books: print")),
    (
        {"parcel": "bag"},
        {"parcel": "bag", "parcel_limit_kg": 40.0},
        ("parcel_unknown", "parcel_limit_kg", 40.0, "bag: up to 10 kg"),
    ),
    (
        {"parcel": "crate"},
        {"parcel": "crate", "parcel_limit_kg": 120.0},
        ("parcel_unknown", "parcel_takes_liquids", False, "crate: takes liquids"),
    ),
    (
        {"parcel": "satchel"},
        {"parcel": "satchel", "parcel_limit_kg": 3.0, "parcel_takes_liquids": True},
        ("parcel_unknown", "parcel_takes_liquids", True, "satchel: no liquids"),
    ),
    (
        {},
        {"unit": "lb", "weight": 4.0, "kg_per_unit": 0.5},
        ("unit_unknown", "kg_per_unit", 0.5, "1 lb is 0.45359237 kg"),
    ),
    (
        {},
        {"prohibited": "Umbrella"},
        ("item_unknown", "prohibited", "Umbrella", "umbrella: not prohibited"),
    ),
    ({}, {"prohibited": "toys"}, ("item_unknown", "prohibited", "toys", "toys: not prohibited")),
    (
        {},
        {"embargo": "Japan", "prohibited": "unicorn"},
        ("destination_unknown", "embargo", "Japan", "japan: no embargo"),
    ),
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
    ({}, {"declarations": ["hazmat"]}, ("overdeclared", "declarations", ["hazmat"], NOT_HAZMAT)),
    (
        {"item": "mirror", "services": ["insurance"]},
        {
            "item": "mirror",
            "category": "household",
            "declarations": ["insurance", "temperature", "fragile", "hazmat"],
        },
        (
            "overdeclared",
            "declarations",
            ["insurance", "temperature", "fragile", "hazmat"],
            "mirror: not temperature",
        ),
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


def test_the_carrier_gives_every_label() -> None:
    given = {
        CARRIER.judge(shipment(**truth), quote(**changes)).label for truth, changes, _ in TABLE
    }
    assert given | {CARRIER.judge(shipment(), None).label} == set(LABELS)
    assert len(LABELS) == len(set(LABELS)) == 17


def test_what_no_request_needs_is_a_label_between_the_missing_and_the_refused() -> None:
    assert LABELS[-4:] == (
        "insurance_required",
        "overdeclared",
        "wrong_refusal",
        "invalid_response",
    )


@pytest.mark.parametrize(
    ("truth", "given"),
    [
        ({}, {}),
        ({}, {"item": "BOOKS", "parcel": " Box", "unit": "KG"}),
        (
            {"services": ["fragile", "insurance"]},
            {"declarations": ["insurance", "fragile"]},
        ),
        ({}, {"weight_kg": 2.0199}),
        ({}, {"weight_kg": 1.9801}),
        ({}, {"price_eur": None}),
        ({"weight_kg": 30}, {"weight_kg": 30}),
        ({"services": ["fragile"]}, {"declarations": ["fragile"]}),
        ({}, {"parcel_limit_kg": 30.29}),
        ({}, {"unit": "sack", "kg_per_unit": 0.7}),
        ({}, {"prohibited": "Lighter", "embargo": "Syria"}),
        ({}, {"prohibited": "unicorn", "embargo": "atlantis"}),
        ({"item": "weapon"}, {"refusal": "prohibited_item"}),
        (
            {"item": "weapon"},
            {
                "refusal": "prohibited_item",
                "category": "toys",
                "parcel_limit_kg": 1.0,
                "parcel_takes_liquids": True,
                "declarations": ["hazmat"],
                "prohibited": "books",
                "embargo": "japan",
            },
        ),
        ({"item": "weapon", "country": "IR"}, {"refusal": "embargo_destination"}),
        ({"item": "wine", "weight_kg": 99}, {"refusal": "overweight_parcel"}),
        ({"item": "wine"}, {"refusal": "liquid_restricted", "item": None, "weight": None}),
    ],
    ids=str,
)
def test_a_right_quote_or_a_rightful_refusal_is_ok(truth: Changes, given: Changes) -> None:
    assert CARRIER.judge(shipment(**truth), quote(**given)) == OK
