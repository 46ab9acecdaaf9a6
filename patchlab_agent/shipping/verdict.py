"""What a quote comes to, in words: a price, a refusal, or what stands in the way of either."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

from patchlab_agent.models.base import Output
from patchlab_agent.models.patch import close
from patchlab_agent.models.verdict import Verdict, listing
from patchlab_agent.shipping.english import FILLERS, SERVICES
from patchlab_agent.shipping.numbers import numbers_in
from patchlab_agent.shipping.schema import Refusal, ShippingQuote
from patchlab_agent.shipping.variants import defined_kg
from patchlab_agent.text import same_word, words

MAX_NAMED = 6
"""Unexplained words that a sentence names; a request may have hundreds."""


def verdict(request: str, quote: Output) -> Verdict:
    """Say what a quote comes to, and which words of the request it does not account for."""
    said = ShippingQuote.model_validate(quote)
    missing, unknown = tuple(_missing(said)), dict(_unknown(said))
    left = unexplained(request, said)
    if said.refusal is not None:
        outcome, text = "refused", f"Refused because {_because(said, said.refusal)}."
    elif missing or unknown or said.price_eur is None:
        outcome, text = "incomplete", ": ".join(("Not quoted", *_lacking(missing, unknown))) + "."
    else:
        outcome, text = "answered", f"Quoted at {said.price_eur:,.2f} EUR."
    return Verdict.model_validate(
        {
            "outcome": outcome,
            "text": " ".join((text, *_left_over(left))),
            "missing": missing,
            "unknown": unknown,
            "unexplained": left,
        }
    )


def _missing(quote: ShippingQuote) -> Iterator[str]:
    if quote.weight is None:
        yield "weight"
    elif quote.unit is None:
        yield "unit"
    for part in ("item", "parcel", "destination"):
        if getattr(quote, part) is None:
            yield part


def _unknown(quote: ShippingQuote) -> Iterator[tuple[str, str]]:
    """Yield the parts that the quote names and of which it has nothing that rules say."""
    known = {
        "unit": quote.kg_per_unit,
        "item": quote.category,
        "parcel": quote.parcel_limit_kg,
        "destination": quote.country,
    }
    for part, told in known.items():
        name = getattr(quote, part)
        if name is not None and told is None:
            yield part, name


def _lacking(missing: Sequence[str], unknown: dict[str, str]) -> Iterator[str]:
    named = [f"{part} {name!r}" for part, name in unknown.items()]
    lacking = ((missing, "missing"), (named, "unknown"))
    clauses = [
        f"{listing(parts)} {'is' if len(parts) == 1 else 'are'} {how}"
        for parts, how in lacking
        if parts
    ]
    if clauses:
        yield ", and ".join(clauses)


def _because(quote: ShippingQuote, refusal: Refusal) -> str:
    match refusal:
        case Refusal.PROHIBITED:
            return f"item {quote.item!r} is prohibited"
        case Refusal.EMBARGO:
            return f"destination {quote.destination!r} is under embargo"
        case Refusal.LIQUID:
            return f"item {quote.item!r} is a liquid, which parcel {quote.parcel!r} may not carry"
        case Refusal.OVERWEIGHT:
            holds = f"the {quote.parcel_limit_kg:g} kg that parcel {quote.parcel!r} holds"
            return f"{quote.weight_kg:g} kg is more than {holds}"


def _left_over(left: Sequence[str]) -> Iterator[str]:
    if left:
        named = [repr(word) for word in left[:MAX_NAMED]]
        more = [f"{len(left) - MAX_NAMED} more"] if len(left) > MAX_NAMED else []
        noun = "the word" if len(left) == 1 else "the words"
        yield f"Nothing accounts for {noun} {listing([*named, *more])}."


@dataclass(frozen=True)
class _Amount:
    """A number in a request: the places of its tokens, and its value if it has one."""

    places: range
    value: float | None


def unexplained(request: str, quote: ShippingQuote) -> tuple[str, ...]:
    """Return the words and numbers of a request that a quote does not account for, each once."""
    tokens, amounts = _split(request)
    named = {word for name in _names(quote) for word in words(name)}
    explained = [
        token in FILLERS
        or token in named
        or any(same_word(name, token) for name in named)
        or _is_served(tokens, at, quote)
        for at, token in enumerate(tokens)
    ]
    for at in (*_weight(tokens, amounts, quote), *_spelled(tokens, explained, quote)):
        explained[at] = True
    left = (token for token, is_told in zip(tokens, explained, strict=True) if not is_told)
    return tuple(dict.fromkeys(left))


def _names(quote: ShippingQuote) -> Iterator[str]:
    named = (quote.unit, quote.item, quote.parcel, quote.destination, quote.country)
    yield from filter(None, (*named, quote.prohibited, quote.embargo))
    yield from quote.declarations


def _is_served(tokens: Sequence[str], at: int, quote: ShippingQuote) -> bool:
    """Return whether a word asks for what the quote declares, or asks that it be left out."""
    service = SERVICES.get(tokens[at])
    if service is None:
        return False
    return service in quote.declarations or tokens[max(at - 1, 0)] in ("not", "no")


def _split(request: str) -> tuple[list[str], list[_Amount]]:
    """Return the tokens of a request, and which of them are a number, with its value."""
    tokens: list[str] = []
    amounts, at = [], 0
    for number in numbers_in(request):
        tokens += words(request[at : number.start])
        start, at = len(tokens), number.end
        tokens += words(request[number.start : at])
        amounts.append(_Amount(range(start, len(tokens)), number.value))
    return [*tokens, *words(request[at:])], amounts


def _weight(
    tokens: Sequence[str], amounts: Sequence[_Amount], quote: ShippingQuote
) -> Iterator[int]:
    """Yield the places of the number that is the weight, or of numbers and units that add up to it.

    `1 kg 500 g` is 1.5 kg.
    """
    if quote.weight is None:
        return
    alone = [each for each in amounts if close(quote.weight, each.value or 0)]
    for each in alone:
        yield from each.places
    if alone or quote.weight_kg is None:
        return
    units = [tokens[each.places.stop : each.places.stop + 1] for each in amounts]
    parts = [
        (each, (each.value or 0) * (defined_kg(unit[0]) or 0))
        for each, unit in zip(amounts, units, strict=True)
        if unit
    ]
    if close(quote.weight_kg, sum(kg for _, kg in parts)):
        for each, kg in parts:
            yield from (*each.places, each.places.stop) if kg else ()


def _spelled(tokens: Sequence[str], explained: Sequence[bool], quote: ShippingQuote) -> list[int]:
    """Return the places of the words before the unit that spell the weight: `two and a half`."""
    unit = words(quote.unit or "")[:1]
    if quote.weight is None or not unit or any(token[0].isdigit() for token in tokens):
        return []
    at = next((place for place, token in enumerate(tokens) if token == unit[0]), 0)
    before = range(at - 1, -1, -1)
    return list(takewhile(lambda i: not explained[i] or tokens[i] in FILLERS, before))
