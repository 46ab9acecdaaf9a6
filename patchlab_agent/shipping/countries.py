"""The codes of countries."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

_ISO_3166 = """
AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR
BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ
EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW
GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY
KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV
MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY
QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG
TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM
ZW
"""
# Listed rather than taken from pycountry, which takes a tenth of a second to load.
# https://www.iso.org/iso-3166-country-codes.html
CODES = frozenset(_ISO_3166.split()) | {"EU", "XK"}
"""The codes of ISO 3166-1 alpha-2; EU, which it reserves, and XK, which is in use for Kosovo."""


def code_of(text: str) -> str | None:
    """Return a text as a country's code, in capitals; None if it is not one.

    Example:
        >>> code_of("pt"), code_of("Portugal")
        ('PT', None)
    """
    code = text.strip().upper()
    return code if code in CODES else None


def _known(code: str) -> str:
    if code not in CODES:
        raise ValueError("must be a country's code in capitals, such as PT (ISO 3166-1), or EU")
    return code


CountryCode = Annotated[str, AfterValidator(_known)]
