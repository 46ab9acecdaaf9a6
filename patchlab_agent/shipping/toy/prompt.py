"""The toy's reading of a prompt: rules, examples and the request, each from its own lines.

The toy has no other source of knowledge. It understands the sentences of `rule.j2` and ignores
lines that it does not understand.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from pydantic import ValidationError

from patchlab_agent.models.patch import Fix
from patchlab_agent.models.prompt import Message
from patchlab_agent.shipping.rules import (
    DestinationFix,
    EmbargoFix,
    ItemFix,
    LiquidsFix,
    ParcelFix,
    RestrictionFix,
    RevokedFix,
    UnitFix,
)
from patchlab_agent.shipping.schema import Answer, Declaration

_QUOTED = r'("(?:[^"\\]|\\.)*")'
_NUMBER = r"([0-9.e+-]+)"


@dataclass(frozen=True)
class Shown:
    """An example as shown in the prompt."""

    request: str
    answer: Answer


@dataclass(frozen=True)
class PromptReading:
    """The content of the changing part of a prompt."""

    request: str
    rules: tuple[Fix, ...]
    examples: tuple[Shown, ...]


def _sentence(pattern: str) -> re.Pattern[str]:
    return re.compile("- " + pattern.replace("Q", _QUOTED).replace("N", _NUMBER))


def _restrict(item: str, demand: str) -> Fix:
    return RestrictionFix.model_validate({"item": item, "demand": demand})


def _revoke(rule: str, subject: str) -> Fix:
    return RevokedFix.model_validate({"rule": rule, "subject": subject})


_SENTENCES: tuple[tuple[re.Pattern[str], Callable[..., Fix]], ...] = (
    (_sentence("unit Q: one is N kg"), lambda u, kg: UnitFix(unit=u, kg_per_unit=float(kg))),
    (
        _sentence("parcel Q: holds up to N kg"),
        lambda p, kg: ParcelFix(parcel=p, limit_kg=float(kg)),
    ),
    (_sentence("destination Q: country Q"), lambda d, c: DestinationFix(alias=d, country=c)),
    (_sentence("item Q: category Q"), lambda i, c: ItemFix(item=i, category=c)),
    (_sentence("item Q: prohibited"), lambda i: _restrict(i, "prohibited")),
    (_sentence("item Q: declare Q"), _restrict),
    (_sentence("destination Q: under embargo"), lambda d: EmbargoFix(destination=d)),
    (_sentence("parcel Q: may carry liquids"), lambda p: LiquidsFix(parcel=p)),
    (_sentence("item Q: not prohibited"), lambda s: _revoke("prohibited", s)),
    (_sentence("destination Q: under no embargo"), lambda s: _revoke("embargo", s)),
    (_sentence("parcel Q: may not carry liquids"), lambda s: _revoke("liquids", s)),
    (
        _sentence("item Q: need not be declared Q"),
        lambda s, declared: _revoke(str(Declaration(declared)), s),
    ),
)


@lru_cache(maxsize=1024)
def read_rule(line: str) -> Fix | None:
    """Return the rule that a line states; None if the toy does not understand it."""
    for pattern, build in _SENTENCES:
        if found := pattern.fullmatch(line):
            try:
                return build(*(_unquote(group) for group in found.groups()))
            except ValueError:
                return None
    return None


def _unquote(group: str) -> str:
    return str(json.loads(group)) if group.startswith('"') else group


def read_rules(text: str) -> tuple[Fix, ...]:
    """Return all rules that a text states, in order."""
    lines = (line for line in text.split("\n") if line.startswith("- "))
    return tuple(rule for line in lines if (rule := read_rule(line)) is not None)


def read_turns(turns: Sequence[Message]) -> PromptReading:
    """Read all turns after the system message; a missing request reads as an empty one.

    Each user turn with the answer that follows it is an example. The last user turn with a request
    is the question, and only the rules in that turn apply to it.
    """
    requests = {n: _request(turn.content) for n, turn in enumerate(turns) if turn.role == "user"}
    asked = [n for n, request in requests.items() if request is not None]
    if not asked:
        return PromptReading("", (), ())
    shown = (_shown(requests[n] or "", turns[n + 1].content) for n in asked[:-1])
    asking = asked[-1]
    rules = read_rules(turns[asking].content)
    return PromptReading(requests[asking] or "", rules, tuple(filter(None, shown)))


@lru_cache(maxsize=1024)
def _request(turn: str) -> str | None:
    for line in turn.split("\n"):
        name, _, rest = line.partition(": ")
        if name == "Request":
            return _quoted(rest)
    return None


def _quoted(text: str) -> str:
    try:
        return str(json.loads(text))
    except ValueError:
        return ""


@lru_cache(maxsize=1024)
def _shown(request: str, answer: str) -> Shown | None:
    try:
        return Shown(request, Answer.model_validate_json(answer))
    except ValidationError:
        return None
