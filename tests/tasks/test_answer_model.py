"""An answer's model from a JSON schema, and its fields."""

from __future__ import annotations

import json
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ValidationError

from patchlab_agent.errors import InputError
from patchlab_agent.tasks.answer_model import answer_model
from patchlab_agent.tasks.fields import AnswerField, answer_schema, fields_of


def made(**properties: Any) -> type[BaseModel]:
    return answer_model({"properties": properties}, "Sort it.")


@pytest.mark.parametrize(
    ("declared", "right", "wrong"),
    [
        ({"type": "string"}, "a", 1),
        ({"type": "boolean"}, True, "maybe"),
        ({"type": "integer"}, 3, 3.5),
        ({"type": "number", "minimum": 0}, 3.5, -1),
        ({"enum": ["a", "b"]}, "b", "c"),
        ({"type": ["string", "null"]}, None, 3),
        ({"type": ["string", "null"], "enum": ["a"]}, None, "b"),
        ({"type": "string", "pattern": "^[a-z]+$"}, "abc", "ABC"),
        ({"type": "array", "items": {"enum": ["a", "b"]}}, ["b", "a"], ["c"]),
        ({"type": "array", "items": {"type": "integer"}, "maxItems": 1}, [1], [1, 2]),
    ],
)
def test_a_field_takes_what_its_schema_says(
    declared: dict[str, Any], right: object, wrong: object
) -> None:
    model = made(x=declared)
    assert model.model_validate({"x": right}).model_dump(mode="json") == {"x": right}
    with pytest.raises(ValidationError):
        model.model_validate({"x": wrong})
    with pytest.raises(ValidationError):
        model.model_validate({})
    with pytest.raises(ValidationError):
        model.model_validate({"x": right, "y": right})


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({}, "names no field"),
        ({"properties": {"x": {"type": "strange"}}}, "strange"),
        ({"properties": {"x": {"type": "object"}}}, "x: its type must be one of"),
        ({"properties": {"x": {}}}, "x: its type must be one of"),
        ({"properties": {"x": {"type": ["string", "integer"]}}}, "x: a field has one type"),
        ({"properties": {"x": {"type": "string", "format": "date"}}}, "x: format is not"),
        ({"properties": {"x": {"type": "array", "items": {"type": "object"}}}}, "x.items"),
    ],
)
def test_a_schema_that_cannot_be_used_is_refused_by_field(
    schema: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        answer_model(schema, "Sort it.")


def test_the_instruction_is_the_schemas_description() -> None:
    model = answer_model({"properties": {"x": {"type": "string", "description": "what"}}}, "Sort.")
    schema = answer_schema(model)
    assert schema["description"] == "Sort."
    assert '"description": "what"' in json.dumps(schema["properties"])


class Kind(BaseModel):
    name: str


class Answer(BaseModel):
    """Sort it."""

    team: Literal["a", "b"]
    only: Literal["a"]
    tags: list[Literal["x", "y"]]
    note: str | None
    count: int
    kind: Kind


def test_fields_are_read_from_any_pydantic_model() -> None:
    schema = answer_schema(Answer)
    assert "$ref" not in str(schema)
    assert fields_of(schema) == (
        AnswerField("team", "string", ("a", "b")),
        AnswerField("only", "string", ("a",)),
        AnswerField("tags", "array", ("x", "y")),
        AnswerField("note", "string", (), may_be_null=True),
        AnswerField("count", "integer"),
        AnswerField("kind", "object"),
    )


def test_a_blank_field_says_as_little_as_it_can() -> None:
    blanks = [field.blank for field in fields_of(answer_schema(Answer))]
    assert blanks == ["a", "a", [], None, 0, {}]
