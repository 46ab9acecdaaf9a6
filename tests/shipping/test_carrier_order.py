"""How the carrier decides: in what order, how exactly, and on any quote at all."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patchlab_agent.models.trace import OK
from patchlab_agent.shipping.carrier import LABELS, Carrier
from patchlab_agent.shipping.rules import DestinationFix
from patchlab_agent.shipping.schema import Declaration, Refusal, ShippingQuote
from patchlab_agent.shipping.tables import carrier_rules, rows
from tests.shipping.helpers import quote, shipment

CARRIER = Carrier(carrier_rules())
Changes = dict[str, Any]


@pytest.mark.parametrize("kg", [2.021, 1.979, 0.0, 4.0])
def test_weights_agree_to_one_percent(kg: float) -> None:
    assert CARRIER.judge(shipment(), quote(weight_kg=kg)).label == "weight_mismatch"


def test_a_refusal_for_a_reason_that_does_not_hold_is_judged_as_a_quote() -> None:
    found = CARRIER.judge(
        shipment(item="weapon"),
        quote(item="weapon", category="weapons", refusal="embargo_destination"),
    )
    assert found.label == "prohibited_item"


def test_labels_are_looked_for_in_their_order() -> None:
    truth = shipment(item="plasma", country="IR", weight_kg=31, services=["fragile", "insurance"])
    nothing = dict.fromkeys(ShippingQuote.model_fields, None)
    given: Changes = {**nothing, "parcel_takes_liquids": False, "declarations": []}
    steps: list[tuple[str, Changes]] = [
        ("weight_missing", {"weight": 31.0}),
        ("unit_unknown", {"unit": "kg", "kg_per_unit": 1.0}),
        ("item_unknown", {"item": "plasma", "category": "wrong"}),
        ("parcel_unknown", {"parcel": "box", "parcel_limit_kg": 30.0}),
        ("destination_unknown", {"country": "IR"}),
        ("weight_mismatch", {"weight_kg": 31.0}),
    ]
    for label, mended in steps:
        assert CARRIER.judge(truth, ShippingQuote.model_validate(given)).label == label
        given |= mended
    assert CARRIER.judge(truth, quote(**given)).label == "embargo_destination"
    truth = truth.model_copy(update={"country": "US"})
    given |= {"country": "US"}
    assert CARRIER.judge(truth, quote(**given)).label == "overweight_parcel"
    truth = truth.model_copy(update={"weight_kg": 2.0})
    given |= {"weight": 2.0, "weight_kg": 2.0}
    for label, declaration in [
        ("hazmat_undeclared", "hazmat"),
        ("fragile_undeclared", "fragile"),
        ("temperature_uncontrolled", "temperature"),
        ("insurance_required", "insurance"),
    ]:
        assert CARRIER.judge(truth, quote(**given)).label == label
        given["declarations"] = [*given["declarations"], declaration]
    assert CARRIER.judge(truth, quote(**given)).detail == "plasma: medicine"


def test_what_is_known_wrongly_is_looked_for_last_and_in_its_order() -> None:
    truth = shipment(parcel="satchel")
    given: Changes = {
        "weight": 3.0,
        "unit": "kilo",
        "kg_per_unit": 2 / 3,
        "category": "toys",
        "parcel": "satchel",
        "parcel_limit_kg": 4.0,
        "parcel_takes_liquids": True,
        "prohibited": "toys",
        "embargo": "japan",
        "declarations": ["hazmat", "fragile"],
    }
    steps: list[tuple[str, str, Changes]] = [
        ("overdeclared", "declarations", {"declarations": ["fragile"]}),
        ("overdeclared", "declarations", {"declarations": []}),
        ("item_unknown", "category", {"category": "print"}),
        ("parcel_unknown", "parcel_limit_kg", {"parcel_limit_kg": 3.0}),
        ("parcel_unknown", "parcel_takes_liquids", {"parcel_takes_liquids": False}),
        ("unit_unknown", "kg_per_unit", {"kg_per_unit": 1.0}),
        ("item_unknown", "prohibited", {"prohibited": "weapon"}),
        ("destination_unknown", "embargo", {"embargo": "iran"}),
    ]
    for label, field, right in steps:
        found = CARRIER.judge(truth, quote(**given))
        assert (found.label, found.field) == (label, field)
        assert found.value == given[field]
        given |= right
    assert CARRIER.judge(truth, quote(**given)) == OK


def test_what_is_missing_is_told_before_what_is_needless() -> None:
    found = CARRIER.judge(
        shipment(item="camera"),
        quote(item="camera", category="electronics", declarations=["hazmat"]),
    )
    assert found.label == "insurance_required"


def test_an_embargo_holds_for_a_country_whatever_its_name() -> None:
    rules = [*carrier_rules(), DestinationFix(alias="persia", country="IR")]
    assert Carrier(rules).judge(shipment(), quote(embargo="persia")) == OK


def test_every_reason_to_refuse_is_found() -> None:
    assert CARRIER.refusals(shipment()) == ()
    everything = shipment(item="weapon", country="SY", weight_kg=31)
    assert CARRIER.refusals(everything) == (
        Refusal.PROHIBITED,
        Refusal.EMBARGO,
        Refusal.OVERWEIGHT,
    )
    assert CARRIER.refusals(shipment(item="wine")) == (Refusal.LIQUID,)
    assert CARRIER.refusals(shipment(item="wine", parcel="drum")) == ()


def test_declarations_are_what_the_item_demands_and_the_sender_asks() -> None:
    assert CARRIER.declarations(shipment(item="violin", services=["hazmat", "fragile"])) == (
        Declaration.HAZMAT,
        Declaration.FRAGILE,
        Declaration.INSURANCE,
    )


@pytest.mark.parametrize(
    ("changes", "unknown"),
    [
        ({}, None),
        ({"item": "unicorn"}, "item 'unicorn'"),
        ({"parcel": "trunk"}, "parcel 'trunk'"),
        ({"country": "AQ"}, "country 'AQ'"),
    ],
)
def test_a_carrier_says_what_it_does_not_know(changes: Changes, unknown: str | None) -> None:
    assert CARRIER.knows(shipment(**changes)) == unknown


SHIPMENTS = st.builds(
    shipment,
    weight_kg=st.floats(0.001, 2000),
    item=st.sampled_from([row["item"] for row in rows("items")]),
    parcel=st.sampled_from([row["parcel"] for row in rows("parcels")]),
    country=st.sampled_from([row["country"] for row in rows("destinations")]),
    services=st.lists(st.sampled_from(list(Declaration)), max_size=2, unique=True),
)
TEXTS = st.none() | st.sampled_from(["books", "wine", "box", "crate", "kg", "liquid"]) | st.text()
QUOTES = st.builds(
    quote,
    weight=st.none() | st.floats(0.001, 2000),
    unit=TEXTS,
    kg_per_unit=st.none() | st.just(1.0),
    weight_kg=st.none() | st.floats(0.001, 2000),
    item=TEXTS,
    category=TEXTS,
    parcel=TEXTS,
    parcel_limit_kg=st.none() | st.just(30.0),
    parcel_takes_liquids=st.booleans(),
    prohibited=TEXTS,
    embargo=st.none() | st.sampled_from(["japan", "iran"]) | st.text(),
    country=st.none() | st.sampled_from(["US", "DE", "IR"]),
    declarations=st.lists(st.sampled_from(list(Declaration)), max_size=4, unique=True),
    refusal=st.none() | st.sampled_from(list(Refusal)),
)


@given(SHIPMENTS, QUOTES)
@settings(max_examples=200, derandomize=True)
def test_any_quote_is_ok_or_gets_a_label_that_says_something(
    truth: Any, given: ShippingQuote
) -> None:
    found = CARRIER.judge(truth, given)
    assert found.ok or (found.label in LABELS and found.field and found.detail)
    assert found == CARRIER.judge(truth, given)
    if found.ok and given.refusal is not None:
        assert given.refusal in CARRIER.refusals(truth)
