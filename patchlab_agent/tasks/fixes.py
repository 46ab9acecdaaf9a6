"""The lessons of a task: typed, bounded, and about one field each."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, JsonValue, TypeAdapter

from patchlab_agent.models.base import JsonObject, Output
from patchlab_agent.models.patch import Fix, agrees
from patchlab_agent.tasks.fields import has_entry

MAX_FACT = 200
"""Characters of one of the facts that every prompt states."""
Phrase = Annotated[str, Field(min_length=1, max_length=40)]
FieldName = Annotated[str, Field(min_length=1, max_length=80)]


class FieldIs(Fix):
    """Where a phrase occurs, a field has a value."""

    subject_fields: ClassVar = ("phrase", "field")
    kind: Literal["field_is"] = "field_is"
    phrase: Phrase
    field: FieldName
    value: JsonValue

    def holds_in(self, output: Output) -> bool | None:
        """Return whether the field has the value."""
        return agrees(self.value, output.get(self.field))


class _Membership(Fix):
    subject_fields: ClassVar = ("phrase", "field", "entry")
    phrase: Phrase
    field: FieldName
    entry: JsonValue

    @property
    def conflict_key(self) -> tuple[str, ...]:
        """The same phrase cannot both call for an entry and rule it out."""
        return ("entry", *self.subject_key[1:])

    def _is_in(self, output: Output) -> bool:
        return has_entry(output.get(self.field), self.entry)


class FieldIncludes(_Membership):
    """Where a phrase occurs, a list includes an entry."""

    kind: Literal["includes"] = "includes"

    def holds_in(self, output: Output) -> bool | None:
        """Return whether the list includes the entry."""
        return self._is_in(output)


class FieldExcludes(_Membership):
    """Where a phrase occurs, a list does not include an entry."""

    kind: Literal["excludes"] = "excludes"

    def holds_in(self, output: Output) -> bool | None:
        """Return whether the list does without the entry."""
        return not self._is_in(output)


class Fact(Fix):
    """A sentence of the task's author, in every prompt from the start; never learned."""

    subject_fields: ClassVar = ("text",)
    kind: Literal["fact"] = "fact"
    text: str = Field(min_length=1, max_length=MAX_FACT, pattern=r"^[^\n]+$")

    def holds_in(self, output: Output) -> None:
        """Return None: only a reader can tell."""


Lesson = FieldIs | FieldIncludes | FieldExcludes
_LESSON: TypeAdapter[Lesson] = TypeAdapter(Annotated[Lesson, Field(discriminator="kind")])


def parse_lesson(data: JsonObject) -> Lesson:
    """Build a lesson from its JSON.

    Raises:
        ValueError: the data is no lesson.
    """
    return _LESSON.validate_python(data)
