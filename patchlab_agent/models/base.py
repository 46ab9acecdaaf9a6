"""The base of all shared values: immutable, closed to unknown fields, and JSON throughout."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from typing import Any, TypeAlias

from pydantic import BaseModel, ConfigDict, JsonValue

JsonObject: TypeAlias = dict[str, JsonValue]

Quote: TypeAlias = JsonObject
"""A skill's structured answer as JSON; the skill decides which fields it has."""


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
