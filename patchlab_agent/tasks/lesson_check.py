"""Whether a lesson fits the answers of its task."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator
from pydantic import BaseModel, JsonValue, ValidationError

from patchlab_agent.models.base import JsonObject
from patchlab_agent.models.patch import Fix
from patchlab_agent.tasks.fields import MAX_NAME, AnswerField
from patchlab_agent.tasks.fixes import (
    FieldExcludes,
    FieldIncludes,
    FieldIs,
    FieldLesson,
    PhraseMeans,
    TaskExample,
    ValueAllowed,
)


def check_lesson(
    lesson: Fix,
    answer: type[BaseModel],
    fields: Mapping[str, AnswerField],
    schema: JsonObject,
) -> None:
    """Check that a lesson speaks of fields, values and answers that the task has.

    Args:
        lesson: one of the task's.
        answer: the model of an answer.
        fields: of an answer, by name.
        schema: JSON schema of an answer, without references.

    Raises:
        ValueError: it does not; the message says what the task has.
    """
    match lesson:
        case TaskExample():
            _check_answer(lesson.answer, answer)
        case FieldIs() | FieldIncludes() | FieldExcludes() | PhraseMeans() | ValueAllowed():
            _check_field(lesson, fields, schema)


def _check_answer(given: JsonObject, answer: type[BaseModel]) -> None:
    try:
        answer.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(["answer", *map(str, first["loc"])])
        raise ValueError(f"{where}: {first['msg']}") from error


def _check_field(
    lesson: FieldLesson, fields: Mapping[str, AnswerField], schema: JsonObject
) -> None:
    field = fields.get(lesson.field)
    if field is None:
        raise ValueError(f"answers have no field {lesson.field!r}; they have {', '.join(fields)}")
    properties: Any = schema["properties"]
    declared = properties[field.name]
    match lesson:
        case FieldIs():
            _check_value(field, lesson.value, declared)
        case FieldIncludes() | FieldExcludes():
            if not field.is_list:
                raise ValueError(f"{field.name} is no list; say what its value is")
            _check_value(field, lesson.entry, _entries(declared))
        case PhraseMeans():
            wanted = _entries(declared) if field.is_list else declared
            _check_value(field, lesson.value, wanted)
        case ValueAllowed():
            _check_allowed(field, lesson.value)


def _entries(declared: Any) -> Any:
    branches = declared.get("anyOf", [declared])
    return next((each["items"] for each in branches if "items" in each), {})


def _check_value(field: AnswerField, value: JsonValue, declared: Any) -> None:
    if Draft202012Validator(declared).is_valid(value):
        return
    said = f"{_shown(value)} is no value of {field.name}"
    if not field.choices:
        raise ValueError(f"{said}, which takes a {field.type}")
    raise ValueError(f"{said}, which takes {', '.join(map(_shown, field.choices))}")


def _check_allowed(field: AnswerField, value: JsonValue) -> None:
    if not field.choices:
        raise ValueError(f"{field.name} takes any {field.type}; there is nothing to allow")
    kinds = {type(choice) for choice in field.choices if choice is not None}
    if type(value) not in kinds:
        raise ValueError(f"{_shown(value)} is of another type than the values of {field.name}")
    if isinstance(value, str) and not (value.strip() and value.isprintable()):
        raise ValueError("a value that is allowed must be a printable text")
    if isinstance(value, str) and len(value) > MAX_NAME:
        raise ValueError(f"a value that is allowed has at most {MAX_NAME} characters")


def _shown(value: JsonValue) -> str:
    return json.dumps(value, ensure_ascii=False)
