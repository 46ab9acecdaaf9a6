"""A first `task.toml`, guessed from labeled rows."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from patchlab_agent.errors import InputError
from patchlab_agent.resources import resource
from patchlab_agent.skill.authoring import LabeledRow, is_csv, labeled_rows
from patchlab_agent.tasks.folder import TOML
from patchlab_agent.tasks.rows import LIST_MARK, entries_of

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
    _make(folder)
    for source in sorted(resource("examples", "support_tickets").iterdir()):
        shutil.copyfile(source, folder / source.name)


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
    _make(folder)
    text = _HEAD.format(instruction=instruction) + declared + _TAIL
    (folder / TOML).write_text(text, "utf-8")
    shutil.copyfile(rows, folder / f"rows{rows.suffix.lower()}")


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        is_empty = not any(folder.iterdir())
    except OSError as error:
        raise InputError(f"{folder} cannot be made ({error.strerror}); name another.") from error
    if not is_empty:
        raise InputError(f"{folder} is not empty; name a new folder.")


def _values(path: Path, rows: Sequence[LabeledRow]) -> dict[str, list[Any]]:
    """Return the values of each field, in the order in which fields first appear."""
    values: dict[str, list[Any]] = {}
    for row in rows:
        for name, value in _answer(path, row).items():
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
        value = json.loads(text.lower() if text.lower() in ("true", "false") else text)
    except (ValueError, RecursionError):
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
    choices = sorted(set(values)) if kind == "string" else []
    # A field whose values hardly ever come again is free text.
    if choices and len(choices) <= min(MOST_CHOICES, len(values) / 2):
        declared["enum"] = choices
    return [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in declared.items()]


def _type(values: Sequence[Any]) -> str:
    if values and all(isinstance(value, bool) for value in values):
        return "boolean"
    numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    if values and len(numbers) == len(values):
        return "integer" if all(isinstance(value, int) for value in numbers) else "number"
    return "string"


def _key(name: str) -> str:
    is_bare = name.isascii() and name.replace("_", "").replace("-", "").isalnum()
    return name if is_bare else json.dumps(name, ensure_ascii=False)
