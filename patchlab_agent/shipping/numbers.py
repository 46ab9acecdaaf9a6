"""Numbers as people write them: one reader for requests, feedback and labeled cases.

A number has a value only if it can be read in one way; otherwise its value is None. There is one
exception, and it is marked: `1,500` is 1500 to English readers, and 1.5 to most others.

* The decimal mark is a dot or a comma: `2.5`, `0,500`, `.5`. A comma without digits before it may
  as well end a word, so `,5` has no value.
* Thousands are marked by commas, dots, apostrophes or spaces, in groups of three or the Indian way:
  `1,000,000`, `1.000,5`, `1'000`, `1,00,000`.
* A single mark before exactly three digits is either of the two: `1.500` has no value, and that of
  `1,500` is not certain. `0.500`, `1.50` and `1500.250` have one. `2 500` has none, as it may be
  two of 500, unless the space is one that does not break, or the group starts with a zero.
* Fractions are smaller than one, and may follow a whole number: `½`, `1/2`, `1 1/2`, `1½`.
* Digits of any script are read, but not of several in one number.
* Ranges, lists, sums, products, dates, ordinals, percentages, amounts of money, numbers inside
  names (`A4`, `#12`), leading zeros (`05`), and what follows `than`, `under` and the like have no
  value.

Libraries read numbers by the rules of one locale (Babel), or guess (quantulum). Here the locale is
unknown, and a guess would become a price.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from patchlab_agent.shipping.english import NUMBER_WORDS
from patchlab_agent.shipping.numerals import (
    ARABIC_DECIMAL,
    NARROW,
    VULGAR,
    english_value_of,
    value_of,
)

MAX_CHARS = 40
"""Maximum length of a number; nobody means what is longer."""


@dataclass(frozen=True)
class Number:
    """A number in a text, from `start` up to `end`, sign included.

    The value is certain unless it is the English reading of a number with two. What is part of a
    name, as in `A4` and `#12`, counts nothing and has no value.
    """

    value: float | None
    start: int
    end: int
    certain: bool = True
    in_name: bool = False


class _Kind(Enum):
    """What the character before a number makes of it."""

    PLAIN = auto()
    NEGATIVE = auto()
    NAME = auto()
    UNCLEAR = auto()


@dataclass(frozen=True)
class _Piece:
    """Digits and the marks between them, without spaces."""

    kind: _Kind
    start: int
    digits: int
    end: int


def number(text: str) -> float | None:
    """Return the number that a text consists of; None if it is none or not certain.

    Example:
        >>> number("0,5"), number("1½"), number("1,500")
        (0.5, 1.5, None)
    """
    bare = text.strip()
    found = numbers_in(bare)
    is_whole = [(each.start, each.end, each.certain) for each in found] == [(0, len(bare), True)]
    return found[0].value if is_whole else None


def numbers_in(text: str, *, printed: bool = False) -> tuple[Number, ...]:
    """Return the numbers in a text, in order, in time linear in its length.

    Args:
        text: any text.
        printed: a program may have written the text, as a carrier does. Programs write a decimal
            dot and no trailing zeros, so `1.134` has a value, while `1.500` has none as before.

    Example:
        >>> [found.value for found in numbers_in("12 books, 2-3 kg, 0,5 lb")]
        [12.0, None, 0.5]
    """
    folded = text.translate(_FOLDED)
    return tuple(_joined(text, folded, group, printed) for group in _groups(folded))


def skeleton(text: str, numbers: Sequence[Number]) -> str:
    """Return the text with `HOLE` in place of each number."""
    ends = [0, *(found.end for found in numbers)]
    starts = [*(found.start for found in numbers), len(text)]
    gaps = (text[end:start] for end, start in zip(ends, starts, strict=True))
    return HOLE.join(gap.replace(HOLE, " ") for gap in gaps)


HOLE = "\0"
"""Stands for a number in a skeleton."""


def stands_alone(tokens: Sequence[str], start: int, end: int) -> bool:
    """Return whether no neighbouring number changes what the tokens from `start` to `end` say.

    `five` does not stand alone in `twenty five`, nor `2` in `2 and a half`; in `one 2 kg box`, it
    does: there is one box.
    """
    before = next((token for token in reversed(tokens[:start]) if token not in _LINKS), "")
    after = next((token for token in tokens[end:] if token not in _LINKS), "")
    of_one = tokens[max(start - 1, 0)] == "one" and tokens[start] not in NUMBER_WORDS
    return not _counts(after) and (of_one or not _counts(before))


_LINKS = frozenset({",", "and", "or", "to", "a", "an"})
"""Tokens that may stand between two parts of one number, or between two limits."""


def _counts(token: str) -> bool:
    return token[:1].isdigit() or token in NUMBER_WORDS


_ALIKE = {
    "-": "\u2010\u2012\u2013\u2212",
    "'": "\u2018\u2019\u02bc",
    "/": "\u2044\u2215",
    "*": "\u00d7\u2715\u2716",
    "%": "\u066a\u2030",
    "#": "\u2116",
    NARROW: "\u2007\u2008\u2009\u202f",
}
"""Signs, each with others that mean the same: dashes, apostrophes, slashes, times."""


class _Folded(dict[int, str]):
    """A table for `str.translate`: one character for each, so that positions stay the same."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        if char.isdecimal():
            self[code] = str(unicodedata.decimal(char))
        elif char.isspace() or char.isnumeric():
            self[code] = char
        else:
            plain = unicodedata.normalize("NFKC", char)
            self[code] = plain if len(plain) == 1 else char
        return self[code]


_FOLDED = _Folded({ord(char): to for to, chars in _ALIKE.items() for char in (*chars, to)})
_PIECE = re.compile(rf"[0-9{VULGAR}](?:(?:[^\w\s]{{1,3}}|_)?[0-9{VULGAR}])*+(?:[eE][+-]?[0-9]++)?")
_GAP = re.compile(r"\s*(?:[-+*/.,&~x]|and|or|to|up to)?\s*", re.IGNORECASE)
_MAX_GAP = 12
_LIMITS = re.compile(
    r"\b(?:minus|negative|than|under|over|least|most|below|above|between|till|bis|tot|hasta|à|до)"
    r"\s*$",
    re.IGNORECASE,
)
_ORDINAL = re.compile(r"(?:(?<=1)st|(?<=2)nd|(?<=3)rd|(?<=[0-9])th)(?![^\W\d_])", re.IGNORECASE)
_TIMES = re.compile(r"x(?![^\W\d_])", re.IGNORECASE)


def _groups(folded: str) -> Iterator[list[_Piece]]:
    """Yield the pieces of each number, which may have spaces between them."""
    group: list[_Piece] = []
    for found in _PIECE.finditer(folded):
        piece = _piece(folded, found.start(), found.end())
        if group and not _continues(folded, group[-1], piece):
            yield group
            group = []
        group.append(piece)
    if group:
        yield group


def _continues(folded: str, piece: _Piece, following: _Piece) -> bool:
    if piece.kind is _Kind.NAME or following.digits - piece.end > _MAX_GAP:
        return False
    return _GAP.fullmatch(folded, piece.end, following.digits) is not None


def _piece(folded: str, digits: int, end: int) -> _Piece:
    start, before, further = digits, folded[digits - 1 : digits], _at(folded, digits - 2)
    if before and before in f".,{ARABIC_DECIMAL}":
        if before == "," and (further.isalpha() or _closes(further)):
            return _Piece(_Kind.PLAIN, digits, digits, end)
        if before == "," or not (_opens(further) or further in "+-"):
            return _Piece(_Kind.UNCLEAR, digits, digits, end)
        start, before, further = digits - 1, further, _at(folded, digits - 3)
    kind = _kind(before, further)
    if kind is _Kind.NAME and _GLUED.search(folded[max(0, start - 7) : start]):
        # The second number of `1kg500g`; in `1kg500`, its unit is missing.
        kind = _Kind.PLAIN if folded[end : end + 1].isalpha() else _Kind.UNCLEAR
    if before and before in "+-" and _opens(further):
        start -= 1
    return _Piece(kind, start, digits, end)


_GLUED = re.compile(r"[0-9][^\W\d_]{1,6}$")


def _kind(before: str, further: str) -> _Kind:
    """Return what the two characters before a number make of it."""
    letter = further if before and unicodedata.category(before)[0] == "M" else before
    # Scripts without capitals also do without spaces between a word and a number.
    if letter.lower() != letter.upper() or (before and before in "#@_") or _is_currency(before):
        return _Kind.NAME
    if before and before in "+-":
        if _opens(further):
            return _Kind.NEGATIVE if before == "-" else _Kind.PLAIN
        # A hyphen, or the end of an arrow.
        is_plain = further.isalpha() or further == "<" or _closes(further)
        return _Kind.PLAIN if is_plain else _Kind.UNCLEAR
    is_arrow = before == ">" and further and further in "-="
    odd = before and before in "<>*/^%±÷≤≥≠√\\"
    return _Kind.UNCLEAR if odd and not is_arrow else _Kind.PLAIN


def _is_currency(char: str) -> bool:
    return bool(char) and unicodedata.category(char) == "Sc"


def _at(folded: str, index: int) -> str:
    return folded[index] if index >= 0 else ""


def _opens(char: str) -> bool:
    """Return whether a sign or a decimal mark after this character belongs to a number."""
    return not char or char.isspace() or char in ":=" or unicodedata.category(char) in ("Ps", "Pi")


def _closes(char: str) -> bool:
    return bool(char) and char in ")]}\"'"


def _joined(text: str, folded: str, group: list[_Piece], printed: bool) -> Number:
    start, end = group[0].start, group[-1].end
    kinds = {piece.kind for piece in group}
    clear = kinds.isdisjoint({_Kind.NAME, _Kind.UNCLEAR}) and not _qualified(folded, start, end)
    if not clear or end - start > MAX_CHARS or _mixes_scripts(text[start:end]):
        return Number(None, start, end, in_name=group[0].kind is _Kind.NAME)
    numeral = folded[start:end].lstrip("+-")
    english = english_value_of(numeral)
    value = value_of(numeral, printed=printed) if english is None else english
    if value is not None and group[0].kind is _Kind.NEGATIVE:
        value = -value
    return Number(value, start, end, certain=english is None)


def _mixes_scripts(written: str) -> bool:
    zeros = {ord(char) - unicodedata.decimal(char) for char in written if char.isdecimal()}
    return len(zeros) > 1


def _qualified(folded: str, start: int, end: int) -> bool:
    """Return whether what stands around a number makes it something else than a plain one."""
    after = folded[end : end + 1]
    if after and (after in "%°^+_*" or unicodedata.category(after) in ("No", "Nl", "Mn", "Me")):
        return True
    around = (_ORDINAL.match(folded, end), _TIMES.match(folded, end))
    return any(around) or bool(_LIMITS.search(folded[max(0, start - _MAX_GAP) : start]))
