"""The rule-based proposer: from a carrier's feedback to a patch.

The proposer sees what it would see in production: the request, the quote and the feedback. The
feedback's detail is read leniently: the carrier's own sentences (`tube: up to 5 kg`) work as well
as the bare fact that a person would type (`5 kg`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import islice, pairwise

from pydantic import ValidationError

from patchlab_agent.models.patch import Proposal, close
from patchlab_agent.models.trace import Feedback, Trace
from patchlab_agent.shipping.country_names import country_code
from patchlab_agent.shipping.details import DETAILS
from patchlab_agent.shipping.english import FILLERS, NUMBER_WORDS, SERVICES
from patchlab_agent.shipping.examples import number_example
from patchlab_agent.shipping.numbers import HOLE, Number, numbers_in, skeleton, stands_alone
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
from patchlab_agent.text import as_trigger, is_letters, normalise, occurs, words

_KG = rf"{HOLE}\s*kg\b"
_SCALE = re.compile(rf"{_KG} on the scale", re.IGNORECASE)
_FACTOR = re.compile(rf"(?:{HOLE}[^{HOLE}]*)?\bis {_KG}", re.IGNORECASE)
_LIMIT = re.compile(rf"up to {_KG}", re.IGNORECASE)
_BARE = re.compile(rf"\s*{HOLE}(?:\s*kg)?\s*", re.IGNORECASE)
_CLAUSE = re.compile("[;:\n]")
_DIGITS = "0"
_NEGATIONS = frozenset({"no", "not", "never", "cannot", "false"})


class NoLesson(Exception):
    """Nothing can be learned from this failure; the message says why."""


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
            fix, trigger = lesson(_Failure(trace.request, quote, feedback))
        except NoLesson as reason:
            return Proposal(reason=str(reason))
        except ValidationError as error:
            return Proposal(reason=f"the feedback makes no fix: {error.errors()[0]['msg']}")
        return Proposal(patch=patch_of(fix, trigger, trace, feedback))

    def details(self) -> Mapping[str, str]:
        """Return, by label, what the detail of feedback takes."""
        return DETAILS


class _Failure:
    """One failure, with the questions that lessons ask of it."""

    def __init__(self, request: str, quote: ShippingQuote, feedback: Feedback) -> None:
        self.request = request
        self.quote = quote
        self.feedback = feedback
        numbers = numbers_in(feedback.detail, printed=True)
        self._skeleton = skeleton(feedback.detail, numbers)
        self._numbers = [each.value if _is_certain(each) else None for each in numbers]

    def trigger(self, *candidates: str | None) -> str:
        """Return the first candidate that occurs in the request.

        Raises:
            NoLesson: none does, so no later request could be recognised by it.
        """
        for candidate in candidates:
            trigger = as_trigger(candidate or "")
            if trigger is None or FILLERS.issuperset(words(trigger)):
                continue
            if occurs(trigger, self.request):
                return trigger
        raise NoLesson("no word of the request names what went wrong")

    def number(self, pattern: re.Pattern[str]) -> float | None:
        """Return the number that a pattern finds in the detail, or that the detail consists of.

        Raises:
            NoLesson: a number of the detail can be read in several ways.
        """
        found = self.stated(pattern)
        if found is None and None in self._numbers:
            raise NoLesson("the feedback's detail gives a number that can be read in several ways")
        if found is None and _BARE.fullmatch(self._skeleton):
            return self._numbers[0]
        return found

    def stated(self, pattern: re.Pattern[str]) -> float | None:
        """Return the number that a pattern finds in the detail.

        None if it finds none, or different ones, or if its clause holds further numbers. Of two
        numbers that belong together, as in `2 lb is 0.9 kg`, the number is the second per first.
        """
        values, found = iter(self._numbers), set()
        for clause in _CLAUSE.split(self._skeleton):
            own = list(islice(values, clause.count(HOLE)))
            if match := pattern.search(clause):
                found.add(_ratio(own) if match.group().count(HOLE) == len(own) else None)
        return found.pop() if len(found) == 1 else None

    def weight(self) -> float:
        """Return the weight as the request writes it, to infer its unit from.

        Raises:
            NoLesson: the answer names no weight, or one that the request does not: then the number
                was misread, and says nothing about the unit.
        """
        weight = self.quote.weight
        if not weight:
            raise NoLesson("the answer names no weight to infer the unit from")
        written = [number for number in numbers_in(self.request) if not number.in_name]
        tokens = self.tokens()
        in_digits = [at for at, token in enumerate(tokens) if token == _DIGITS]
        is_whole = all(stands_alone(tokens, at, at + 1) for at in in_digits)
        if not is_whole or not all(map(_is_certain, written)):
            raise NoLesson("the request's number can be read in several ways")
        if len({number.value for number in written}) > 1:
            raise NoLesson("the request writes several numbers")
        if not all(close(number.value or 0, weight) for number in written):
            raise NoLesson("the answer's number is not the request's, so it was misread")
        return weight

    def tokens(self) -> tuple[str, ...]:
        """Return the words of the request, with `_DIGITS` for each number in digits."""
        found = skeleton(self.request, numbers_in(self.request))
        return words(found.replace(HOLE, f" {_DIGITS} "))

    def confirm(self, ours: str | None) -> None:
        """Check that the carrier refers to what the quote names.

        Raises:
            NoLesson: it names something else, so the request was misread and no rule is at fault.
        """
        named = self.named()
        if named is not None and not occurs(named, ours or ""):
            raise NoLesson("the carrier refers to something other than the quote")

    def named(self) -> str | None:
        """Return the carrier's name for the thing: the part of the detail before its colon."""
        name, colon, _ = self.feedback.detail.partition(":")
        return name.strip() if colon else None

    def asks(self, declaration: str) -> bool:
        """Return whether the sender's own words ask for a declaration."""
        return any(SERVICES.get(word) == declaration for word in words(self.request))

    def told(self) -> str:
        """Return what the carrier says of the thing: the detail after its colon, or all of it.

        Raises:
            NoLesson: the detail is empty.
        """
        _, colon, after = self.feedback.detail.partition(":")
        told = after if colon else self.feedback.detail
        if not told.strip():
            raise NoLesson("the feedback's detail says nothing to learn")
        return told.strip()


def _is_certain(number: Number) -> bool:
    return number.value is not None and number.certain


def _ratio(values: Sequence[float | None]) -> float | None:
    """Return the only value, or the second per first."""
    match values:
        case [float(value)]:
            return value
        case [float(first), float(second)] if first > 0:
            return second / first
    return None


def _required(value: float | None) -> float:
    if value is None:
        raise NoLesson("the feedback's detail gives no number to learn")
    return value


Lesson = Callable[[_Failure], tuple[ShippingFix, str]]


def _unit(failure: _Failure) -> tuple[ShippingFix, str]:
    trigger = failure.trigger(failure.quote.unit)
    measured = failure.stated(_SCALE)
    factor = None if measured is None else measured / failure.weight()
    if factor is None:
        told = failure.number(_FACTOR)
        factor = _required(_namesake_kg(failure) if told is None else told)
    return UnitFix(unit=trigger, kg_per_unit=float(f"{factor:.12g}")), trigger


def _namesake_kg(failure: _Failure) -> float | None:
    """Return what a unit weighs if the detail is another name of it; None if it names none.

    Raises:
        NoLesson: it is the request's own word, which says nothing of what the unit weighs.
    """
    name = failure.feedback.detail.strip()
    kg = defined_kg(name) or defined_kg(name.lower())
    if kg is not None and occurs(name, failure.request):
        raise NoLesson(f"the request itself says {name!r}; what one weighs is what there is to say")
    return kg


def _mismatch(failure: _Failure) -> tuple[ShippingFix, str]:
    kg = _required(failure.number(_SCALE))
    factor = kg / failure.weight()
    trigger = failure.trigger(failure.quote.unit)
    return UnitFix(unit=trigger, kg_per_unit=float(f"{factor:.6g}")), trigger


def _missing_weight(failure: _Failure) -> tuple[ShippingFix, str]:
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


def _is_part_of_number(word: str, failure: _Failure) -> bool:
    """Return whether a word alone is not the number: `five` in `twenty five kg`."""
    if not all(map(_is_certain, numbers_in(failure.request))):
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


def _unexplained(failure: _Failure) -> list[str]:
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


def _item(failure: _Failure) -> tuple[ShippingFix, str]:
    if failure.feedback.field == "prohibited":
        trigger = failure.trigger(failure.named(), failure.quote.prohibited)
        return RevokedFix(rule="prohibited", subject=trigger), trigger
    trigger = failure.trigger(failure.named(), failure.quote.item)
    return ItemFix(item=trigger, category=failure.told()), trigger


def _known_parcel(failure: _Failure) -> tuple[ShippingFix, str]:
    if failure.feedback.field == "parcel_takes_liquids":
        return _liquids(failure)
    return _parcel(failure)


def _liquids(failure: _Failure) -> tuple[ShippingFix, str]:
    takes = _NEGATIONS.isdisjoint(words(failure.told()))
    if takes == failure.quote.parcel_takes_liquids:
        raise NoLesson("the quote already says of liquids what the carrier says")
    trigger = failure.trigger(failure.named(), failure.quote.parcel)
    if takes:
        return LiquidsFix(parcel=trigger), trigger
    return RevokedFix(rule="liquids", subject=trigger), trigger


def _parcel(failure: _Failure) -> tuple[ShippingFix, str]:
    trigger = failure.trigger(failure.named(), failure.quote.parcel)
    limit = _required(failure.number(_LIMIT))
    if limit == failure.quote.parcel_limit_kg:
        raise NoLesson("the quote already has the limit that the carrier states")
    return ParcelFix(parcel=trigger, limit_kg=limit), trigger


def _destination(failure: _Failure) -> tuple[ShippingFix, str]:
    if failure.feedback.field == "embargo":
        trigger = failure.trigger(failure.named(), failure.quote.embargo)
        return RevokedFix(rule="embargo", subject=trigger), trigger
    country = country_code(failure.feedback.detail.rpartition(":")[2])
    if country is None:
        raise NoLesson("the feedback's detail gives no country code to learn")
    trigger = failure.trigger(failure.named(), failure.quote.destination)
    return DestinationFix(alias=trigger, country=country), trigger


def _embargo(failure: _Failure) -> tuple[ShippingFix, str]:
    trigger = failure.trigger(failure.quote.destination)
    return EmbargoFix(destination=trigger), trigger


def _liquid(failure: _Failure) -> tuple[ShippingFix, str]:
    if failure.quote.category != LIQUID:
        trigger = failure.trigger(failure.quote.item)
        return ItemFix(item=trigger, category=LIQUID), trigger
    trigger = failure.trigger(failure.quote.parcel)
    return RevokedFix(rule="liquids", subject=trigger), trigger


def _restricted(demand: str) -> Lesson:
    def lesson(failure: _Failure) -> tuple[ShippingFix, str]:
        if failure.asks(demand) and not occurs(failure.named() or "", failure.request):
            raise NoLesson("the sender asked for it: no rule is at fault")
        trigger = failure.trigger(failure.named(), failure.quote.item)
        return RestrictionFix.model_validate({"item": trigger, "demand": demand}), trigger

    return lesson


def _overdeclared(failure: _Failure) -> tuple[ShippingFix, str]:
    told = words(failure.told())
    needless = next((d for d in failure.quote.declarations if d in told), None)
    if needless is None:
        raise NoLesson("the feedback's detail names nothing that the quote declares")
    if failure.asks(needless):
        raise NoLesson("the sender asked for it: no rule is at fault")
    trigger = failure.trigger(failure.named(), failure.quote.item)
    return RevokedFix(rule=needless.value, subject=trigger), trigger


def _wrong_refusal(failure: _Failure) -> tuple[ShippingFix, str]:
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


def _wrong_overweight(failure: _Failure) -> tuple[ShippingFix, str]:
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
