"""The fields of a task's answer, as its JSON schema declares them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, JsonValue

from patchlab_agent.models.base import JsonObject

MAX_NAME = 40
"""Characters of a value that a field may be allowed to take: a name, and no text."""


@dataclass(frozen=True)
class AnswerField:
    """One field of an answer.

    Attributes:
        name: its key.
        type: its JSON type: string, number, integer, boolean, array or object.
        choices: the only values of the field, or of the entries of an array; empty: any.
        may_be_null: whether null is a value of it.
    """

    name: str
    type: str
    choices: tuple[JsonValue, ...] = ()
    may_be_null: bool = False

    @property
    def is_list(self) -> bool:
        """True if its values are lists."""
        return self.type == "array"

    @property
    def blank(self) -> JsonValue:
        """The value that says least: null or an empty list where allowed, else the first choice."""
        if self.is_list:
            return []
        if self.may_be_null:
            return None
        if self.choices:
            return self.choices[0]
        blank: dict[str, JsonValue] = {"boolean": False, "number": 0, "integer": 0, "object": {}}
        return blank.get(self.type, "")

    def allows(self, value: JsonValue) -> bool:
        """Return whether the choices, if there are any, admit a value or an entry of a list."""
        return not self.choices or value in self.choices


def has_entry(value: JsonValue, entry: JsonValue) -> bool:
    """Return whether a value is a list that holds an entry."""
    return isinstance(value, list) and entry in value


def answer_schema(answer: type[BaseModel]) -> JsonObject:
    """Return the JSON schema of an answer's model, with every reference replaced by its target."""
    return resolved_schema(answer.model_json_schema())


def resolved_schema(schema: JsonObject) -> JsonObject:
    """Return a JSON schema with every reference replaced by its target."""
    definitions: Any = schema.get("$defs", {})
    return {
        name: value for name, value in _resolved(schema, definitions).items() if name != "$defs"
    }


def fields_of(schema: JsonObject) -> tuple[AnswerField, ...]:
    """Return the fields of a schema without references, in its order."""
    properties: Any = schema.get("properties", {})
    return tuple(_field(name, declared) for name, declared in properties.items())


def _field(name: str, declared: Mapping[str, Any]) -> AnswerField:
    kinds = [kind for kind in declared.get("anyOf", [declared]) if kind.get("type") != "null"]
    kind = kinds[0] if len(kinds) == 1 else {}
    entries = kind.get("items", {}) if kind.get("type") == "array" else kind
    return AnswerField(
        name=name,
        type=str(kind.get("type", "object" if not kind.get("enum") else "string")),
        choices=tuple(entries.get("enum", [entries["const"]] if "const" in entries else ())),
        may_be_null=len(kinds) < len(declared.get("anyOf", [declared])),
    )


def _resolved(part: Any, definitions: Mapping[str, Any]) -> Any:
    if isinstance(part, list):
        return [_resolved(each, definitions) for each in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        target = definitions[str(part["$ref"]).removeprefix("#/$defs/")]
        part = {**target, **{name: value for name, value in part.items() if name != "$ref"}}
    return {name: _resolved(value, definitions) for name, value in part.items()}
