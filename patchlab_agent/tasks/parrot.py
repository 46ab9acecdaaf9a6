"""A simulated model that knows nothing but what its prompt says, and now and then not even that."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence

from pydantic import JsonValue

from patchlab_agent.models.base import JsonObject
from patchlab_agent.models.prompt import Completion, Message, Prompt
from patchlab_agent.tasks.fields import AnswerField

_QUOTED = r'"(?:[^"\\]|\\.)*"'
_WHERE = rf"(?:If {_QUOTED} occurs, )?"
_ALONE = ", unless another rule says otherwise"
_RULE = re.compile(
    rf"- (?:{_WHERE}(?P<field>{_QUOTED}) (?P<verb>is|includes|does not include|may also take) "
    rf"(?P<value>.+?)(?P<alone>{_ALONE})?"
    rf"|In (?P<of>{_QUOTED}), {_QUOTED} (?P<means>means) (?P<meant>.+))\."
)
_OFFERS = ("may also take", "means")
"""What a rule says of a field that counts only where no other rule speaks of it."""
_REQUEST = re.compile(rf"^Request: ({_QUOTED})$", re.MULTILINE)


class Parrot:
    """A model that follows the rules beside a request, and leaves every other field blank.

    Args:
        fields: of its answers.
        seed: of its mistakes.
        noise: probability that it gets a field wrong, 0 to 1.
    """

    def __init__(self, fields: Sequence[AnswerField], seed: int, noise: float) -> None:
        self._fields = fields
        self._seed = seed
        self._noise = noise
        self.name = f"parrot(seed={seed}, noise={noise:g})"
        self.varies = noise > 0

    def complete(self, prompt: Prompt) -> Completion:
        """Answer the last request of a prompt."""
        turns = [turn for turn in prompt.messages if turn.role == "user"]
        asked = next((turn for turn in reversed(turns) if _REQUEST.search(turn.content)), None)
        answer: JsonObject = {field.name: field.blank for field in self._fields}
        if asked is not None:
            self._follow(asked, answer)
            self._err(_REQUEST.findall(asked.content)[-1], prompt.draw, answer)
        return Completion(text=json.dumps(answer, ensure_ascii=False))

    def close(self) -> None:
        """Do nothing: there is no connection to release."""

    def _follow(self, turn: Message, answer: JsonObject) -> None:
        told: set[str] = set()
        for name, verb, value in _rules(turn.content):
            listed = answer.get(name)
            if name not in answer or (verb in _OFFERS and name in told):
                continue
            told.add(name)
            if verb == "does not include":
                if isinstance(listed, list):
                    answer[name] = [entry for entry in listed if entry != value]
            elif verb != "is" and isinstance(listed, list):
                answer[name] = [*listed, value]
            else:
                answer[name] = value

    def _err(self, request: str, draw: str, answer: JsonObject) -> None:
        for field in self._fields:
            rng = random.Random(f"{self._seed}:{request}:{field.name}:{draw}")  # noqa: S311
            if rng.random() < self._noise:
                answer[field.name] = _another(field, answer[field.name], rng)


def _rules(turn: str) -> list[tuple[str, str, JsonValue]]:
    """Return field, verb and value of each rule: what others may override first, offers last."""
    found = [rule for line in turn.split("\n") if (rule := _RULE.fullmatch(line))]
    rules = [
        (
            not each["alone"],
            (
                json.loads(each["field"] or each["of"]),
                each["verb"] or each["means"],
                json.loads(each["value"] or each["meant"]),
            ),
        )
        for each in found
    ]
    ranked = sorted(rules, key=lambda rule: (rule[1][1] in _OFFERS, rule[0]))
    return [rule for _, rule in ranked]


def _another(field: AnswerField, value: JsonValue, rng: random.Random) -> JsonValue:
    if field.is_list:
        return [] if value else [rng.choice(field.choices)] if field.choices else value
    others = [choice for choice in field.choices if choice != value]
    if others:
        return rng.choice(others)
    return not value if field.type == "boolean" else field.blank
