"""The claims of a quote, as rules compare them with what they say."""

from __future__ import annotations

import math

from pydantic import JsonValue

from patchlab_agent.models.base import Output
from patchlab_agent.shipping.schema import Refusal
from patchlab_agent.text import normalise


def same_name(name: str, given: JsonValue) -> bool:
    """Return whether a quote's field names the thing that a fix is about."""
    return isinstance(given, str) and normalise(given) == name


def speaks_of(quote: Output, field: str, name: str, told: str) -> bool:
    """Return whether a quote names a thing and has a field, even if empty, for what is said of it.

    The claims of a refusal have no fields for what it does not rest on.
    """
    return told in quote and same_name(name, quote.get(field))


def ships(quote: Output, item: str, demand: str) -> bool:
    """Return whether a quote is for an item, or is refused because of it."""
    names = ("item", "prohibited") if demand == "prohibited" else ("item",)
    return any(same_name(item, quote.get(name)) for name in names)


def place_in(quote: Output, otherwise: str) -> JsonValue:
    """Return a quote's name for its destination, which labels do not contain."""
    return quote.get("destination", quote.get("embargo", otherwise))


def refuses(quote: Output, reason: Refusal) -> bool | None:
    """Return whether a quote refuses for a reason; None if another reason hides it."""
    given = quote.get("refusal")
    return given == reason if given in (None, reason) else None


def denied(said: bool | None) -> bool | None:
    """Return the opposite of what is said, if anything is."""
    return None if said is None else not said


def declares(quote: Output, demand: str) -> bool | None:
    """Return whether a quote makes a declaration; None if it has no declarations field."""
    given = quote.get("declarations")
    return demand in given if isinstance(given, list) else None


def number_of(given: JsonValue) -> float:
    """Return a quote's number; NaN, which is close to no number, if it is missing."""
    return given if isinstance(given, int | float) else math.nan
