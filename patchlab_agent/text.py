"""Words of a request, and whether a trigger stands among them.

A trigger occurs when its words stand next to each other in the request, as whole words: `gin`
does not occur in `ginger`. Case and numbers glued to a unit (`0.5kg`) do not matter, and a word
of six letters or more may hold one typing error, as long as its first letter is right.
"""

from __future__ import annotations

import json
import re
import unicodedata
from functools import lru_cache
from typing import Any, NoReturn

from rapidfuzz.distance import OSA

from patchlab_agent.errors import InputError

MAX_REQUEST_CHARS = 2000
MAX_TRIGGER_WORDS = 4
MAX_TRIGGER_CHARS = 40
FUZZY_MIN_LETTERS = 6

_JOINERS = "\u200c\u200d"
"""Invisible, but part of how emoji and some scripts are written."""
_TOKEN = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+(?:['’-][^\W\d_]+)*")


def normalise(text: str) -> str:
    """Lower case, compatibility forms folded, every run of white space one space."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    # Folding case can leave combinations that NFKC would compose: a second pass settles them.
    return " ".join(unicodedata.normalize("NFKC", folded).split())


@lru_cache(maxsize=8192)
def words(text: str) -> tuple[str, ...]:
    """Words and numbers of a text, normalised: `2 LB Box` → `("2", "lb", "box")`."""
    return tuple(_TOKEN.findall(normalise(text)))


def phrases(text: str, longest: int = MAX_TRIGGER_WORDS) -> tuple[str, ...]:
    """Every run of up to `longest` neighbouring words, each once, in order of appearance."""
    tokens = words(text)
    runs = (
        " ".join(tokens[start : start + size])
        for size in range(1, longest + 1)
        for start in range(len(tokens) - size + 1)
    )
    return tuple(dict.fromkeys(runs))


def occurs(trigger: str, text: str) -> bool:
    """Whether the trigger stands in the text, a typing error in a long word forgiven."""
    wanted, tokens = words(trigger), words(text)
    if not wanted:
        return False
    return any(
        all(map(same_word, wanted, tokens[start : start + len(wanted)]))
        for start in range(len(tokens) - len(wanted) + 1)
    )


def same_word(wanted: str, found: str) -> bool:
    """Whether `found` is `wanted`, or is it with one letter missing, doubled, wrong or swapped."""
    if wanted == found:
        return True
    if len(wanted) < FUZZY_MIN_LETTERS or wanted[0] != found[:1] or not wanted.isalpha():
        return False
    return OSA.distance(wanted, found, score_cutoff=1) <= 1


def as_trigger(text: str) -> str | None:
    """The text as a trigger, or None if it is empty, too long or has more than four words."""
    trigger = " ".join(words(text))
    if not trigger or len(trigger) > MAX_TRIGGER_CHARS:
        return None
    return trigger if len(trigger.split()) <= MAX_TRIGGER_WORDS else None


def check_request(request: str) -> None:
    """Refuse what cannot be a request.

    Raises:
        InputError: it is empty, longer than `MAX_REQUEST_CHARS` or binary.
    """
    if not request.strip():
        raise InputError("The request is empty; say in words what you want.")
    if len(request) > MAX_REQUEST_CHARS:
        raise InputError(
            f"The request has {len(request):,} characters; shorten it to {MAX_REQUEST_CHARS:,}."
        )
    if any(not c.isprintable() and not c.isspace() and c not in _JOINERS for c in request):
        raise InputError(
            "The request holds control characters or invisible marks; give plain text."
        )


def strict_json(text: str) -> Any:
    """Read JSON that can be written again as UTF-8: no NaN, no infinity, no half of a character.

    Raises:
        ValueError: the text is no such JSON.
        RecursionError: it is nested too deep.
    """
    data = json.loads(text, parse_constant=_no_constant)
    json.dumps(data, ensure_ascii=False, allow_nan=False).encode()
    return data


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
