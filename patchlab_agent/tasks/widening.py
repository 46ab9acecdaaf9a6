"""An answer's form with further values: what lessons allow beyond the schema."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, JsonValue, create_model, model_validator

from patchlab_agent.models.base import JsonObject
from patchlab_agent.models.patch import Fix
from patchlab_agent.tasks.fields import AnswerField
from patchlab_agent.tasks.fixes import ValueAllowed

Allowed = Mapping[str, tuple[JsonValue, ...]]
"""The further values of each field."""
Form = TypeVar("Form", bound=BaseModel)


def allowed_by(fixes: Iterable[Fix]) -> Allowed:
    """Return the values that lessons allow, each once and in a fixed order."""
    found: dict[str, list[JsonValue]] = {}
    for fix in fixes:
        if isinstance(fix, ValueAllowed) and fix.value not in found.setdefault(fix.field, []):
            found[fix.field].append(fix.value)
    return {name: tuple(sorted(values, key=repr)) for name, values in sorted(found.items())}


def widened_schema(schema: JsonObject, allowed: Allowed) -> JsonObject:
    """Return the JSON schema of an answer whose fields may take further values."""
    properties: Any = schema["properties"]
    wider = {name: _wider(properties[name], values) for name, values in allowed.items()}
    return {**schema, "properties": {**properties, **wider}}


def _wider(part: Mapping[str, Any], values: tuple[JsonValue, ...]) -> dict[str, Any]:
    if "items" in part:
        return {**part, "items": _wider(part["items"], values)}
    if "anyOf" in part:
        return {**part, "anyOf": [_wider(each, values) for each in part["anyOf"]]}
    named = part["enum"] if "enum" in part else [part["const"]] if "const" in part else None
    if named is None:
        return dict(part)
    rest = {name: value for name, value in part.items() if name not in ("enum", "const")}
    return {**rest, "enum": [*named, *(each for each in values if each not in named)]}


def widened_answer(
    answer: type[BaseModel], fields: Mapping[str, AnswerField], allowed: Allowed
) -> type[BaseModel]:
    """Return the model of an answer whose fields may take further values.

    The model may be anybody's code, with checks of its own. So it sees a value that it knows in
    the place of each that was allowed, which is put back once the answer has passed.
    """

    def passes(
        cls: type[BaseModel],  # noqa: ARG001 - as pydantic calls it
        data: Any,
        validate: Callable[[Any], Form],
    ) -> Form:
        if not isinstance(data, dict):
            return validate(data)
        known = {
            name: _known(data[name], values, fields[name].choices)
            for name, values in allowed.items()
            if name in data
        }
        given = {name: data[name] for name, value in known.items() if value != data[name]}
        return validate({**data, **known}).model_copy(update=given)

    wrapped: Any = classmethod(passes)
    validators: dict[str, Any] = {"_allowed": model_validator(mode="wrap")(wrapped)}
    model: type[BaseModel] = create_model("Answer", __base__=answer, __validators__=validators)
    return model


def _known(
    value: JsonValue, allowed: tuple[JsonValue, ...], choices: tuple[JsonValue, ...]
) -> JsonValue:
    if isinstance(value, list):
        # Each by another one, as far as there are others: a list may have to be without repetition.
        others = iter([each for each in choices if each not in value])
        return [next(others, choices[0]) if each in allowed else each for each in value]
    return choices[0] if value in allowed else value
