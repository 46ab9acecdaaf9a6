"""The attacks in every text that a stranger can give."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import pytest

from bench import canaries
from bench.canaries import ATTACKS, Attack
from patchlab_agent.models.base import JsonObject
from patchlab_agent.models.patch import Fix
from patchlab_agent.shipping.rules import parse_fix
from tests.shipping.helpers import ANSWER, PROMPTS, REQUEST, TASK

WAYS = {"request", "trigger", "example", "import", "feedback", "proposer", "fields"}
TOKENS = re.compile(
    r"<\|\S+?\|>|</?s>|<(?:start|end)_of_turn>|\[/?(?:INST|TOOL_CALLS|SYSTEM_PROMPT|CLS|SEP|gMASK)\]"
    r"|<</?SYS>>|<(?:bos|eos|unk|pad|mask|sop)>|</?(?:think|tool_call)>|\[\|\w+\|\]|>>[A-Z]+<<"
    r"|<(?:reserved_|extra_id_)\d+>|\]~b\]|\[e~\[|### "
)
"""What tokenizers of several vendors take for their own; told here by name, not by form."""


def by_family(way: str) -> pytest.MarkDecorator:
    """One test for the attacks of each family that go this way."""
    families = canaries.by_family(attack for attack in ATTACKS if way in attack.way)
    return pytest.mark.parametrize("attacks", families.values(), ids=families)


def answered(attack: Attack) -> Iterator[tuple[str, JsonObject]]:
    """Requests with answers in which a model copied the attack, and made up what rules say of it.

    The attack stands in the request alone, in each text of the answer, or split over its names.
    """
    text = attack.text[:80]
    yield attack.request, ANSWER
    yield attack.text, ANSWER
    for slot in ("unit", "item", "parcel", "destination"):
        named = {**ANSWER, slot: text}
        request = "Ship 2 {unit} {item} {parcel} to {destination}".format(**named)
        yield request, named
        yield attack.request, named
    for field in ("category", "country", "prohibited", "embargo"):
        yield REQUEST, {**ANSWER, field: text}
    if len(words := text.split()) >= 4:
        slots = dict(zip(("unit", "item", "parcel", "destination"), words, strict=False))
        yield f"Ship 2 {' '.join(words[:3])} to {words[3]}", {**ANSWER, **slots}


def fixes(attack: Attack) -> Iterator[JsonObject]:
    """The attack in every text of every kind of fix; most of it is no fix."""
    text = attack.text
    yield {"kind": "unit", "unit": text, "kg_per_unit": 1}
    yield {"kind": "parcel", "parcel": text, "limit_kg": 1}
    yield {"kind": "destination", "alias": text, "country": "DE"}
    yield {"kind": "destination", "alias": "books", "country": text}
    yield {"kind": "item", "item": text, "category": "print"}
    yield {"kind": "item", "item": "books", "category": text}
    yield {"kind": "restriction", "item": text, "demand": "hazmat"}
    yield {"kind": "restriction", "item": "books", "demand": text}
    yield {"kind": "embargo", "destination": text}
    yield {"kind": "liquids", "parcel": text}
    yield {"kind": "revoked", "rule": "embargo", "subject": text}
    yield {"kind": "revoked", "rule": text, "subject": "books"}
    yield from examples(attack)


def examples(attack: Attack) -> Iterator[JsonObject]:
    """The attack in every text of an example."""
    for request, answer in answered(attack):
        yield {"kind": "example", "request": request, "answer": answer}


def parsed(given: Iterable[JsonObject]) -> Iterator[Fix]:
    """Those that are fixes."""
    for fix in given:
        try:
            yield parse_fix(fix)
        except ValueError:
            continue


def shown_by(fix: Fix) -> str:
    """All that a fix brings into a prompt: its rule, and the examples made of it."""
    rule = PROMPTS.rule(fix) if fix.is_rule else ""
    turns = (turn for shown in TASK.examples_of([fix]) for turn in PROMPTS.turns(shown))
    return "\n".join([rule, *(turn.content for turn in turns)])
