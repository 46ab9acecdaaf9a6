"""Judges a quote by the right one, where no truth behind the request is known."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from patchlab_agent.errors import InputError
from patchlab_agent.models.base import Output
from patchlab_agent.models.patch import Fix
from patchlab_agent.models.trace import Feedback
from patchlab_agent.shipping.carrier import Carrier
from patchlab_agent.shipping.english import SERVICES
from patchlab_agent.shipping.rules import (
    DestinationFix,
    EmbargoFix,
    ItemFix,
    LiquidsFix,
    ParcelFix,
    RestrictionFix,
    UnitFix,
)
from patchlab_agent.shipping.schema import Declaration, Refusal, ShippingQuote
from patchlab_agent.shipping.shipment import Shipment
from patchlab_agent.text import words

_NEEDED = ("weight_kg", "unit", "item", "parcel", "destination", "country")
"""What a right quote must say; what else it leaves open is not judged."""
_OPEN: Mapping[str, Any] = {"category": "goods", "parcel_limit_kg": 1e6}
"""What stands for a part that neither quote names, so that nobody complains of it."""


def compared(request: str, right: Output, quote: Output | None) -> Feedback:
    """Return what a carrier would say that knows no rules but those that the right quote states.

    Raises:
        InputError: the right quote leaves open what is right.
    """
    for name in _NEEDED:
        if right[name] is None:
            raise InputError(f"{name} is null in the right answer; say what it is")
    given = {**(quote or {})}
    stated = {**right}
    for name, filler in _OPEN.items():
        if stated[name] is None:
            stated[name] = given[name] = filler if given.get(name) is None else given[name]
    known = ShippingQuote.model_validate(stated)
    asked = {SERVICES[word] for word in words(request) if word in SERVICES}
    try:
        carrier = Carrier(_rules(known, demanded=set(known.declarations) - asked))
        truth = Shipment.model_validate(
            {
                **{name: right[name] for name in ("weight_kg", "item", "parcel", "country")},
                "services": [each for each in known.declarations if each in asked],
            }
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise InputError(f"{where} of the right answer: {first['msg']}") from error
    judged = None if quote is None else ShippingQuote.model_validate(given)
    return carrier.judge(truth, judged)


def _rules(right: ShippingQuote, demanded: Collection[Declaration]) -> Iterator[Fix]:
    """Yield the rules that a quote with all its parts rests on."""
    facts = right.model_dump(mode="json")
    item, parcel, place = facts["item"], facts["parcel"], facts["destination"]
    yield UnitFix(unit=facts["unit"], kg_per_unit=facts["kg_per_unit"])
    yield ParcelFix(parcel=parcel, limit_kg=facts["parcel_limit_kg"])
    yield DestinationFix(alias=place, country=facts["country"])
    yield ItemFix(item=item, category=facts["category"])
    for demand in sorted(demanded):
        yield RestrictionFix.model_validate({"item": item, "demand": demand})
    if right.refusal is Refusal.PROHIBITED:
        yield RestrictionFix(item=item, demand="prohibited")
    if right.refusal is Refusal.EMBARGO:
        yield EmbargoFix(destination=place)
    if right.parcel_takes_liquids:
        yield LiquidsFix(parcel=parcel)
