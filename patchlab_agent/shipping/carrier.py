"""The simulated carrier, which judges a quote against the truth and its whole rule book.

Labels in the order in which they are checked; a quote gets the first that applies:

* an unusable answer: `invalid_response`
* a justified refusal, by any rule that forbids the shipment, is OK; a refusal of a shipment that
  the carrier would accept is `wrong_refusal`
* misread or unknown: `weight_missing`, `unit_unknown`, `item_unknown`, `parcel_unknown`,
  `destination_unknown`, `weight_mismatch`
* a rule was broken: `prohibited_item`, `embargo_destination`, `liquid_restricted`,
  `overweight_parcel`, `hazmat_undeclared`, `fragile_undeclared`, `temperature_uncontrolled`,
  `insurance_required`
* a declaration that neither the item requires nor the sender asked for: `overdeclared`
* known incorrectly: the item's category (`item_unknown`); what the parcel holds, or whether it
  takes liquids (`parcel_unknown`); the unit's factor (`unit_unknown`); a prohibition
  (`item_unknown`) or an embargo (`destination_unknown`) that does not exist, on something that the
  request only mentions

Every claim of a quote that the carrier can check is judged: an error that did no harm to this
shipment would harm the next one. A refusal is judged by its reason alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pydantic import JsonValue

from patchlab_agent.models.patch import Fix, close
from patchlab_agent.models.trace import INVALID_RESPONSE, OK, Feedback
from patchlab_agent.shipping.rule_book import RuleBook
from patchlab_agent.shipping.schema import LIQUID, Declaration, Refusal, ShippingQuote
from patchlab_agent.shipping.shipment import Shipment
from patchlab_agent.text import normalise

UNDECLARED = {
    Declaration.HAZMAT: "hazmat_undeclared",
    Declaration.FRAGILE: "fragile_undeclared",
    Declaration.TEMPERATURE: "temperature_uncontrolled",
    Declaration.INSURANCE: "insurance_required",
}
OVERDECLARED = "overdeclared"
LABELS = (
    "weight_missing",
    "weight_mismatch",
    "unit_unknown",
    "destination_unknown",
    "item_unknown",
    "parcel_unknown",
    *(str(refusal) for refusal in Refusal),
    *UNDECLARED.values(),
    OVERDECLARED,
    "wrong_refusal",
    INVALID_RESPONSE,
)


class Carrier:
    """A carrier with its rule book.

    Args:
        rules: all rules of the book.
    """

    def __init__(self, rules: Iterable[Fix]) -> None:
        self.book = RuleBook.of(rules)
        self._embargoed = {self.book.destinations[name] for name in self.book.embargoes}

    def knows(self, truth: Shipment) -> str | None:
        """Return the part of a shipment that the rule book does not know; None if it knows all."""
        if truth.item not in self.book.items:
            return f"item {truth.item!r}"
        if truth.parcel not in self.book.parcels:
            return f"parcel {truth.parcel!r}"
        if truth.country not in self.book.destinations.values():
            return f"country {truth.country!r}"
        return None

    def refusals(self, truth: Shipment) -> tuple[Refusal, ...]:
        """Return every reason to refuse a shipment; empty if the carrier accepts it."""
        category = self.book.items[truth.item]
        holds = {
            Refusal.PROHIBITED: self.book.prohibits(truth.item),
            Refusal.EMBARGO: truth.country in self._embargoed,
            Refusal.LIQUID: category == LIQUID and truth.parcel not in self.book.liquids,
            Refusal.OVERWEIGHT: truth.weight_kg > self.book.parcels[truth.parcel],
        }
        return tuple(refusal for refusal, applies in holds.items() if applies)

    def declarations(self, truth: Shipment) -> tuple[Declaration, ...]:
        """Return the declarations that the item requires or the sender asked for."""
        demanded = (*self.book.declarations(truth.item), *truth.services)
        return tuple(d for d in Declaration if d in demanded)

    def judge(self, truth: Shipment, quote: ShippingQuote | None) -> Feedback:
        """Return OK, or the first label that applies, with field, offending value and detail."""
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
        yield from self._misdeclared(truth, quote)
        yield from self._wrong_category(truth, quote)
        yield from self._wrong_parcel(truth, quote)
        yield from self._wrong_factor(quote)
        yield from self._needless_bans(quote)

    def _misread(self, truth: Shipment, quote: ShippingQuote) -> Iterator[Feedback]:
        scale = f"{truth.weight_kg:.6g} kg on the scale"
        if quote.weight is None:
            yield Feedback(label="weight_missing", field="weight", detail=scale)
        if quote.kg_per_unit is None:
            detail = self._factor(quote.unit) or scale
            yield Feedback(label="unit_unknown", field="unit", value=quote.unit, detail=detail)
        if quote.category is None or normalise(quote.item or "") != truth.item:
            yield Feedback(
                label="item_unknown",
                field="item",
                value=quote.item,
                detail=self._category(truth.item),
            )
        if quote.parcel_limit_kg is None or normalise(quote.parcel or "") != truth.parcel:
            yield Feedback(
                label="parcel_unknown",
                field="parcel",
                value=quote.parcel,
                detail=self._limit(truth.parcel),
            )
        if quote.country != truth.country:
            yield Feedback(
                label="destination_unknown",
                field="destination",
                value=quote.destination,
                detail=truth.country,
            )
        if not _agrees(truth.weight_kg, quote.weight_kg):
            yield Feedback(
                label="weight_mismatch", field="weight_kg", value=quote.weight_kg, detail=scale
            )

    def _forbidden(self, truth: Shipment, quote: ShippingQuote, refusal: Refusal) -> Feedback:
        match refusal:
            case Refusal.PROHIBITED:
                field, value, detail = "item", quote.item, f"{truth.item}: prohibited"
            case Refusal.EMBARGO:
                field, value, detail = "destination", quote.destination, "under embargo"
            case Refusal.LIQUID:
                field, value = "parcel", quote.parcel
                detail = f"{truth.item}: {LIQUID}; {self._liquids(truth.parcel)}"
            case Refusal.OVERWEIGHT:
                field, value, detail = "parcel", quote.parcel, self._limit(truth.parcel)
        return Feedback(label=str(refusal), field=field, value=value, detail=detail)

    def _misdeclared(self, truth: Shipment, quote: ShippingQuote) -> Iterator[Feedback]:
        """Yield complaints about missing declarations, then about needless ones."""
        due = self.declarations(truth)
        value: JsonValue = [str(d) for d in quote.declarations]
        for declaration in due:
            if declaration not in quote.declarations:
                demanded = declaration in self.book.declarations(truth.item)
                yield Feedback(
                    label=UNDECLARED[declaration],
                    field="declarations",
                    value=value,
                    detail=f"{truth.item if demanded else 'the sender asked'}: {declaration}",
                )
        for declaration in quote.declarations:
            if declaration not in due:
                yield Feedback(
                    label=OVERDECLARED,
                    field="declarations",
                    value=value,
                    detail=f"{truth.item}: not {declaration}",
                )

    def _wrong_category(self, truth: Shipment, quote: ShippingQuote) -> Iterator[Feedback]:
        if quote.category != self.book.items[truth.item]:
            yield Feedback(
                label="item_unknown",
                field="category",
                value=quote.category,
                detail=self._category(truth.item),
            )

    def _wrong_parcel(self, truth: Shipment, quote: ShippingQuote) -> Iterator[Feedback]:
        if not _agrees(self.book.parcels[truth.parcel], quote.parcel_limit_kg):
            yield Feedback(
                label="parcel_unknown",
                field="parcel_limit_kg",
                value=quote.parcel_limit_kg,
                detail=self._limit(truth.parcel),
            )
        if quote.parcel_takes_liquids != (truth.parcel in self.book.liquids):
            yield Feedback(
                label="parcel_unknown",
                field="parcel_takes_liquids",
                value=quote.parcel_takes_liquids,
                detail=self._liquids(truth.parcel),
            )

    def _wrong_factor(self, quote: ShippingQuote) -> Iterator[Feedback]:
        """Yield a wrong factor although the weight is right, since two errors cancelled out."""
        factor = self.book.units.get(normalise(quote.unit or ""))
        if factor is not None and not _agrees(factor, quote.kg_per_unit):
            yield Feedback(
                label="unit_unknown",
                field="kg_per_unit",
                value=quote.kg_per_unit,
                detail=self._factor(quote.unit),
            )

    def _needless_bans(self, quote: ShippingQuote) -> Iterator[Feedback]:
        """Yield bans that do not exist; one on the shipment itself would be a wrong refusal."""
        item, place = normalise(quote.prohibited or ""), normalise(quote.embargo or "")
        if item in self.book.items and not self.book.prohibits(item):
            yield Feedback(
                label="item_unknown",
                field="prohibited",
                value=quote.prohibited,
                detail=f"{item}: not prohibited",
            )
        country = self.book.destinations.get(place)
        if country is not None and country not in self._embargoed:
            yield Feedback(
                label="destination_unknown",
                field="embargo",
                value=quote.embargo,
                detail=f"{place}: no embargo",
            )

    def _wrong_refusal(self, truth: Shipment, refusal: Refusal) -> Feedback:
        match refusal:
            case Refusal.PROHIBITED:
                detail = f"{truth.item}: not prohibited"
            case Refusal.EMBARGO:
                detail = f"{truth.country}: no embargo"
            case Refusal.LIQUID:
                liquid = self.book.items[truth.item] == LIQUID
                detail = self._liquids(truth.parcel) if liquid else f"{truth.item}: no liquid"
            case Refusal.OVERWEIGHT:
                detail = f"{self._limit(truth.parcel)}; {truth.weight_kg:.6g} kg on the scale"
        return Feedback(label="wrong_refusal", field="refusal", value=str(refusal), detail=detail)

    def _factor(self, unit: str | None) -> str:
        """Describe a unit in kg; empty if the carrier does not know it."""
        factor = self.book.units.get(normalise(unit or ""))
        return "" if factor is None else f"1 {unit} is {factor:.12g} kg"

    def _category(self, item: str) -> str:
        return f"{item}: {self.book.items[item]}"

    def _limit(self, parcel: str) -> str:
        return f"{parcel}: up to {self.book.parcels[parcel]:.6g} kg"

    def _liquids(self, parcel: str) -> str:
        return f"{parcel}: {'takes' if parcel in self.book.liquids else 'no'} liquids"


def _agrees(true: float, claimed: float | None) -> bool:
    return claimed is not None and close(true, claimed)
