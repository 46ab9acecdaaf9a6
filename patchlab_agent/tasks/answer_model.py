"""The model of a task's answers, built from the JSON schema of a `task.toml`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from pydantic import BaseModel, ConfigDict, Field, PydanticUserError, create_model
from pydantic_core import SchemaError as PydanticSchemaError

from patchlab_agent.errors import InputError
from patchlab_agent.models.base import storable
from patchlab_agent.skill.guard import shortened, shown

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
MAX_NAME = 80
"""Characters of the name of a field."""
_NOTES = frozenset({"type", "enum", "const", "description", "title", "items", "examples"})


def answer_model(schema: Any, instruction: str) -> type[BaseModel]:
    """Build the model of an object with fields of plain types, choices, and lists of them.

    Args:
        schema: a JSON schema: `properties` by name, and `required` if some may be left out.
        instruction: becomes the model's docstring, and with it the schema's description.

    Raises:
        InputError: the schema is not valid, or says what has no counterpart in such a model; the
            message names the field.
    """
    if not isinstance(schema, Mapping):
        raise InputError("answer is no table; write [answer.properties.NAME] for each field")
    try:
        storable(dict(schema))
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        where = ".".join(map(str, error.absolute_path)) or "answer"
        raise InputError(f"{shortened(where)}: {shortened(error.message)}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"answer: {shortened(str(error))}") from error
    properties: Mapping[str, Any] = schema.get("properties") or {}
    if not properties:
        raise InputError("the schema names no field; list them under [answer.properties]")
    fields = {name: _field(name, declared) for name, declared in properties.items()}
    try:
        return _model(instruction, fields)
    except _REFUSALS as error:
        raise InputError(f"{_culprit(fields)}: {shortened(str(error))}") from error


_REFUSALS = (NameError, TypeError, ValueError, PydanticUserError, PydanticSchemaError)
"""What pydantic raises for types, limits and patterns that do not go together."""


def _model(instruction: str, fields: Mapping[str, Any]) -> type[BaseModel]:
    model: type[BaseModel] = create_model(
        "Answer", __config__=ConfigDict(extra="forbid", frozen=True), __doc__=instruction, **fields
    )
    return model


def _culprit(fields: Mapping[str, Any]) -> str:
    """Return the first field that no model can be made of by itself."""
    for name, declared in fields.items():
        try:
            _model("", {name: declared})
        except _REFUSALS:
            return name
    return "answer"


def _field(name: str, declared: Any) -> Any:
    is_plain = name.strip() and name.isprintable() and len(name) <= MAX_NAME
    if not is_plain or name.startswith("_") or hasattr(BaseModel, name):
        raise InputError(f"{shown(name)} cannot be the name of a field; rename it")
    if not isinstance(declared, Mapping):
        raise InputError(f"{name}: it is no table; say what type it has")
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
        choices = tuple(each for each in declared["enum"] if each is not None)
        if not choices or not all(isinstance(each, str | int | float) for each in choices):
            raise InputError(f"{name}: its choices must be texts, numbers or booleans")
        value: Any = Literal[choices]
    elif kind == "array":
        entries = declared.get("items") or {"type": "string"}
        within = f"{name}.items"
        if not isinstance(entries, Mapping):
            raise InputError(f"{within}: it is no table; say what type an entry has")
        entry: Any = _value(within, _type(within, entries)[0], entries)
        value = list[entry]
    else:
        value = _TYPES.get(kind, str)
    limits = {_LIMITS[word]: declared[word] for word in declared.keys() & _LIMITS.keys()}
    return Annotated[value, Field(**limits)] if limits else value
