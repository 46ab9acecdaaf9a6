"""A simulated model that knows nothing but what its prompt says, and now and then not even that."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Sequence

from pydantic import JsonValue

from patchlab_agent.models.base import JsonObject
from patchlab_agent.models.trace import Completion, Message, Prompt
from patchlab_agent.tasks.fields import AnswerField

_QUOTED = r'"(?:[^"\\]|\\.)*"'
_RULE = re.compile(rf"- If ({_QUOTED}) occurs, ({_QUOTED}) (is|includes|does not include) (.+)\.")
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
        for name, verb, value in _rules(turn.content):
            if name not in answer:
                continue
            listed = answer[name]
            if verb == "is" or not isinstance(listed, list):
                answer[name] = value
            elif verb == "includes":
                answer[name] = [*listed, value]
            else:
                answer[name] = [entry for entry in listed if entry != value]

    def _err(self, request: str, draw: str, answer: JsonObject) -> None:
        for field in self._fields:
            rng = random.Random(f"{self._seed}:{request}:{field.name}:{draw}")  # noqa: S311
            if rng.random() < self._noise:
                answer[field.name] = _another(field, answer[field.name], rng)


def _rules(turn: str) -> Iterator[tuple[str, str, JsonValue]]:
    for line in turn.split("\n"):
        if found := _RULE.fullmatch(line):
            yield json.loads(found[2]), found[3], json.loads(found[4])


def _another(field: AnswerField, value: JsonValue, rng: random.Random) -> JsonValue:
    if field.is_list:
        return [] if value else [rng.choice(field.choices)] if field.choices else value
    others = [choice for choice in field.choices if choice != value]
    if others:
        return rng.choice(others)
    return not value if field.type == "boolean" else field.blank
