"""The base of all shared values: immutable, closed to unknown fields, and JSON throughout.

What comes from outside has limits, so that whatever is stored can be read back.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import unicodedata
from collections.abc import Iterator
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, JsonValue

JsonObject: TypeAlias = dict[str, JsonValue]

Output: TypeAlias = JsonObject
"""A skill's structured answer as JSON; the skill decides which fields it has."""


MAX_NESTING = 32
"""Levels of lists and objects in a value; parsers give up at about 200."""
MAX_VALUES = 50_000
"""Values in a value, all levels together."""
MAX_CHARS = 100_000
"""Characters of a text in a value."""
MAX_ALL_CHARS = 1_000_000
"""Characters of all texts in a value together."""
MAX_INTEGER = 2**63 - 1
"""Largest whole number that every reader of JSON and every database takes."""
MAX_KEY = 40
"""Characters of a key that an error tells."""
_LONE = re.compile("[\ud800-\udfff]")
"""Half a character: a surrogate without its other half, which UTF-8 cannot encode."""


def storable(value: JsonValue) -> JsonValue:
    """Return a value that can be stored and read back.

    Raises:
        ValueError: it is too large or too deep, or holds what JSON or UTF-8 cannot; names the part.
    """
    # Nearly all values are, so the paths by which an error names a part are made only for one.
    return value if _is_storable(value) else _checked(value)


def _is_storable(value: JsonValue) -> bool:
    level: list[Any] = [value]
    count = chars = 0
    for _ in range(MAX_NESTING + 1):
        count += len(level)
        below: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                below += each
                below += each.values()
            elif isinstance(each, list | tuple):
                below += each
            elif _unstorable(each):
                return False
            elif isinstance(each, str):
                chars += len(each)
        if count > MAX_VALUES or chars > MAX_ALL_CHARS:
            return False
        if not below:
            return True
        level = below
    return False


def _checked(value: JsonValue) -> JsonValue:
    level: list[tuple[tuple[str, ...], Any]] = [((), value)]
    count = chars = 0
    for _ in range(MAX_NESTING + 1):
        count += len(level)
        chars += sum(len(each) for _, each in level if isinstance(each, str))
        if count > MAX_VALUES or chars > MAX_ALL_CHARS:
            raise ValueError(
                f"there are more than {MAX_VALUES:,} values or {MAX_ALL_CHARS:,} characters; "
                "leave some out"
            )
        for path, each in level:
            if problem := _unstorable(each):
                raise ValueError(": ".join(filter(None, [".".join(path), problem])))
        level = [part for path, each in level for part in _parts(path, each)]
        if not level:
            return value
    raise ValueError(f"there are more than {MAX_NESTING} levels of values; flatten them")


def _parts(path: tuple[str, ...], value: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the entries of a list or an object with their paths, and an object's keys."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield (*path, "key"), key
            yield (*path, _named(str(key))), each
    elif isinstance(value, list | tuple):
        for number, each in enumerate(value):
            yield (*path, str(number)), each


def _named(key: str) -> str:
    """Return a key as an error names it, on one line and cut where it is long."""
    short = key[:MAX_KEY]
    return short if short.isprintable() else repr(short)[1:-1]


def _unstorable(value: Any) -> str:
    """Return what is wrong with one text or number; empty if nothing is."""
    if isinstance(value, str):
        if len(value) > MAX_CHARS:
            return f"{len(value):,} characters are too many; shorten it to {MAX_CHARS:,}"
        is_whole = value.isascii() or not _LONE.search(value)
        return "" if is_whole else "half a character; correct it"
    if isinstance(value, int) and abs(value) > MAX_INTEGER:
        return "the number is too large"
    if isinstance(value, float) and not math.isfinite(value):
        return "the number is not finite"
    return ""


def _storable_text(text: str) -> str:
    if problem := _unstorable(text):
        raise ValueError(problem)
    return text


def _whole(text: str) -> str:
    return _LONE.sub("\N{REPLACEMENT CHARACTER}", text)


Whole = Annotated[str, AfterValidator(_whole)]
"""A text in which half a character is replaced, as by every decoder of UTF-8."""
Storable = Annotated[JsonValue, AfterValidator(storable)]
Said = Annotated[str, AfterValidator(_storable_text)]


class Frozen(BaseModel):
    """An immutable value that rejects unknown fields, so that a misspelt one is never lost."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def folded(text: str) -> str:
    """Return a text without its case and without the differences between Unicode's forms."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return unicodedata.normalize("NFKC", plain)


def digest(value: Any, length: int = 16) -> str:
    """Return the hex digest of a JSON value: equal content, equal digest, on every machine."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:length]
