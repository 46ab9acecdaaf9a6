"""The agent's side of a task folder."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from functools import lru_cache
from pathlib import Path

from pydantic import BaseModel, ValidationError

from patchlab_agent.models.base import JsonObject
from patchlab_agent.models.patch import Fix, Patch
from patchlab_agent.models.trace import Example
from patchlab_agent.resources import resource
from patchlab_agent.skill.answers import read_object
from patchlab_agent.skill.seam import Reading, SkillTask
from patchlab_agent.tasks.fields import answer_schema, fields_of
from patchlab_agent.tasks.fixes import Fact, TaskExample, ValueAllowed, parse_lesson
from patchlab_agent.tasks.lesson_check import check_lesson
from patchlab_agent.tasks.widening import Allowed, allowed_by, widened_answer, widened_schema

MAX_FORMS = 64
"""Widened models of an answer that are kept, as it takes milliseconds to make one."""


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
        self._by_name = {field.name: field for field in self.fields}
        self._widened = lru_cache(maxsize=MAX_FORMS)(self._wider)
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
        return self.read_under(text, ())

    def schema_under(self, fixes: Sequence[Fix]) -> JsonObject:
        """Return the JSON schema of an answer, with the values that lessons allow."""
        allowed = self._allowed(fixes)
        return widened_schema(self.schema, allowed) if allowed else self.schema

    def read_under(self, text: str, fixes: Sequence[Fix]) -> Reading:
        """Read an answer, which may hold the values that lessons allow.

        Raises:
            InvalidAnswer: the text holds no answer of the right form.
        """
        # Values that are allowed are no values of the model's own, hence no warning of them.
        answer = read_object(text, self._form(tuple(fixes))).model_dump(
            mode="json", by_alias=True, warnings=False
        )
        return Reading(answer=answer, output=answer)

    def parse_fix(self, data: JsonObject) -> Fix:
        """Build a lesson from its JSON, whether or not it fits the answers as they are now.

        Raises:
            ValueError: the data is no lesson.
        """
        return parse_lesson(data)

    def misfit(self, fix: Fix) -> str:
        """Return what a lesson speaks of that answers do not have; empty if they have all of it.

        The author may have renamed a field or dropped a value since the lesson was learned.
        """
        try:
            check_lesson(fix, self._answer, self._by_name, self.schema)
        except ValueError as error:
            return str(error)
        return ""

    def renamed(self, patch: Patch, name: str) -> Patch | None:
        """Return a lesson under another phrase; None if it is about none."""
        if getattr(patch.fix, "phrase", None) != patch.trigger:
            return None
        # No request with the other phrase has failed, so there is none to test it on.
        fix = patch.fix.model_copy(update={"phrase": name})
        return Patch(skill=patch.skill, trigger=name, fix=fix, provenance=patch.provenance)

    def examples_of(
        self,
        fixes: Sequence[Fix],
        request: str = "",  # noqa: ARG002
        apart: Sequence[Fix] = (),  # noqa: ARG002
    ) -> Sequence[Example]:
        """Return the examples among the lessons, as far as they may be shown."""
        return [
            Example(request=fix.request, answer=fix.answer)
            for fix in fixes
            if isinstance(fix, TaskExample) and self.may_show(fix.request, fix.answer)
        ]

    def judged(self, output: JsonObject) -> JsonObject:
        """Return all fields: null is a value of those that allow it."""
        return output

    def may_show(self, request: str, answer: JsonObject) -> bool:
        """Return whether the request is one of the author's own rows, and so no stranger's.

        An answer that is shown with it must have the form that answers have now.
        """
        return request in self._showable and (not answer or self._is_answer(answer))

    def _form(self, fixes: tuple[Fix, ...]) -> type[BaseModel]:
        allowed = self._allowed(fixes)
        return self._widened(json.dumps(allowed)) if allowed else self._answer

    def _allowed(self, fixes: Sequence[Fix]) -> Allowed:
        """Return the further values that lessons allow of the fields that there are."""
        widening = (fix for fix in fixes if isinstance(fix, ValueAllowed))
        return allowed_by(fix for fix in widening if not self.misfit(fix))

    def _is_answer(self, answer: JsonObject) -> bool:
        try:
            self._answer.model_validate(answer)
        except ValidationError:
            return False
        return True

    def _wider(self, allowed: str) -> type[BaseModel]:
        return widened_answer(self._answer, self._by_name, json.loads(allowed))
