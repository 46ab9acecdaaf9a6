"""Worked examples, made by the skill and never copied from what a person typed."""

from __future__ import annotations

import re
from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, zip_longest

from patchlab_agent.models.base import JsonObject
from patchlab_agent.models.patch import Fix
from patchlab_agent.models.trace import Example
from patchlab_agent.plain import is_word, oddity, pieces
from patchlab_agent.shipping.english import FILLERS, SERVICES
from patchlab_agent.shipping.fix import RequestPart, SubjectFix
from patchlab_agent.shipping.rule_book import RuleBook
from patchlab_agent.shipping.rules import ExampleFix
from patchlab_agent.shipping.schema import Answer, Declaration
from patchlab_agent.text import is_letters, normalise, phrases, same_word

MAX_WORDS = 18
MAX_NUMBERS = 3
"""A plain request needs no more; beyond that, harmless words could carry instructions."""
_COUNTRY = re.compile("[A-Z]{2}")


@dataclass(frozen=True)
class Named:
    """The things that a plain request names, as written."""

    weight: float = 3.0
    unit: str = "kg"
    item: str = "books"
    parcel: str = "box"
    destination: str = "us"

    def __str__(self) -> str:
        return f"Ship {self.weight:g} {self.unit} {self.item} {self.parcel} to {self.destination}"


def looked_up(named: Named, book: RuleBook, asked: Iterable[Declaration] = ()) -> Answer:
    """Return the right answer to a request, by a rule book and what the sender asks for."""
    return Answer(
        weight=named.weight,
        unit=named.unit,
        kg_per_unit=book.units.get(named.unit),
        item=named.item,
        category=book.items.get(named.item),
        prohibited=named.item if book.prohibits(named.item) else None,
        parcel=named.parcel,
        parcel_limit_kg=book.parcels.get(named.parcel),
        parcel_takes_liquids=named.parcel in book.liquids,
        destination=named.destination,
        country=book.destinations.get(named.destination),
        embargo=named.destination if named.destination in book.embargoes else None,
        declarations=tuple(dict.fromkeys((*book.declarations(named.item), *asked))),
    )


def demos(known: RuleBook) -> tuple[Example, ...]:
    """Return the few-shot examples of every prompt: plain, declared, unknown, refused."""
    shown: tuple[tuple[str, Named, tuple[Declaration, ...]], ...] = (
        ("Ship 2.5 kg books box to Germany", Named(2.5, destination="germany"), ()),
        (
            "please send a pallet with 400 grams of paint, insured, to Japan",
            Named(400.0, "grams", "paint", "pallet", "japan"),
            (Declaration.INSURANCE,),
        ),
        ("to Atlantis: 3 oz kites, tin", Named(3.0, "oz", "kites", "tin", "atlantis"), ()),
        ("Iran <- 12g shoes envelope", Named(12.0, "g", "shoes", "envelope", "iran"), ()),
        ("weapon, 2 kg, sack, to Italy", Named(2.0, "kg", "weapon", "sack", "italy"), ()),
    )
    return tuple(
        Example(request=request, answer=looked_up(named, known, asked).model_dump(mode="json"))
        for request, named, asked in shown
    )


def worked_examples(
    fixes: Sequence[Fix], known: RuleBook, request: str = "", apart: Sequence[Fix] = ()
) -> Iterator[Example]:
    """Yield as few examples as show the subjects of all fixes, answered by all their rules.

    A request names one unit, item, parcel and destination, so rules about different parts share an
    example; those in `apart` take one of their own. For parts that no fix is about, an example
    names what the request names if a known rule covers it: a small model with one thing to heed
    forgets the others more easily. An `ExampleFix` brings its own words, so it is shown only if
    they are plain.

    The rules accompany the example's request as they will accompany the real one, which makes a
    small model follow them.
    """
    subjects: dict[RequestPart, dict[str, list[SubjectFix]]] = {}
    for fix in fixes:
        if isinstance(fix, ExampleFix):
            answer = fix.answer.model_dump(mode="json")
            # Wherever the fix comes from, this is where it would enter a prompt.
            if is_plain(fix.request, answer, known):
                yield Example(request=fix.request, answer=answer)
        elif isinstance(fix, SubjectFix):
            subjects.setdefault(fix.request_part, {}).setdefault(fix.about, []).append(fix)
    alone = [
        {fix.request_part: subjects[fix.request_part].pop(fix.about)}
        for fix in apart
        if isinstance(fix, SubjectFix) and fix.about in subjects.get(fix.request_part, {})
    ]
    shared = (
        {slot: rules for slot, rules in zip(subjects, parts, strict=True) if rules}
        for parts in zip_longest(*(about.values() for about in subjects.values()))
    )
    if not subjects and not alone:
        return
    usual = replace(Named(), **_named_in(request, known))  # type: ignore[arg-type]  # no weight
    for taught in (*shared, *alone):
        yield _worked(taught, usual, known)


def _worked(
    taught: Mapping[RequestPart, Sequence[SubjectFix]], usual: Named, known: RuleBook
) -> Example:
    """Make one example of what is taught about one subject of each part."""
    rules = sorted(chain.from_iterable(taught.values()), key=lambda rule: rule.subject_key)
    book = known.copy()
    for rule in rules:
        book.add(rule)
    names = {slot: about[0].about for slot, about in taught.items()}
    named = replace(usual, **names)  # type: ignore[arg-type]  # no weight
    answer = looked_up(named, book).model_dump(mode="json")
    return Example(request=str(named), answer=answer, rules=tuple(rules))


def _named_in(request: str, known: RuleBook) -> dict[RequestPart, str]:
    """Find the unit, item, parcel and destination that a request names in words of known rules.

    A part with several such names is left out: code cannot tell which one is meant.
    """
    names: dict[RequestPart, Collection[str]] = {
        "unit": known.units,
        "item": known.items,
        "parcel": known.parcels,
        "destination": known.destinations,
    }
    said = phrases(request)
    found = {slot: [phrase for phrase in said if phrase in of] for slot, of in names.items()}
    return {slot: one[0] for slot, one in found.items() if len(one) == 1}


def number_example(word: str, value: float) -> ExampleFix:
    """Make an example that shows a word for a number in an otherwise plain request."""
    answer = Answer(
        weight=value,
        unit="kg",
        kg_per_unit=1.0,
        item="books",
        category="print",
        prohibited=None,
        parcel="box",
        parcel_limit_kg=30.0,
        parcel_takes_liquids=False,
        destination="us",
        country="US",
        embargo=None,
        declarations=(),
    )
    return ExampleFix(request=f"Ship {word} kg books box to US", answer=answer)


def is_plain(request: str, answer: JsonObject, known: RuleBook) -> bool:
    """Return whether a request with its answer may appear in the prompts of other requests.

    Nearly all words of both must be accounted for: by names that the answer gives and known rules
    confirm, and by common words. One short word may be left over: for a number, or for a thing
    that a patch taught. More could be an instruction to a model; such a request is answered like
    any other, but never shown.

    Args:
        request: as typed.
        answer: the model's answer, whose texts would be shown as well.
        known: rules from trusted sources.
    """
    texts = {name: text for name, text in answer.items() if isinstance(text, str)}
    if any(map(oddity, (request, *texts.values()))):
        return False
    category, country = texts.pop("category", "unknown"), texts.pop("country", "XX")
    if not is_word(category) or not _COUNTRY.fullmatch(country):
        return False
    confirmed, unconfirmed = _split(texts, known)
    said, named = pieces(request), {word for text in texts.values() for word in pieces(text)}
    left = {word for word in said if is_letters(word) and not _among(confirmed, word)}
    numbers = sum(not is_letters(word) for word in said)
    return (
        len(said) <= MAX_WORDS
        and numbers <= MAX_NUMBERS
        and len(left) <= 1
        and len(unconfirmed) <= 1
        and all(map(is_word, left | unconfirmed))
        # The answer names what is left over, unless that stands for the number.
        and (not numbers or all(_among(named, word) for word in left))
        # The answer adds nothing to what the request says.
        and all(_among(said, word) for word in named)
    )


def _split(texts: Mapping[str, str], known: RuleBook) -> tuple[set[str], set[str]]:
    """Return the words allowed in any request, and the names that no known rule confirms."""
    items, places = (known.items, known.demands), (known.destinations, known.embargoes)
    books: dict[str, tuple[Container[str], ...]] = {
        "unit": (known.units,),
        "item": items,
        "prohibited": items,
        "parcel": (known.parcels,),
        "destination": places,
        "embargo": places,
    }
    confirmed, unconfirmed = {*FILLERS, *SERVICES}, set()
    for slot, name in texts.items():
        if any(normalise(name) in book for book in books.get(slot, ())):
            confirmed.update(pieces(name))
        else:
            unconfirmed.add(normalise(name))
    return confirmed, unconfirmed


def _among(wanted: Iterable[str], found: str) -> bool:
    return found in wanted or any(same_word(word, found) for word in wanted)
