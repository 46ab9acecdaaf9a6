"""A model for tests that follows rules as the parrot does, and proposes lessons when asked to."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from patchlab_agent.backends.base import Backend
from patchlab_agent.models.prompt import Completion, Prompt, Usage
from patchlab_agent.text import words

_REQUEST = re.compile(r'^Request: (".*")$', re.MULTILINE)
_WRONG = re.compile(r"^Wrong: (\{.*\})$", re.MULTILINE)


class Proposing:
    """A parrot that proposes what the feedback says under the words that it knows to be telling.

    Args:
        parrot: gives the answers.
        telling: words worth a lesson; a request without any gets nonsense for a proposal.
    """

    def __init__(self, parrot: Backend, telling: Sequence[str]) -> None:
        self._parrot = parrot
        self._telling = telling
        self.name = "proposing"
        self.varies = False
        self.prompts: list[Prompt] = []

    def complete(self, prompt: Prompt) -> Completion:
        self.prompts.append(prompt)
        if prompt.purpose != "patcher":
            return self._parrot.complete(prompt)
        return Completion(text=self._proposal(prompt.user), usage=Usage(completion_tokens=9))

    def close(self) -> None:
        """Nothing to let go of."""

    def of(self, purpose: str) -> list[Prompt]:
        """The prompts for one purpose."""
        return [prompt for prompt in self.prompts if prompt.purpose == purpose]

    def _proposal(self, asked: str) -> str:
        request, wrong = (json.loads(found[1]) for found in self._found(asked))
        known = [word for word in words(request) if word in self._telling]
        if not known:
            return "I cannot tell"
        right = json.loads(wrong["detail"])
        kind = {"kind": "field_is", "field": wrong["field"], "value": right}
        if isinstance(right, list):
            entry = right[0] if right else None
            kind = {"kind": "includes", "field": wrong["field"], "entry": entry}
        lessons = [{**kind, "phrase": word} for word in known]
        return json.dumps(dict(zip(("first", "second", "third"), lessons, strict=False)))

    @staticmethod
    def _found(asked: str) -> list[re.Match[str]]:
        found = [_REQUEST.search(asked), _WRONG.search(asked)]
        return [each for each in found if each is not None]
