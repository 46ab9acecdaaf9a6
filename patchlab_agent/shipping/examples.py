"""Worked examples: made by the skill, never copied from what a person typed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from patchlab_agent.models.base import JsonObject
from patchlab_agent.models.patch import Fix
from patchlab_agent.models.trace import Example
from patchlab_agent.shipping.english import FILLERS, SERVICES
from patchlab_agent.shipping.rules import ExampleFix, RuleBook, SubjectFix
from patchlab_agent.shipping.schema import Answer, Declaration
from patchlab_agent.text import words

MAX_UNEXPLAINED_WORDS = 3
MAX_UNEXPLAINED_LETTERS = 24


@dataclass(frozen=True)
class Named:
    """What a plain request names, as it is written."""

    weight: float = 3.0
    unit: str = "kg"
    item: str = "books"
    parcel: str = "box"
    destination: str = "us"

    def __str__(self) -> str:
        return f"Ship {self.weight:g} {self.unit} {self.item} {self.parcel} to {self.destination}"


def looked_up(named: Named, book: RuleBook, asked: Iterable[Declaration] = ()) -> Answer:
    """The right answer to a request, by a rule book and what the sender asks for."""
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


def demonstrations(known: RuleBook) -> tuple[Example, ...]:
    """What every prompt shows: plain, with declarations, with unknown things, and refusals."""
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


def worked_examples(fixes: Sequence[Fix], known: RuleBook) -> Iterator[Example]:
    """One example for each thing that fixes speak of, answered as all its rules say.

    The rules stand beside the example's request as they will stand beside the real one: that is
    how a small model is brought to follow them.
    """
    subjects: dict[tuple[str, str], list[SubjectFix]] = {}
    for fix in fixes:
        if isinstance(fix, ExampleFix):
            yield Example(request=fix.request, answer=fix.answer.model_dump(mode="json"))
        elif isinstance(fix, SubjectFix):
            subjects.setdefault((fix.request_slot, fix.about), []).append(fix)
    for (slot, subject), rules in subjects.items():
        book = known.copy()
        for rule in rules:
            book.add(rule)
        named = replace(Named(), **{slot: subject})  # type: ignore[arg-type]  # no weight
        yield Example(
            request=str(named),
            answer=looked_up(named, book).model_dump(mode="json"),
            rules=tuple(rules),
        )


def number_example(word: str, value: float) -> ExampleFix:
    """What shows that a word stands for a number, in a request that is plain otherwise."""
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


def is_plain(request: str, answer: JsonObject) -> bool:
    """Whether nearly every word of a request is accounted for by its answer.

    What is left over could be anything, an instruction to a model among it; such a request is
    answered like any other, but never shown in another one's prompt.
    """
    named = (answer.get(field) for field in ("unit", "item", "parcel", "destination"))
    explained = {word for name in named if isinstance(name, str) for word in words(name)}
    explained |= FILLERS | SERVICES.keys()
    left = [
        part
        for word in words(request)
        if word not in explained
        # A hyphen can string a whole sentence into one word.
        for part in re.split("['’-]", word)
        if part.isalpha()
    ]
    letters = sum(map(len, left))
    return len(left) <= MAX_UNEXPLAINED_WORDS and letters <= MAX_UNEXPLAINED_LETTERS
