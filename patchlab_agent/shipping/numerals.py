"""The value of a number in ASCII digits, if it can be read in one way only."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator

VULGAR = "¼½¾⅐⅑⅒⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞"
NARROW = "\u00a0"
"""Stands for all spaces that do not break, as style guides want them between thousands."""
ARABIC_DECIMAL, ARABIC_THOUSANDS = "\u066b", "\u066c"
"""The marks of Arabic, which leave nothing open."""
MAX_DENOMINATOR = 100

_HEAD, _THREE = "(?P<whole>[1-9][0-9]{0,2}", "[0-9]{3}"
_PART = "(?P<part>[0-9]+)"
_POWER = "[eE](?P<power>[+-]?[0-9]{1,3})"


def _decimals() -> Iterator[str]:
    yield f"(?P<whole>0|[1-9][0-9]*)(?:{_POWER})?"
    yield f"(?P<whole>0?)[.,{ARABIC_DECIMAL}]{_PART}(?:{_POWER})?"
    yield f"(?P<whole>[1-9][0-9]*){ARABIC_DECIMAL}{_PART}"
    # One mark before exactly three digits may be a decimal or a thousands mark.
    yield f"{_HEAD})[.,](?P<part>[0-9]{{1,2}}|[0-9]{{4,}})(?:{_POWER})?"
    yield f"(?P<whole>[1-9][0-9]{{3,}})[.,]{_PART}(?:{_POWER})?"
    yield rf"{_HEAD})\.(?P<part>{_THREE}){_POWER}"


def _thousands() -> Iterator[str]:
    for mark, decimal in ((",", r"\."), (r"\.", ",")):
        yield f"{_HEAD}(?:{mark}{_THREE}){{2,}})(?:{decimal}{_PART})?"
        yield f"{_HEAD}{mark}{_THREE}){decimal}{_PART}"
    # `2 500` may be two of 500, but nothing is written `000`.
    yield f"{_HEAD}(?: {_THREE}){{2,}})(?:[.,]{_PART})?"
    yield f"{_HEAD} 0[0-9]{{2}})(?:[.,]{_PART})?"
    for mark, decimal in (
        ("'", "[.,]"),
        (NARROW, "[.,]"),
        (ARABIC_THOUSANDS, ARABIC_DECIMAL),
    ):
        yield f"{_HEAD}(?:{mark}{_THREE})+)(?:{decimal}{_PART})?"
    # India groups by two, but for the last three digits.
    yield rf"(?P<whole>[1-9][0-9]?(?:,[0-9]{{2}})+,{_THREE})(?:\.{_PART})?"


_FORMS = tuple(map(re.compile, (*_decimals(), *_thousands())))
_PRINTED = re.compile(rf"{_HEAD})\.(?P<part>[0-9]{{2}}[1-9])")
_ENGLISH = re.compile(f"{_HEAD},{_THREE})")
_FRACTION = re.compile(
    f"(?:(?P<whole>[1-9][0-9]*)[ {NARROW}])?(?P<above>[1-9][0-9]*)/(?P<below>[1-9][0-9]*)"
)
_VULGAR_FRACTION = re.compile(f"(?P<whole>[1-9][0-9]*)?[ {NARROW}]?(?P<sign>[{VULGAR}])")


def value_of(numeral: str, *, printed: bool = False) -> float | None:
    """Return the value of a number without a sign; None if it has none or several.

    Args:
        numeral: digits and marks, with `NARROW` for every space that does not break.
        printed: a program may have written it: with a decimal dot, and no trailing zeros.

    Example:
        >>> value_of("1.000,5"), value_of("1.134"), value_of("1.134", printed=True)
        (1000.5, None, 1.134)
    """
    forms = (*_FORMS, _PRINTED) if printed else _FORMS
    if found := next(filter(None, (form.fullmatch(numeral) for form in forms)), None):
        return _decimal(**found.groupdict())
    if found := _FRACTION.fullmatch(numeral):
        above, below = int(found["above"]), int(found["below"])
        is_usual = above < below <= MAX_DENOMINATOR
        return int(found["whole"] or 0) + above / below if is_usual else None
    if found := _VULGAR_FRACTION.fullmatch(numeral):
        return int(found["whole"] or 0) + unicodedata.numeric(found["sign"])
    return None


def english_value_of(numeral: str) -> float | None:
    """Return what `1,500` is to English readers, 1500; None for anything else."""
    found = _ENGLISH.fullmatch(numeral)
    return None if found is None else _decimal(found["whole"])


def _decimal(whole: str, part: str | None = None, power: str | None = None) -> float | None:
    digits = re.sub("[^0-9]", "", whole)
    value = float(f"{digits or 0}.{part or 0}e{power or 0}")
    return value if math.isfinite(value) else None
