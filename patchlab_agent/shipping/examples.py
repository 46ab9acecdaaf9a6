"""Worked examples: made by the skill, never copied from what a person typed."""

from __future__ import annotations

import re

from patchlab_agent.models.base import JsonObject
from patchlab_agent.shipping.english import FILLERS, SERVICES
from patchlab_agent.shipping.rules import ExampleFix
from patchlab_agent.shipping.schema import Answer
from patchlab_agent.text import words

MAX_UNEXPLAINED_WORDS = 3
MAX_UNEXPLAINED_LETTERS = 24


def number_example(word: str, value: float) -> ExampleFix:
    """What shows that a word stands for a number, in a request that is plain otherwise."""
    answer = Answer(
        weight=value,
        unit="kg",
        kg_per_unit=1.0,
        item="books",
        category="print",
        parcel="box",
        parcel_limit_kg=30.0,
        parcel_takes_liquids=False,
        destination="us",
        country="US",
        declarations=(),
        refusal=None,
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
