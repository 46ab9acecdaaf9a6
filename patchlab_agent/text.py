"""The words of a request, and the occurrence of triggers among them.

A trigger occurs if its words stand next to each other in the request, as whole words: `gin` does
not occur in `ginger`. Case and numbers glued to a unit (`0.5kg`) do not matter, and a word of six
letters or more may contain one typing error, as long as its first letter is right.

A word is a run of letters with the marks that belong to them, so two words that differ in a vowel
sign only are two words. Nothing splits a text that is written without spaces: in Chinese, Japanese
or Thai a whole run is one word. A run of emoji is a word as well.
"""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NoReturn

import regex
from rapidfuzz.distance import OSA

from patchlab_agent.errors import InputError

MAX_REQUEST_CHARS = 2000
"""Characters of a request, unless its skill takes longer ones."""
MAX_TRIGGER_WORDS = 4
MAX_TRIGGER_CHARS = 40
FUZZY_MIN_LETTERS = 6

NUMBER = r"\d+(?:[.,]\d+)*"
LETTERS = r"[\p{L}\p{M}\p{Nl}\p{No}\u200c\u200d]+"
"""Letters with their marks and joiners, as a pattern of the package `regex`."""
WORD = rf"{LETTERS}(?:['’·-]{LETTERS})*"
EMOJI = r"(?:(?![\u0000-\u25ff\u27a1\u2900-\u2b0f])\p{ExtPict}|[\p{RI}\p{EMod}])+"
"""A pattern for a run of pictures; arrows and signs such as © are none."""
_TOKEN = regex.compile(f"{NUMBER}|{WORD}|{EMOJI}")
_LETTERS = regex.compile(LETTERS)

_JOINERS = "\u200c\u200d"
"""Invisible characters that are part of how emoji and some scripts are written."""
_CURSIVE = r"[\p{Arab}\p{Syrc}\p{Mong}\p{Nkoo}\p{Mand}\p{Adlm}]"
JOINED = regex.compile(rf"(?<=\p{{ccc=9}})[{_JOINERS}]|(?<={_CURSIVE})[{_JOINERS}](?={_CURSIVE})")
"""Joiners that change what is written: after a virama, or between letters of a cursive script.

https://www.unicode.org/reports/tr31/#Layout_and_Format_Control_Characters
"""
_UNSEEN = regex.compile(rf"(?!{JOINED.pattern})\p{{DI}}|\p{{Me}}")
"""What is not displayed, or only encloses a letter."""
_ALIKE = str.maketrans({"\u0131": "i", "\u2010": "-"})
"""Letters that have the same capital, and the typographic hyphen."""
_ALPHABETS = tuple(
    regex.compile(rf"\p{{{script}}}+")
    for script in ("Latin", "Cyrillic", "Greek", "Armenian", "Georgian")
)
"""Scripts in which one wrong letter is more often an error than another word."""


@lru_cache(maxsize=2048)
def normalise(text: str) -> str:
    """Fold case and compatibility forms, and reduce every run of white space to one space.

    Characters that are not displayed are dropped, except for joiners that change a word.

    Example:
        >>> normalise("  Große  KISTE ")
        'grosse kiste'
    """
    if text.isascii():
        # The steps below change nothing here, and a large store has 100,000 triggers to normalise.
        return " ".join(text.lower().split())
    shown = _UNSEEN.sub("", unicodedata.normalize("NFKC", text))
    # The dotted capital İ folds to an i with one more dot; I is the dotless i's capital as well.
    folded = shown.casefold().replace("i\u0307", "i").translate(_ALIKE)
    # Folding case can leave combinations that NFKC would compose: a second pass settles them.
    return " ".join(unicodedata.normalize("NFKC", folded).split())


@lru_cache(maxsize=2048)
def words(text: str) -> tuple[str, ...]:
    """Return the words and numbers of a text, normalised: `2 LB Box` → `("2", "lb", "box")`.

    Example:
        >>> words("Ship 0.5kg to US!")
        ('ship', '0.5', 'kg', 'to', 'us')
    """
    return tuple(_TOKEN.findall(normalise(text)))


def is_letters(word: str) -> bool:
    """Return True if a word consists of letters with their marks: no number, hyphen or emoji.

    `str.isalpha` is no such test: it is False for `दिल्ली`.
    """
    return _LETTERS.fullmatch(word) is not None


# Few, as a long text has thousands; they are asked for several times while it is answered.
@lru_cache(maxsize=128)
def phrases(text: str, longest: int = MAX_TRIGGER_WORDS) -> tuple[str, ...]:
    """Return every run of up to `longest` adjacent words, each once, the shortest runs first.

    Example:
        >>> phrases("two big crates", 2)
        ('two', 'big', 'crates', 'two big', 'big crates')
    """
    tokens = words(text)
    runs = (
        " ".join(tokens[start : start + size])
        for size in range(1, longest + 1)
        for start in range(len(tokens) - size + 1)
    )
    return tuple(dict.fromkeys(runs))


def occurs(trigger: str, text: str) -> bool:
    """Return True if the trigger occurs in the text, allowing a typing error per long word.

    Example:
        >>> occurs("lithium battery", "a lithum battery to EU")
        True
    """
    wanted, tokens = words(trigger), words(text)
    if not wanted:
        return False
    first, size = wanted[0], len(wanted)
    # The gate asks this of each labeled case, so what cannot match is told by the first letter.
    return any(
        tokens[start][0] == first[0] and all(map(same_word, wanted, tokens[start : start + size]))
        for start in range(len(tokens) - size + 1)
    )


def same_word(wanted: str, found: str) -> bool:
    """Return True if `found` is `wanted`, give or take one letter missing, added, wrong or swapped.

    Only long words may differ, and their first letter must be right. Both must be words of one and
    the same alphabet: nobody types a letter of another by mistake, though it may look the same, and
    in other scripts a single letter or mark makes another word.
    """
    if wanted == found:
        return True
    if len(wanted) < FUZZY_MIN_LETTERS or wanted[0] != found[:1]:
        return False
    if not any(script.fullmatch(wanted) and script.fullmatch(found) for script in _ALPHABETS):
        return False
    return OSA.distance(wanted, found, score_cutoff=1) <= 1


def as_trigger(text: str) -> str | None:
    """Return the text as a trigger; None if it is empty, too long or has more than four words.

    Example:
        >>> as_trigger("  Lithium  Battery ")
        'lithium battery'
    """
    trigger = " ".join(words(text))
    if not trigger or len(trigger) > MAX_TRIGGER_CHARS:
        return None
    return trigger if len(trigger.split()) <= MAX_TRIGGER_WORDS else None


def check_request(request: str, most: int = MAX_REQUEST_CHARS) -> None:
    """Check that a text can be a request.

    Args:
        request: the text.
        most: maximum number of characters, which the skill decides.

    Raises:
        InputError: the text is empty, too long or binary.

    Example:
        >>> check_request("Ship 2 kg books box to US")
    """
    if not request.strip():
        raise InputError("The request is empty; say in words what you want.")
    if len(request) > most:
        raise InputError(f"The request has {len(request):,} characters; shorten it to {most:,}.")
    for char in request:
        if not char.isprintable() and not char.isspace() and char not in _JOINERS:
            raise InputError(
                "The request contains control characters or invisible marks "
                f"(U+{ord(char):04X}); give plain text."
            )


class KeyTwice(ValueError):
    """An object of JSON gives a key twice, so it is unclear which value is meant."""


def json_of(text: str) -> Any:
    """Parse JSON in which no object gives a key twice.

    Raises:
        KeyTwice: an object does.
        ValueError: the text is not valid JSON.
        RecursionError: it is nested too deeply.
    """
    return json.loads(text, object_pairs_hook=_no_key_twice)


def strict_json(text: str) -> Any:
    """Parse JSON that can be written again as UTF-8: no NaN, infinity or lone surrogate.

    Raises:
        KeyTwice: an object gives a key twice.
        ValueError: the text is not such JSON.
        RecursionError: it is nested too deeply.
    """
    data = json.loads(text, parse_constant=_no_constant, object_pairs_hook=_no_key_twice)
    json.dumps(data, ensure_ascii=False, allow_nan=False).encode()
    return data


def repeated(names: Iterable[str]) -> list[str]:
    """Return the names that occur more than once, each once."""
    return [name for name, count in Counter(names).items() if count > 1]


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if twice := repeated(name for name, _ in pairs):
        raise KeyTwice(f"the key {twice[0]!r} is given twice")
    return dict(pairs)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not valid JSON")
