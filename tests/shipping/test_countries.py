"""The codes of countries."""

from __future__ import annotations

import pycountry
import pytest

from patchlab_agent.shipping.countries import CODES
from patchlab_agent.shipping.tables import rows

pytestmark = pytest.mark.quick


def test_the_codes_are_those_of_iso_3166_and_two_more() -> None:
    assert CODES - {country.alpha_2 for country in pycountry.countries} == {"EU", "XK"}
    assert {country.alpha_2 for country in pycountry.countries} <= CODES


def test_the_tables_name_no_other_country() -> None:
    zones = {code for row in rows("tariff") for code in row["countries"].split()} - {"*"}
    assert zones | {row["country"] for row in rows("destinations")} <= CODES
