"""The model of a task's answers, built from the JSON schema of a `task.toml`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from pydantic import BaseModel, ConfigDict, Field, create_model

from patchlab_agent.errors import InputError

_TYPES: dict[str, Any] = {
    "string": str,
    "number": float,
    "integer": int,
    "boolean": bool,
}
_LIMITS = {
    "minimum": "ge",
    "maximum": "le",
    "exclusiveMinimum": "gt",
    "exclusiveMaximum": "lt",
    "minLength": "min_length",
    "maxLength": "max_length",
    "minItems": "min_length",
    "maxItems": "max_length",
    "pattern": "pattern",
}
"""Keywords that limit a value, by the names that pydantic gives them."""
_NOTES = frozenset({"type", "enum", "const", "description", "title", "items", "examples"})


def answer_model(schema: Mapping[str, Any], instruction: str) -> type[BaseModel]:
    """Build the model of an object with fields of plain types, choices, and lists of them.

    Args:
        schema: a JSON schema: `properties` by name, and `required` if some may be left out.
        instruction: becomes the model's docstring, and with it the schema's description.

    Raises:
        InputError: the schema is not valid, or says what has no counterpart in such a model; the
            message names the field.
    """
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        where = ".".join(map(str, error.absolute_path)) or "answer"
        raise InputError(f"{where}: {error.message}") from error
    properties: Mapping[str, Any] = schema.get("properties") or {}
    if not properties:
        raise InputError("the schema names no field; list them under [answer.properties]")
    model: type[BaseModel] = create_model(
        "Answer",
        __config__=ConfigDict(extra="forbid", frozen=True),
        __doc__=instruction,
        **{name: _field(name, declared) for name, declared in properties.items()},
    )
    return model


def _field(name: str, declared: Mapping[str, Any]) -> Any:
    kind, may_be_null = _type(name, declared)
    value = _value(name, kind, declared)
    optional = value | None if may_be_null else value
    return (optional, Field(description=declared.get("description")))


def _type(name: str, declared: Mapping[str, Any]) -> tuple[str, bool]:
    """Return the type, empty if only choices are given, and whether null is another."""
    told = declared.get("type")
    kinds = [told] if isinstance(told, str) else list(told or ())
    unknown = set(kinds) - {*_TYPES, "array", "null"}
    if unknown or not (kinds or "enum" in declared):
        choice = ", ".join([*_TYPES, "array", "null"])
        raise InputError(f"{name}: its type must be one of {choice}")
    others = [kind for kind in kinds if kind != "null"]
    if len(others) > 1:
        raise InputError(f"{name}: a field has one type, and null beside it at most")
    return "".join(others), "null" in kinds


def _value(name: str, kind: str, declared: Mapping[str, Any]) -> Any:
    strange = declared.keys() - _NOTES - _LIMITS.keys()
    if strange:
        raise InputError(f"{name}: {min(strange)} is not understood; leave it out")
    if "enum" in declared:
        value: Any = Literal[tuple(each for each in declared["enum"] if each is not None)]
    elif kind == "array":
        entries = declared.get("items") or {"type": "string"}
        within = f"{name}.items"
        entry: Any = _value(within, _type(within, entries)[0], entries)
        value = list[entry]
    else:
        value = _TYPES.get(kind, str)
    limits = {_LIMITS[word]: declared[word] for word in declared.keys() & _LIMITS.keys()}
    return Annotated[value, Field(**limits)] if limits else value
