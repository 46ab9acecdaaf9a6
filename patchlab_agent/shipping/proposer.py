"""The rule-based proposer: from a carrier's feedback to a patch.

The proposer sees what it would see in production: the request, the quote and the feedback. The
feedback's detail is read leniently: the carrier's own sentences (`tube: up to 5 kg`) work as well
as the bare fact that a person would type (`5 kg`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from itertools import pairwise

from pydantic import ValidationError

from patchlab_agent.models.patch import Proposal
from patchlab_agent.models.trace import Feedback, Trace
from patchlab_agent.shipping.country_names import country_code
from patchlab_agent.shipping.details import DETAILS
from patchlab_agent.shipping.english import FILLERS, NUMBER_WORDS, SERVICES
from patchlab_agent.shipping.examples import number_example
from patchlab_agent.shipping.failure import Failure, NoLesson, is_certain
from patchlab_agent.shipping.numbers import HOLE, numbers_in, stands_alone
from patchlab_agent.shipping.patch_tests import patch_of
from patchlab_agent.shipping.rules import (
    DestinationFix,
    EmbargoFix,
    ItemFix,
    LiquidsFix,
    ParcelFix,
    RestrictionFix,
    RevokedFix,
    ShippingFix,
    UnitFix,
)
from patchlab_agent.shipping.schema import LIQUID, Refusal, ShippingQuote
from patchlab_agent.shipping.variants import defined_kg
from patchlab_agent.text import is_letters, normalise, occurs, words

_KG = rf"{HOLE}\s*kg\b"
_SCALE = re.compile(rf"{_KG} on the scale", re.IGNORECASE)
_FACTOR = re.compile(rf"(?:{HOLE}[^{HOLE}]*)?\bis {_KG}", re.IGNORECASE)
_LIMIT = re.compile(rf"up to {_KG}", re.IGNORECASE)
_NEGATIONS = frozenset({"no", "not", "never", "cannot", "false"})


class ShippingProposer:
    """A proposer that turns each label into the kind of fix that corrects it."""

    def propose(self, trace: Trace, feedback: Feedback) -> Proposal:
        """Make a patch with its tests, or say why there is nothing to learn.

        Unusable feedback raises nothing: the problem becomes the proposal's reason.
        """
        if trace.output is None:
            return Proposal(reason="the answer held no quote to compare with")
        lesson = _LESSONS.get(feedback.label or "")
        if lesson is None:
            return Proposal(reason=f"no fix is known for {feedback.label}")
        quote = ShippingQuote.model_validate(trace.output)
        try:
            fix, trigger = lesson(Failure(trace.request, quote, feedback))
        except NoLesson as reason:
            return Proposal(reason=str(reason))
        except ValidationError as error:
            return Proposal(reason=f"the feedback makes no fix: {error.errors()[0]['msg']}")
        return Proposal(patch=patch_of(fix, trigger, trace, feedback))

    def details(self) -> Mapping[str, str]:
        """Return, by label, what the detail of feedback takes."""
        return DETAILS


def _required(value: float | None) -> float:
    if value is None:
        raise NoLesson("the feedback's detail gives no number to learn")
    return value


Lesson = Callable[[Failure], tuple[ShippingFix, str]]


def _unit(failure: Failure) -> tuple[ShippingFix, str]:
    trigger = failure.trigger(failure.quote.unit)
    measured = failure.stated(_SCALE)
    factor = None if measured is None else measured / failure.weight()
    if factor is None:
        told = failure.number(_FACTOR)
        factor = _required(_namesake_kg(failure) if told is None else told)
    return UnitFix(unit=trigger, kg_per_unit=float(f"{factor:.12g}")), trigger


def _namesake_kg(failure: Failure) -> float | None:
    """Return what a unit weighs if the detail is another name of it; None if it names none.

    Raises:
        NoLesson: it is the request's own word, which says nothing of what the unit weighs.
    """
    name = failure.feedback.detail.strip()
    kg = defined_kg(name) or defined_kg(name.lower())
    if kg is not None and occurs(name, failure.request):
        raise NoLesson(f"the request itself says {name!r}; what one weighs is what there is to say")
    return kg


def _mismatch(failure: Failure) -> tuple[ShippingFix, str]:
    kg = _required(failure.number(_SCALE))
    factor = kg / failure.weight()
    trigger = failure.trigger(failure.quote.unit)
    return UnitFix(unit=trigger, kg_per_unit=float(f"{factor:.6g}")), trigger


def _missing_weight(failure: Failure) -> tuple[ShippingFix, str]:
    kg, quote = _required(failure.number(_SCALE)), failure.quote
    if quote.unit is None or quote.kg_per_unit is None:
        raise NoLesson("the answer names no unit to infer the weight from")
    if not occurs(quote.unit, failure.request):
        raise NoLesson("the answer's unit is not the request's, so the number cannot be inferred")
    value = _spoken(kg / quote.kg_per_unit)
    word = failure.trigger(*_unexplained(failure))
    if _is_part_of_number(word, failure):
        raise NoLesson("the request's number has several parts or readings")
    return number_example(word, value), word


def _is_part_of_number(word: str, failure: Failure) -> bool:
    """Return whether a word alone is not the number: `five` in `twenty five kg`."""
    if not all(map(is_certain, numbers_in(failure.request))):
        return True
    tokens, unit = failure.tokens(), normalise(failure.quote.unit or "")
    return any(
        not stands_alone(tokens, at, at + 1)
        for at, token in enumerate(tokens)
        if token == word and (word in NUMBER_WORDS or tokens[at + 1 : at + 2] == (unit,))
    )


def _spoken(value: float) -> float:
    """Return the number that a word may stand for: a multiple of a quarter.

    Raises:
        NoLesson: it is no such number, so the unit's factor must be wrong as well.
    """
    quarters = round(4 * value) if math.isfinite(value) else 0
    # Narrower than what counts as equal elsewhere: with a factor that is a tenth off, a dozen
    # comes out as 10.71, which is no 10.75.
    if quarters == 0 or not math.isclose(quarters / 4, value, rel_tol=1e-3):
        raise NoLesson(f"{value:.6g} is not a number that people write as a word")
    return quarters / 4


def _unexplained(failure: Failure) -> list[str]:
    """Return the request's words that the quote does not explain, those before the unit first."""
    quote, tokens = failure.quote, words(failure.request)
    # A name that no rule confirms may be the number word itself, mistaken for a thing.
    named = (
        quote.unit,
        quote.item if quote.category else None,
        quote.parcel if quote.parcel_limit_kg else None,
        quote.destination if quote.country else None,
    )
    explained = {word for name in named for word in words(name or "")}
    left = {word for word in tokens if is_letters(word)} - explained - FILLERS - SERVICES.keys()
    before_unit, unit = dict(pairwise(tokens)), normalise(quote.unit or "")
    return sorted(left, key=lambda word: (before_unit.get(word) != unit, tokens.index(word)))


def _item(failure: Failure) -> tuple[ShippingFix, str]:
    if failure.feedback.field == "prohibited":
        trigger = failure.trigger(failure.named(), failure.quote.prohibited)
        return RevokedFix(rule="prohibited", subject=trigger), trigger
    trigger = failure.trigger(failure.named(), failure.quote.item)
    return ItemFix(item=trigger, category=failure.told()), trigger


def _known_parcel(failure: Failure) -> tuple[ShippingFix, str]:
    if failure.feedback.field == "parcel_takes_liquids":
        return _liquids(failure)
    return _parcel(failure)


def _liquids(failure: Failure) -> tuple[ShippingFix, str]:
    takes = _NEGATIONS.isdisjoint(words(failure.told()))
    if takes == failure.quote.parcel_takes_liquids:
        raise NoLesson("the quote already says of liquids what the carrier says")
    trigger = failure.trigger(failure.named(), failure.quote.parcel)
    if takes:
        return LiquidsFix(parcel=trigger), trigger
    return RevokedFix(rule="liquids", subject=trigger), trigger


def _parcel(failure: Failure) -> tuple[ShippingFix, str]:
    trigger = failure.trigger(failure.named(), failure.quote.parcel)
    limit = _required(failure.number(_LIMIT))
    if limit == failure.quote.parcel_limit_kg:
        raise NoLesson("the quote already has the limit that the carrier states")
    return ParcelFix(parcel=trigger, limit_kg=limit), trigger


def _destination(failure: Failure) -> tuple[ShippingFix, str]:
    if failure.feedback.field == "embargo":
        trigger = failure.trigger(failure.named(), failure.quote.embargo)
        return RevokedFix(rule="embargo", subject=trigger), trigger
    country = country_code(failure.feedback.detail.rpartition(":")[2])
    if country is None:
        raise NoLesson("the feedback's detail gives no country code to learn")
    trigger = failure.trigger(failure.named(), failure.quote.destination)
    return DestinationFix(alias=trigger, country=country), trigger


def _embargo(failure: Failure) -> tuple[ShippingFix, str]:
    trigger = failure.trigger(failure.quote.destination)
    return EmbargoFix(destination=trigger), trigger


def _liquid(failure: Failure) -> tuple[ShippingFix, str]:
    if failure.quote.category != LIQUID:
        trigger = failure.trigger(failure.quote.item)
        return ItemFix(item=trigger, category=LIQUID), trigger
    trigger = failure.trigger(failure.quote.parcel)
    return RevokedFix(rule="liquids", subject=trigger), trigger


def _restricted(demand: str) -> Lesson:
    def lesson(failure: Failure) -> tuple[ShippingFix, str]:
        if failure.asks(demand) and not occurs(failure.named() or "", failure.request):
            raise NoLesson("the sender asked for it: no rule is at fault")
        trigger = failure.trigger(failure.named(), failure.quote.item)
        return RestrictionFix.model_validate({"item": trigger, "demand": demand}), trigger

    return lesson


def _overdeclared(failure: Failure) -> tuple[ShippingFix, str]:
    told = words(failure.told())
    needless = next((d for d in failure.quote.declarations if d in told), None)
    if needless is None:
        raise NoLesson("the feedback's detail names nothing that the quote declares")
    if failure.asks(needless):
        raise NoLesson("the sender asked for it: no rule is at fault")
    trigger = failure.trigger(failure.named(), failure.quote.item)
    return RevokedFix(rule=needless.value, subject=trigger), trigger


def _wrong_refusal(failure: Failure) -> tuple[ShippingFix, str]:
    quote = failure.quote
    match quote.refusal:
        case Refusal.PROHIBITED:
            failure.confirm(quote.item)
            trigger = failure.trigger(quote.item)
            return RevokedFix(rule="prohibited", subject=trigger), trigger
        case Refusal.EMBARGO:
            failure.confirm(quote.country)
            trigger = failure.trigger(quote.destination)
            return RevokedFix(rule="embargo", subject=trigger), trigger
        case Refusal.LIQUID:
            failure.confirm(quote.parcel)
            trigger = failure.trigger(quote.parcel)
            return LiquidsFix(parcel=trigger), trigger
        case Refusal.OVERWEIGHT:
            return _wrong_overweight(failure)
    raise NoLesson("the quote refuses nothing")


def _wrong_overweight(failure: Failure) -> tuple[ShippingFix, str]:
    limit = _required(failure.number(_LIMIT))
    if limit != failure.quote.parcel_limit_kg:
        return _parcel(failure)
    if failure.stated(_SCALE) is None:
        raise NoLesson("the feedback's detail gives no weight to learn from")
    return _mismatch(failure)


_LESSONS: dict[str, Lesson] = {
    "weight_missing": _missing_weight,
    "weight_mismatch": _mismatch,
    "unit_unknown": _unit,
    "destination_unknown": _destination,
    "item_unknown": _item,
    "parcel_unknown": _known_parcel,
    "prohibited_item": _restricted("prohibited"),
    "embargo_destination": _embargo,
    "liquid_restricted": _liquid,
    "overweight_parcel": _parcel,
    "hazmat_undeclared": _restricted("hazmat"),
    "fragile_undeclared": _restricted("fragile"),
    "temperature_uncontrolled": _restricted("temperature"),
    "insurance_required": _restricted("insurance"),
    "overdeclared": _overdeclared,
    "wrong_refusal": _wrong_refusal,
}
"""The lesson for each label; an unusable answer (`invalid_response`) teaches nothing."""
