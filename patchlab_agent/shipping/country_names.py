"""Country codes, by what people write for a country: ISO 3166-1, and names that it words otherwise.

As with other names of a lesson's subject, no table of the carrier is read.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from patchlab_agent.shipping.english import FILLERS
from patchlab_agent.text import words

_UNION = "EU"
"""The one code of the carrier's that is no country's."""
_USUAL = {
    "america": "US",
    "britain": "GB",
    "brunei": "BN",
    "cape verde": "CV",
    "dr congo": "CD",
    "england": "GB",
    "eu": _UNION,
    "european union": _UNION,
    "great britain": "GB",
    "holland": "NL",
    "ivory coast": "CI",
    "northern ireland": "GB",
    "palestine": "PS",
    "republic of ireland": "IE",
    "russia": "RU",
    "scotland": "GB",
    "turkey": "TR",
    "uae": "AE",
    "uk": "GB",
    "vatican": "VA",
    "wales": "GB",
}
"""Usual names that ISO does not list."""
_SHARED = "congo"
"""What ISO calls one of two countries that people call so."""
_CODE = re.compile(r"\b[A-Z]{2}\b")


def country_code(text: str) -> str | None:
    """Return the code of the one country that a text gives, by code or by name; None if unclear.

    Codes are two capitals anywhere in the text; a name is the whole of it, but for words that name
    nothing: `DE`, `the country is DE`, `de`, `DEU`, `Germany`, `in the United Arab Emirates`.
    """
    codes = {_names().get(found.lower()) for found in _CODE.findall(text)} - {None}
    if codes:
        return codes.pop() if len(codes) == 1 else None
    tokens = _folded(text)
    while tokens[1:] and tokens[0] in {*FILLERS, "country"}:
        tokens = tokens[1:]
    return _names().get(" ".join(tokens))


@cache
def _names() -> dict[str, str]:
    import pycountry  # noqa: PLC0415 - only learning needs it

    fields = ("alpha_2", "alpha_3", "common_name", "official_name", "name")
    listed = {
        " ".join(_folded(getattr(country, field))): str(country.alpha_2)
        for field in fields
        for country in pycountry.countries
        if hasattr(country, field)
    }
    del listed[_SHARED]
    return {**listed, **_USUAL}


def _folded(text: str) -> tuple[str, ...]:
    """Return the words of a text without accents, and with one kind of apostrophe."""
    spread = unicodedata.normalize("NFKD", text.replace("’", "'"))
    return words("".join(char for char in spread if not unicodedata.combining(char)))
