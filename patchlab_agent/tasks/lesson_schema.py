"""The JSON schema of the lessons that a model is asked for: closed, and made of a task's fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import JsonValue

from patchlab_agent.models.base import JsonObject
from patchlab_agent.tasks.fixes import MAX_NOTE
from patchlab_agent.text import MAX_TRIGGER_CHARS

PLACES = ("first", "second", "third")
"""Keys of the lessons for one failure; not every server would keep to the end of a list."""
_PHRASE: JsonObject = {"type": "string", "minLength": 1, "maxLength": MAX_TRIGGER_CHARS}
KINDS = ("field_is", "includes", "excludes", "means", "note")
"""Lessons that a model may propose; it neither widens its own answers nor makes up examples."""


def lessons_schema(schema: JsonObject) -> JsonObject:
    """Return the schema of a few lessons about the fields of an answer.

    Args:
        schema: JSON schema of an answer, without references.
    """
    properties: Any = schema.get("properties", {})
    kinds: list[JsonValue] = [
        kind for name, declared in properties.items() for kind in _kinds(name, declared)
    ]
    note = {"type": "string", "minLength": 1, "maxLength": MAX_NOTE}
    kinds.append(_object({"kind": {"const": "note"}, "phrase": _PHRASE, "text": note}))
    lessons = _object({place: {"$ref": "#/$defs/Lesson"} for place in PLACES})
    return {**lessons, "$defs": {"Lesson": {"anyOf": kinds}}}


def _kinds(name: str, declared: Mapping[str, Any]) -> Iterator[JsonObject]:
    value = {word: part for word, part in declared.items() if word not in ("description", "title")}
    about: dict[str, Any] = {
        "phrase": _PHRASE,
        "field": {"const": name},
    }
    if (entries := _entries(declared)) is None:
        yield _object({"kind": {"const": "field_is"}, **about, "value": value})
        texts = [each for each in value.get("anyOf", [value]) if each.get("type") == "string"]
        if any(not text.keys() & {"enum", "const"} for text in texts):
            yield _object({"kind": {"const": "means"}, **about, "value": texts[0]})
    else:
        yield _object({"kind": {"const": "includes"}, **about, "entry": entries})
        yield _object({"kind": {"const": "excludes"}, **about, "entry": entries})


def _entries(declared: Mapping[str, Any]) -> Any:
    branches = declared.get("anyOf", [declared])
    return next((each.get("items", {}) for each in branches if each.get("type") == "array"), None)


def _object(properties: dict[str, Any]) -> JsonObject:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
