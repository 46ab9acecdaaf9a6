"""The agent's side of a task folder."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from pydantic import BaseModel

from patchlab_agent.models.base import JsonObject
from patchlab_agent.models.patch import Fix, Patch
from patchlab_agent.resources import resource
from patchlab_agent.skill.answers import read_object
from patchlab_agent.skill.seam import Reading, SkillTask
from patchlab_agent.tasks.fields import answer_schema, fields_of
from patchlab_agent.tasks.fixes import Fact, parse_lesson


class RowsTask(SkillTask):
    """What an agent knows of a task: its instruction, the answer's form, and the author's facts.

    Args:
        answer: the model of an answer; its docstring is the instruction.
        facts: sentences that every prompt states.
        showable: requests that may appear in other requests' prompts: those of the author's rows.
    """

    def __init__(
        self, answer: type[BaseModel], facts: Sequence[str], showable: Collection[str]
    ) -> None:
        self._answer = answer
        self._showable = frozenset(showable)
        self.schema = answer_schema(answer)
        self.fields = fields_of(self.schema)
        self._facts = tuple(Fact(text=fact) for fact in facts)

    @property
    def prompts(self) -> Path:
        """The templates that all tasks share."""
        return resource("prompts", "task")

    @property
    def answer_schema(self) -> JsonObject:
        """JSON schema of the answer, with the instruction as its description."""
        return self.schema

    @property
    def known_rules(self) -> Sequence[Fix]:
        """The facts that every prompt states."""
        return self._facts

    def read(self, text: str) -> Reading:
        """Read an answer; what the model gives is the output.

        Raises:
            InvalidAnswer: the text holds no answer of the right form.
        """
        answer = read_object(text, self._answer).model_dump(mode="json", by_alias=True)
        return Reading(answer=answer, output=answer)

    def parse_fix(self, data: JsonObject) -> Fix:
        """Build a lesson from its JSON.

        Raises:
            ValueError: the data is no lesson, or is about a field that answers do not have.
        """
        found = parse_lesson(data)
        field = next((each for each in self.fields if each.name == found.field), None)
        if field is None:
            raise ValueError(f"answers have no field {found.field!r}")
        return found

    def renamed(self, patch: Patch, name: str) -> Patch | None:
        """Return a lesson under another phrase; None if it is about none."""
        if getattr(patch.fix, "phrase", None) != patch.trigger:
            return None
        # No request with the other phrase has failed, so there is none to test it on.
        fix = patch.fix.model_copy(update={"phrase": name})
        return Patch(skill=patch.skill, trigger=name, fix=fix, provenance=patch.provenance)

    def judged(self, output: JsonObject) -> JsonObject:
        """Return all fields: null is a value of those that allow it."""
        return output

    def may_show(self, request: str, answer: JsonObject) -> bool:  # noqa: ARG002
        """Return whether the request is one of the author's own rows, and so no stranger's."""
        return request in self._showable
