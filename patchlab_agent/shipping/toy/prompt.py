"""How the toy reads a prompt: rules, examples and the request, each from lines of its own.

The toy has no other source of knowledge. It understands the sentences of `rule.j2`; a line that it
does not understand tells it nothing, as with any model.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from pydantic import ValidationError

from patchlab_agent.models.patch import Fix
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
from patchlab_agent.shipping.schema import Answer

_QUOTED = r'("(?:[^"\\]|\\.)*")'
_NUMBER = r"([0-9.e+-]+)"


@dataclass(frozen=True)
class Shown:
    """An example as the prompt shows it."""

    request: str
    answer: Answer


@dataclass(frozen=True)
class Reading:
    """What the changing part of a prompt says."""

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
    (_sentence("item Q: prohibited, refuse it"), lambda i: _restrict(i, "prohibited")),
    (_sentence("item Q: declare Q"), _restrict),
    (_sentence("destination Q: under embargo, refuse it"), lambda d: EmbargoFix(destination=d)),
    (_sentence("parcel Q: may carry liquids"), lambda p: LiquidsFix(parcel=p)),
    (_sentence("item Q: no longer prohibited"), lambda s: _revoke("prohibited", s)),
    (_sentence("destination Q: no longer under embargo"), lambda s: _revoke("embargo", s)),
    (_sentence("parcel Q: may no longer carry liquids"), lambda s: _revoke("liquids", s)),
)


@lru_cache(maxsize=4096)
def read_rule(line: str) -> Fix | None:
    """The rule that a line states, or None if it states none that the toy understands."""
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
    """All rules that a text states, in order."""
    return tuple(_rules(text.split("\n")))


def _rules(lines: list[str]) -> Iterator[Fix]:
    for line in lines:
        if line.startswith("- ") and (rule := read_rule(line)) is not None:
            yield rule


def read_user(text: str) -> Reading:
    """Request, rules and examples of a user turn; a missing request reads as the empty one."""
    request, example, examples = "", "", []
    lines = text.split("\n")
    for line in lines:
        name, _, rest = line.partition(": ")
        if name == "Request":
            request = _quoted(rest)
        elif name == "Example":
            example = _quoted(rest)
        elif name == "Answer" and (shown := _shown(example, rest)) is not None:
            examples.append(shown)
    return Reading(request, tuple(_rules(lines)), tuple(examples))


def _quoted(text: str) -> str:
    try:
        return str(json.loads(text))
    except ValueError:
        return ""


@lru_cache(maxsize=4096)
def _shown(request: str, answer: str) -> Shown | None:
    try:
        return Shown(request, Answer.model_validate_json(answer))
    except ValidationError:
        return None
