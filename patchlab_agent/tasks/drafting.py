"""A first `task.toml`, guessed from labeled rows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from patchlab_agent.errors import InputError
from patchlab_agent.files import no_room, write_whole
from patchlab_agent.models.base import storable
from patchlab_agent.resources import resource
from patchlab_agent.skill.authoring import LabeledRow, is_csv, labeled_rows
from patchlab_agent.skill.guard import shortened
from patchlab_agent.tasks.folder import TOML
from patchlab_agent.tasks.rows import LIST_MARK, entries_of
from patchlab_agent.text import strict_json

MOST_CHOICES = 100
"""Values of a field up to which they are taken for all that there are."""
_BESIDES = frozenset({"request", "split"})
_HEAD = '''\
# What the model is told to do: what each field means, and what to do where a request says nothing.
instruction = """
{instruction}
"""

# Sentences that every prompt states from the start, each on one line.
facts = []
'''
_FIELD = """
[answer.properties.{name}]
{declared}
description = ""
"""
_TAIL = """
# How a field is compared, where that is not by its type: exact, folded (whatever its case), number
# (with tolerance = 0.01), set, fuzzy (with similarity = 0.9) or ignored; weight = 2 counts twice.
# [fields.NAME]
# compare = "folded"
"""


def draft_sample(folder: Path) -> None:
    """Write a small task that works as it is, to be changed into another one.

    Raises:
        InputError: the folder holds something already, or cannot be written.
    """
    sources = sorted(resource("examples", "support_tickets").iterdir())
    _write(folder, {source.name: source.read_bytes() for source in sources})


def draft_from(folder: Path, rows: Path) -> None:
    """Write a task whose answers have the form of labeled rows, and copy the rows.

    Raises:
        InputError: the rows cannot be read or have no answers, or the folder cannot be written.
    """
    raw = labeled_rows(rows)
    values = _values(rows, raw)
    if not values:
        raise InputError(
            f"{rows} has no answers; give each row an answer, or a column for each of its fields."
        )
    declared = "".join(
        _FIELD.format(name=_key(name), declared=_declared(seen)) for name, seen in values.items()
    )
    instruction = "Read the request, and answer with what it says."
    text = _HEAD.format(instruction=instruction) + declared + _TAIL
    _write(folder, {TOML: text, f"rows{rows.suffix.lower()}": rows.read_bytes()})


def _write(folder: Path, files: Mapping[str, str | bytes]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        is_empty = not any(folder.iterdir())
        if is_empty:
            for name, content in files.items():
                write_whole(folder / name, [content])
    except OSError as error:
        raise no_room(folder, error) or InputError(
            f"{folder} cannot be made ({error.strerror}); name another."
        ) from error
    if not is_empty:
        raise InputError(f"{folder} is not empty; name a new folder.")


def _values(path: Path, rows: Sequence[LabeledRow]) -> dict[str, list[Any]]:
    """Return the values of each field, in the order in which fields first appear."""
    values: dict[str, list[Any]] = {}
    for row in rows:
        where = f"{path}, line {row.number}"
        if row.fault:
            raise InputError(f"{where}: {row.fault}.")
        answer = dict(_answer(path, row))
        try:
            storable(answer)
        except ValueError as error:
            raise InputError(f"{where}: {shortened(str(error))}; fix it.") from error
        for name, value in answer.items():
            values.setdefault(name, []).append(value)
    return values


def _answer(path: Path, row: LabeledRow) -> Mapping[str, Any]:
    told = row.data.get("answer")
    if isinstance(told, str):
        try:
            told = json.loads(told)
        except (ValueError, RecursionError) as error:
            where = f"{path}, line {row.number}"
            raise InputError(f"{where}: answer is not valid JSON ({error}); fix it.") from error
    if isinstance(told, dict):
        return told
    fields = {name: value for name, value in row.data.items() if name not in _BESIDES}
    return {name: _of_cell(value) for name, value in fields.items()} if is_csv(path) else fields


def _of_cell(cell: str) -> Any:
    text = cell.strip()
    if not text:
        return None
    if LIST_MARK in text:
        return entries_of(text)
    try:
        value = strict_json(text.lower() if text.lower() in ("true", "false") else text)
        storable(value)
    except (ValueError, RecursionError):
        # A number beyond all limits is a name made of digits.
        return text
    return value if isinstance(value, bool | int | float) else text


def _declared(values: Sequence[Any]) -> str:
    """Return the lines of TOML that declare a field with these values."""
    told = [value for value in values if value is not None]
    if any(isinstance(value, list) for value in told):
        entries = [e for value in told for e in (value if isinstance(value, list) else [value])]
        return f'type = "array"\nitems = {{ {", ".join(_scalar(entries))} }}'
    return "\n".join(_scalar(told, may_be_null=len(told) < len(values)))


def _scalar(values: Sequence[Any], *, may_be_null: bool = False) -> list[str]:
    """Return the assignments that declare a field, or the entries of a list."""
    kind = _type(values)
    types: str | list[str] = [kind, "null"] if may_be_null else kind
    declared = {"type": types}
    is_text = kind == "string" and all(isinstance(value, str) for value in values)
    choices = sorted(set(values)) if is_text else []
    # A field whose values hardly ever come again is free text.
    if choices and len(choices) <= min(MOST_CHOICES, len(values) / 2):
        declared["enum"] = choices
    return [f"{name} = {_toml(value)}" for name, value in declared.items()]


def _toml(value: str | list[str]) -> str:
    """Return texts as TOML writes them: as JSON does, but for one character more."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _type(values: Sequence[Any]) -> str:
    if values and all(isinstance(value, bool) for value in values):
        return "boolean"
    numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    if values and len(numbers) == len(values):
        return "integer" if all(isinstance(value, int) for value in numbers) else "number"
    return "string"


def _key(name: str) -> str:
    is_bare = name.isascii() and name.replace("_", "").replace("-", "").isalnum()
    return name if is_bare else _toml(name)
