"""The simulated carrier: judges a quote against the truth and its whole rule book.

Labels in the order in which they are looked for; a quote gets the first that applies:

* the answer could not be used: `invalid_response`
* a rightful refusal, by any rule that forbids the shipment, is OK; one of a shipment that the
  carrier would take is `wrong_refusal`
* misread or not known: `weight_missing`, `unit_unknown`, `item_unknown`, `parcel_unknown`,
  `destination_unknown`, `weight_mismatch`
* a rule was broken: `prohibited_item`, `embargo_destination`, `liquid_restricted`,
  `overweight_parcel`, `hazmat_undeclared`, `fragile_undeclared`, `temperature_uncontrolled`,
  `insurance_required`
* the item is known, but in a wrong category: `item_unknown`
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from patchlab_agent.models.patch import Fix, close
from patchlab_agent.models.trace import INVALID_RESPONSE, OK, Feedback
from patchlab_agent.shipping.rules import RuleBook
from patchlab_agent.shipping.schema import LIQUID, Declaration, Refusal, ShippingQuote
from patchlab_agent.shipping.shipment import Shipment
from patchlab_agent.text import normalise

UNDECLARED = {
    Declaration.HAZMAT: "hazmat_undeclared",
    Declaration.FRAGILE: "fragile_undeclared",
    Declaration.TEMPERATURE: "temperature_uncontrolled",
    Declaration.INSURANCE: "insurance_required",
}
LABELS = (
    "weight_missing",
    "weight_mismatch",
    "unit_unknown",
    "destination_unknown",
    "item_unknown",
    "parcel_unknown",
    *(str(refusal) for refusal in Refusal),
    *UNDECLARED.values(),
    "wrong_refusal",
    INVALID_RESPONSE,
)


class Carrier:
    """A carrier with its rule book.

    Args:
        rules: the whole of it.
    """

    def __init__(self, rules: Iterable[Fix]) -> None:
        self.book = RuleBook.of(rules)
        self._embargoed = {self.book.destinations[name] for name in self.book.embargoes}

    def knows(self, truth: Shipment) -> str | None:
        """What the rule book does not know of a shipment, or None if it knows all of it."""
        if truth.item not in self.book.items:
            return f"item {truth.item!r}"
        if truth.parcel not in self.book.parcels:
            return f"parcel {truth.parcel!r}"
        if truth.country not in self.book.destinations.values():
            return f"country {truth.country!r}"
        return None

    def refusals(self, truth: Shipment) -> tuple[Refusal, ...]:
        """Every reason to refuse a shipment; empty when the carrier takes it."""
        category = self.book.items[truth.item]
        holds = {
            Refusal.PROHIBITED: self.book.prohibits(truth.item),
            Refusal.EMBARGO: truth.country in self._embargoed,
            Refusal.LIQUID: category == LIQUID and truth.parcel not in self.book.liquids,
            Refusal.OVERWEIGHT: truth.weight_kg > self.book.parcels[truth.parcel],
        }
        return tuple(refusal for refusal, applies in holds.items() if applies)

    def declarations(self, truth: Shipment) -> tuple[Declaration, ...]:
        """What must be declared: what the item demands and what the sender asked for."""
        demanded = (*self.book.declarations(truth.item), *truth.services)
        return tuple(d for d in Declaration if d in demanded)

    def judge(self, truth: Shipment, quote: ShippingQuote | None) -> Feedback:
        """OK, or the first label that applies, with field, offending value and detail."""
        if quote is None:
            return Feedback(label=INVALID_RESPONSE)
        forbidden = self.refusals(truth)
        if quote.refusal is not None and quote.refusal in forbidden:
            return OK
        if quote.refusal is not None and not forbidden:
            return self._wrong_refusal(truth, quote.refusal)
        return next(self._complaints(truth, quote, forbidden), OK)

    def _complaints(
        self, truth: Shipment, quote: ShippingQuote, forbidden: tuple[Refusal, ...]
    ) -> Iterator[Feedback]:
        yield from self._misread(truth, quote)
        for refusal in forbidden:
            yield self._forbidden(truth, quote, refusal)
        for declaration in self.declarations(truth):
            if declaration not in quote.declarations:
                yield self._undeclared(truth, quote, declaration)
        if quote.category != self.book.items[truth.item]:
            yield self._item_unknown(truth, quote)

    def _misread(self, truth: Shipment, quote: ShippingQuote) -> Iterator[Feedback]:
        scale = f"{truth.weight_kg:.6g} kg on the scale"
        if quote.weight is None:
            yield Feedback(label="weight_missing", field="weight", detail=scale)
        if quote.kg_per_unit is None:
            factor = self.book.units.get(normalise(quote.unit or ""))
            detail = scale if factor is None else f"1 {quote.unit} is {factor:.12g} kg"
            yield Feedback(label="unit_unknown", field="unit", value=quote.unit, detail=detail)
        if quote.category is None or normalise(quote.item or "") != truth.item:
            yield self._item_unknown(truth, quote)
        if quote.parcel_limit_kg is None or normalise(quote.parcel or "") != truth.parcel:
            limit = self.book.parcels[truth.parcel]
            yield Feedback(
                label="parcel_unknown",
                field="parcel",
                value=quote.parcel,
                detail=f"{truth.parcel}: up to {limit:.6g} kg",
            )
        if quote.country != truth.country:
            yield Feedback(
                label="destination_unknown",
                field="destination",
                value=quote.destination,
                detail=truth.country,
            )
        if quote.weight_kg is None or not close(truth.weight_kg, quote.weight_kg):
            yield Feedback(
                label="weight_mismatch", field="weight_kg", value=quote.weight_kg, detail=scale
            )

    def _item_unknown(self, truth: Shipment, quote: ShippingQuote) -> Feedback:
        detail = f"{truth.item}: {self.book.items[truth.item]}"
        return Feedback(label="item_unknown", field="item", value=quote.item, detail=detail)

    def _forbidden(self, truth: Shipment, quote: ShippingQuote, refusal: Refusal) -> Feedback:
        limit = self.book.parcels[truth.parcel]
        match refusal:
            case Refusal.PROHIBITED:
                field, value, detail = "item", quote.item, f"{truth.item}: prohibited"
            case Refusal.EMBARGO:
                field, value, detail = "destination", quote.destination, "under embargo"
            case Refusal.LIQUID:
                field, value = "parcel", quote.parcel
                detail = f"{truth.item}: {LIQUID}; {truth.parcel}: no liquids"
            case Refusal.OVERWEIGHT:
                field, value = "parcel", quote.parcel
                detail = f"{truth.parcel}: up to {limit:.6g} kg"
        return Feedback(label=str(refusal), field=field, value=value, detail=detail)

    def _undeclared(
        self, truth: Shipment, quote: ShippingQuote, declaration: Declaration
    ) -> Feedback:
        demanded = declaration in self.book.declarations(truth.item)
        reason = f"{truth.item}: {declaration}" if demanded else f"the sender asked: {declaration}"
        return Feedback(
            label=UNDECLARED[declaration],
            field="declarations",
            value=[str(d) for d in quote.declarations],
            detail=reason,
        )

    def _wrong_refusal(self, truth: Shipment, refusal: Refusal) -> Feedback:
        limit = self.book.parcels[truth.parcel]
        match refusal:
            case Refusal.PROHIBITED:
                detail = f"{truth.item}: not prohibited"
            case Refusal.EMBARGO:
                detail = f"{truth.country}: no embargo"
            case Refusal.LIQUID:
                liquid = self.book.items[truth.item] == LIQUID
                detail = f"{truth.parcel}: takes liquids" if liquid else f"{truth.item}: no liquid"
            case Refusal.OVERWEIGHT:
                detail = (
                    f"{truth.parcel}: up to {limit:.6g} kg; {truth.weight_kg:.6g} kg on the scale"
                )
        return Feedback(label="wrong_refusal", field="refusal", value=str(refusal), detail=detail)
