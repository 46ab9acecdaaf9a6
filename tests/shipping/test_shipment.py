"""The truth behind a request."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from patchlab_agent.shipping.schema import Declaration
from patchlab_agent.shipping.shipment import Shipment
from tests.shipping.helpers import shipment

pytestmark = pytest.mark.quick


def test_names_are_normalised_and_services_optional() -> None:
    found = shipment(item=" Olive  OIL", parcel="Box")
    assert (found.item, found.parcel) == ("olive oil", "box")
    assert found.services == ()
    assert shipment(services=["fragile"]).services == (Declaration.FRAGILE,)


def test_a_shipment_comes_back_from_its_json() -> None:
    found = shipment(services=["hazmat", "insurance"], weight_kg=0.1 + 0.2)
    assert Shipment.model_validate_json(found.model_dump_json()) == found


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("weight_kg", 0),
        ("weight_kg", -1),
        ("weight_kg", float("nan")),
        ("weight_kg", float("inf")),
        ("weight_kg", 2e6),
        ("weight_kg", None),
        ("weight_kg", True),
        ("weight_kg", "1_000"),
        ("weight_kg", "2,5"),
        ("weight_kg", 10**400),
        ("item", ""),
        ("item", "..."),
        ("item", "null"),
        ("parcel", "N/A"),
        ("parcel", "unknown"),
        ("parcel", "one two three four five"),
        ("country", "us"),
        ("country", "USA"),
        ("country", "UK"),
        ("country", "ZZ"),
        ("services", ["overnight"]),
        ("price", 3),
    ],
)
def test_what_is_no_shipment_is_refused(field: str, value: Any) -> None:
    with pytest.raises(ValidationError, match=field):
        shipment(**{field: value})
