"""Countries as people give them in feedback."""

from __future__ import annotations

import pycountry
import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchlab_agent.shipping.country_names import country_code

pytestmark = pytest.mark.quick


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("DE", "DE"),
        ("de", "DE"),
        (" no ", "NO"),
        ("DEU", "DE"),
        ("Germany", "DE"),
        ("GERMANY", "DE"),
        ("the country is DE", "DE"),
        ("it is in the United Arab Emirates.", "AE"),
        ("the Netherlands", "NL"),
        ("UK", "GB"),
        ("uk", "GB"),
        ("EU", "EU"),
        ("European Union", "EU"),
        ("USA", "US"),
        ("Türkiye", "TR"),
        ("turkey", "TR"),
        ("South Korea", "KR"),
        ("Côte d’Ivoire", "CI"),
        ("cote d'ivoire", "CI"),
        ("DR Congo", "CD"),
        ("", None),
        ("?", None),
        ("840", None),
        ("XX", None),
        ("Ruritania", None),
        ("IT or DE", None),
        ("Congo", None),
        ("Germany or Italy", None),
        ("no embargo", None),
    ],
)
def test_a_code_or_a_name_is_understood_if_it_is_of_one_country(
    text: str, code: str | None
) -> None:
    assert country_code(text) == code


@pytest.mark.parametrize("field", ["alpha_2", "alpha_3", "name"])
def test_every_country_of_iso_3166_is_known_by_its_codes_and_its_name(field: str) -> None:
    for country in pycountry.countries:
        name = getattr(country, field)
        if name != "Congo":
            assert {country_code(name), country_code(name.lower())} == {country.alpha_2}


@given(st.text(max_size=30))
def test_any_text_gives_a_code_or_none(text: str) -> None:
    assert country_code(text) in {None, "EU", *(each.alpha_2 for each in pycountry.countries)}
