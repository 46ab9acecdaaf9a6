"""What a shipment costs."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patchlab_agent.shipping.tables import rows
from patchlab_agent.shipping.tariff import price_eur

pytestmark = pytest.mark.quick

CODES = ["DE", "EU", "GB", "US", "JP", "ZZ"]


@pytest.mark.parametrize(
    ("kg", "country", "euros"),
    [
        (2.0, "DE", 8.40),
        (2.0, "EU", 8.40),
        (10.0, "GB", 30.00),
        (2.0, "US", 23.60),
        (0.001, "US", 14.00),
        (0.125, "JP", 14.60),
        (1 / 3, "FR", 6.40),
        (1.0, "ZZ", 18.80),
    ],
)
def test_a_base_fee_and_a_rate_to_the_cent(kg: float, country: str, euros: float) -> None:
    assert price_eur(kg, country) == euros


@pytest.mark.parametrize(("kg", "country"), [(None, "DE"), (2.0, None), (None, None)])
def test_no_price_without_the_facts(kg: float | None, country: str | None) -> None:
    assert price_eur(kg, country) is None


def test_a_country_is_in_one_zone() -> None:
    codes = [code for row in rows("tariff") for code in row["countries"].split()]
    assert len(codes) == len(set(codes))
    assert codes.count("*") == 1


@given(
    st.floats(0.001, 1e6),
    st.floats(0.001, 1e6),
    st.sampled_from(CODES),
)
@settings(max_examples=100, derandomize=True)
def test_more_weight_never_costs_less(one: float, other: float, country: str) -> None:
    light, heavy = sorted((one, other))
    low, high = price_eur(light, country), price_eur(heavy, country)
    assert low is not None
    assert high is not None
    assert 0 < low <= high
    assert round(low, 2) == low
