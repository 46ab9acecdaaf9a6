"""The lessons of a task: typed and bounded.

All but a note and an example are about one field. Where a lesson names a phrase, the phrase is its
trigger; without one it holds in every request that its trigger concerns.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    Field,
    JsonValue,
    SerializerFunctionWrapHandler,
    TypeAdapter,
    ValidationError,
    model_serializer,
)

from patchlab_agent.models.base import JsonObject, Output, Storable
from patchlab_agent.models.patch import Fix, agrees
from patchlab_agent.plain import is_invisible
from patchlab_agent.tasks.fields import has_entry

MAX_FACT = 200
"""Characters of one of the facts that every prompt states."""
MAX_NOTE = 160
"""Characters of a note."""
MAX_VALUE = 400
"""Characters of a value of a field, as JSON."""
MAX_SHOWN = 4000
"""Characters of an example's request, and of its answer as JSON."""


def _visible(text: str) -> str:
    hidden = next(filter(is_invisible, text), None)
    if hidden is not None:
        raise ValueError(f"it holds an invisible character, U+{ord(hidden):04X}; leave it out")
    if not text.strip():
        raise ValueError("it is empty; say something")
    return text


def _short(value: JsonValue, most: int = MAX_VALUE) -> JsonValue:
    size = len(json.dumps(value, ensure_ascii=False))
    if size > most:
        raise ValueError(f"the value has {size:,} characters; shorten it to {most}")
    return value


def _showable(answer: JsonObject) -> JsonObject:
    _short(answer, MAX_SHOWN)
    return answer


Phrase = Annotated[str, Field(min_length=1, max_length=40)]
FieldName = Annotated[str, Field(min_length=1, max_length=80)]
Value = Annotated[Storable, AfterValidator(_short)]
OneLine = Annotated[str, AfterValidator(_visible)]


class _TaskFix(Fix):
    needs_phrase: ClassVar = False
    phrase: Phrase | None = None

    @property
    def subject_key(self) -> tuple[str, ...]:
        """Kind and subject, in which no phrase is an empty one."""
        named = (getattr(self, name) for name in self.subject_fields)
        return (self.kind, *("" if each is None else str(each).casefold() for each in named))

    @model_serializer(mode="wrap")
    def _without_no_phrase(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = write(self)
        return {n: value for n, value in written.items() if n != "phrase" or value is not None}


class FieldIs(_TaskFix):
    """Where a phrase occurs, a field has a value."""

    subject_fields: ClassVar = ("phrase", "field")
    kind: Literal["field_is"] = "field_is"
    field: FieldName
    value: Value

    def holds_in(self, output: Output) -> bool | None:
        """Return whether the field has the value."""
        return agrees(self.value, output.get(self.field))


class _Membership(_TaskFix):
    subject_fields: ClassVar = ("phrase", "field", "entry")
    field: FieldName
    entry: Value

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


class PhraseMeans(_TaskFix):
    """In a field, a phrase means a value: the one word for what people call many things."""

    subject_fields: ClassVar = ("phrase", "field")
    kind: Literal["means"] = "means"
    phrase: Phrase
    field: FieldName
    value: Value

    @property
    def conflict_key(self) -> tuple[str, ...]:
        """That of `FieldIs`: a phrase cannot mean one value and call for another."""
        return ("field_is", *self.subject_key[1:])

    def holds_in(self, output: Output) -> bool | None:
        """Return whether the field has the value; None if it is about something else.

        A request may name the phrase and its field be about another thing; only an answer that
        repeats the phrase disagrees.
        """
        found = output.get(self.field)
        given = found if isinstance(found, list) else [found]
        if any(agrees(self.value, each) for each in given):
            return True
        return False if any(agrees(self.phrase, each) for each in given) else None


class ValueAllowed(_TaskFix):
    """A field, or a list, may also take a value that the schema does not name."""

    subject_fields: ClassVar = ("phrase", "field", "value")
    kind: Literal["allows"] = "allows"
    field: FieldName
    value: Value

    def holds_in(self, output: Output) -> bool | None:
        """Return True if the value is taken; None otherwise, as nothing calls for it."""
        found = output.get(self.field)
        given = found if isinstance(found, list) else [found]
        return True if self.value in given else None


class Note(_TaskFix):
    """A short remark, stated as data; only what it turns right speaks for it."""

    subject_fields: ClassVar = ("phrase", "text")
    shows_in_answers: ClassVar = False
    kind: Literal["note"] = "note"
    text: OneLine = Field(min_length=1, max_length=MAX_NOTE)

    def holds_in(self, output: Output) -> None:
        """Return None: only a reader can tell."""


class TaskExample(Fix):
    """A request of the author's rows with its right answer, shown as an earlier turn."""

    subject_fields: ClassVar = ("request",)
    needs_phrase: ClassVar = False
    is_rule: ClassVar = False
    shows_in_answers: ClassVar = False
    kind: Literal["example"] = "example"
    request: str = Field(min_length=1, max_length=MAX_SHOWN)
    answer: Annotated[JsonObject, AfterValidator(_showable)]

    def holds_in(self, output: Output) -> None:
        """Return None: an answer does not show what it was modelled on."""


class Fact(Fix):
    """A sentence of the task's author, in every prompt from the start; never learned."""

    subject_fields: ClassVar = ("text",)
    kind: Literal["fact"] = "fact"
    text: str = Field(min_length=1, max_length=MAX_FACT, pattern=r"^[^\n]+$")

    def holds_in(self, output: Output) -> None:
        """Return None: only a reader can tell."""


FieldLesson: TypeAlias = FieldIs | FieldIncludes | FieldExcludes | PhraseMeans | ValueAllowed
"""Those about one field."""
Lesson: TypeAlias = FieldLesson | Note | TaskExample
_LESSON: TypeAdapter[Lesson] = TypeAdapter(Annotated[Lesson, Field(discriminator="kind")])


def parse_lesson(data: JsonObject) -> Lesson:
    """Build a lesson from its JSON.

    Raises:
        ValueError: the data is no lesson; the message names the part and what is wrong with it.
    """
    try:
        return _LESSON.validate_python(data)
    except ValidationError as error:
        raise ValueError(_fault(error.errors(include_url=False)[0])) from error


def _fault(fault: Any) -> str:
    # The first place is the kind that the data names.
    where = ".".join(map(str, fault["loc"][1:]))
    said = str(fault["msg"]).removeprefix("Value error, ")
    return f"{where}: {said}" if where else said
