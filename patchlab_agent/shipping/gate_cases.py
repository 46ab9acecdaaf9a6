"""The tests that a patch is proposed with: its failing request, and requests made for it.

The made ones are frames with one slot filled by what the fix speaks of and the others by words
that every carrier knows. Their weights are odd on purpose, so that no held-out case says the same.
"""

from __future__ import annotations

from collections.abc import Iterator

from patchlab_agent.models.base import Quote
from patchlab_agent.models.patch import Fix, GateCase, Role
from patchlab_agent.shipping.rules import (
    DestinationFix,
    EmbargoFix,
    ExampleFix,
    ItemFix,
    LiquidsFix,
    ParcelFix,
    RestrictionFix,
    RevokedFix,
    UnitFix,
)

_FRAMES = (
    ("Ship {weight} {unit} {item} {parcel} to {destination}", 1.37),
    ("{item}, {weight} {unit}, {parcel}, to {destination}", 2.83),
    ("Please ship a {parcel} of {item} weighing {weight} {unit} to {destination}", 0.59),
)
_COMMON = (
    {"unit": "kg", "item": "books", "parcel": "box", "destination": "US"},
    {"unit": "kg", "item": "shoes", "parcel": "box", "destination": "Germany"},
    {"unit": "kg", "item": "toys", "parcel": "box", "destination": "Japan"},
)
_COUNTRIES = {"US": "US", "Germany": "DE", "Japan": "JP"}

_SLOTS = {
    "unit": "unit",
    "parcel": "parcel",
    "destination": "destination",
    "item": "item",
    "restriction": "item",
    "embargo": "destination",
    "liquids": "parcel",
}
_REVOKED_SLOTS = {"prohibited": "item", "embargo": "destination", "liquids": "parcel"}


def gate_cases(fix: Fix, trigger: str, failing: str) -> Iterator[GateCase]:
    """The failing request, three positives with the trigger, and negatives around it."""
    yield GateCase(role=Role.FAILING, request=failing, expected=_claim(fix))
    yield from _positives(fix, trigger)
    yield from _negatives(trigger)


def _claim(fix: Fix) -> Quote:
    """What a quote must say once the fix is followed, whatever else is wrong with it."""
    match fix:
        case UnitFix():
            return {"kg_per_unit": fix.kg_per_unit}
        case ParcelFix():
            return {"parcel": fix.parcel, "parcel_limit_kg": fix.limit_kg}
        case DestinationFix():
            return {"country": fix.country}
        case ItemFix():
            return {"item": fix.item, "category": fix.category}
        case RestrictionFix(demand="prohibited"):
            return {"refusal": "prohibited_item"}
        case RestrictionFix():
            return {"declarations": [fix.demand]}
        case EmbargoFix():
            return {"refusal": "embargo_destination"}
        case LiquidsFix():
            return {"parcel": fix.parcel, "parcel_takes_liquids": True}
        case RevokedFix(rule="liquids"):
            return {"parcel": fix.subject, "parcel_takes_liquids": False}
        case RevokedFix():
            return {"refusal": None}
        case ExampleFix():
            return {"weight": fix.answer.weight}
    raise TypeError(f"no claim for {type(fix).__name__}")


def _positives(fix: Fix, trigger: str) -> Iterator[GateCase]:
    for (frame, weight), common in zip(_FRAMES, _COMMON, strict=True):
        if isinstance(fix, ExampleFix):
            # Only an example for the weight's own words can be tried on other requests.
            filled = {**common, "weight": trigger}
            facts: Quote = {"weight": fix.answer.weight, "item": common["item"]}
            yield _positive(frame, filled, facts)
            continue
        slot = _REVOKED_SLOTS[fix.rule] if isinstance(fix, RevokedFix) else _SLOTS[fix.kind]
        filled = {**common, slot: trigger, "weight": f"{weight:g}"}
        facts = {
            "weight": weight,
            "item": common["item"],
            "parcel": common["parcel"],
            "country": _COUNTRIES[common["destination"]],
        }
        facts.pop("country" if slot == "destination" else slot, None)
        yield _positive(frame, filled, {**facts, **_claim(fix)})


def _positive(frame: str, filled: dict[str, str], expected: Quote) -> GateCase:
    return GateCase(role=Role.POSITIVE, request=frame.format(**filled), expected=expected)


def _negatives(trigger: str) -> Iterator[GateCase]:
    """Requests that the patch does not concern: without its trigger, and with it inside a word."""
    for (frame, weight), common in zip(_FRAMES[:2], _COMMON[:2], strict=True):
        plain = frame.format(**common, weight=f"{weight + 3:g}")
        yield GateCase(role=Role.NEGATIVE, request=plain, expected={})
        inside = "".join(trigger.split())
        yield GateCase(role=Role.NEGATIVE, request=f"{plain}, ref non{inside}ly", expected={})
