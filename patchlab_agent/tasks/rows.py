"""The labeled rows of a task: a request with its right answer, and what it is used for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, ValidationError

from patchlab_agent.errors import InputError
from patchlab_agent.models.base import Frozen, JsonObject, storable
from patchlab_agent.models.case import Case
from patchlab_agent.skill.authoring import LabeledRow, is_csv, labeled_rows
from patchlab_agent.tasks.fields import AnswerField
from patchlab_agent.text import check_request, normalise

Split = Literal["stream", "regression", "golden"]
SPLITS: tuple[Split, ...] = get_args(Split)
NAMES = ("rows.jsonl", "rows.csv")
"""What a folder's rows may be called."""
MAX_REQUEST_CHARS = 50_000
"""Characters of a request: those of a long mail, or of a short contract."""
LIST_MARK = ";"
"""Separates the entries of a list in a cell."""
_SHARES = {"stream": 40, "regression": 70, "golden": 100}
"""Percentiles up to which a row without a split belongs to each: 40, 30 and 30 %."""


class Row(Frozen):
    """A labeled request."""

    line: int
    request: str
    answer: JsonObject
    split: Split

    def case(self) -> Case:
        """Return the row as a case."""
        return Case(request=self.request, truth=self.answer, stratum=self.split)


class Problem(Frozen):
    """Something that is wrong with a row."""

    line: int
    text: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.text}"


def split_of(request: str) -> Split:
    """Return what a request without a split is used for, which its text alone decides."""
    place = int.from_bytes(blake2b(normalise(request).encode(), digest_size=8).digest(), "big")
    return next(split for split in SPLITS if place % 100 < _SHARES[split])


def read_rows(
    path: Path, answer: type[BaseModel], fields: Sequence[AnswerField]
) -> tuple[list[Row], list[Problem]]:
    """Read labeled rows: those that can be used, and what is wrong with the others.

    The right answer is an object in `answer`, which a CSV holds as JSON, or one column or key per
    field. In a cell `;` separates the entries of a list, and an empty cell is null, no text or no
    entry, as the field allows.

    Raises:
        InputError: the file cannot be read, or is not valid JSONL or CSV.
    """
    rows: list[Row] = []
    problems: list[Problem] = []
    for raw in labeled_rows(path):
        try:
            rows.append(_row(raw, answer, fields, is_csv(path)))
        except InputError as error:
            problems.append(Problem(line=raw.number, text=str(error)))
    return rows, problems


def _row(
    raw: LabeledRow, answer: type[BaseModel], fields: Sequence[AnswerField], is_table: bool
) -> Row:
    if raw.fault:
        raise InputError(raw.fault)
    data = dict(raw.data)
    request, split = data.pop("request", None), data.pop("split", None)
    if not isinstance(request, str):
        raise InputError("there is no request; add it under that name")
    check_request(request, MAX_REQUEST_CHARS)
    if split and split not in SPLITS:
        raise InputError(f"split is {split!r}; it must be one of {', '.join(SPLITS)}")
    told = data.pop("answer", None)
    right = _answer(told, is_table) if told is not None else _from_columns(data, fields, is_table)
    try:
        checked = answer.model_validate(right).model_dump(mode="json")
    except ValidationError as error:
        raise InputError("; ".join(_faults(error))) from error
    try:
        storable(checked)
    except ValueError as error:
        raise InputError(str(error)) from error
    return Row(line=raw.number, request=request, answer=checked, split=split or split_of(request))


def _faults(error: ValidationError) -> Iterator[str]:
    for fault in error.errors(include_url=False):
        where = ".".join(map(str, fault["loc"])) or "answer"
        given = "" if fault["type"] == "missing" else f", not {fault['input']!r}"
        yield f"{where}: {fault['msg']}{given}"


def _answer(told: Any, is_table: bool) -> Any:
    if not isinstance(told, str):
        return told
    try:
        return json.loads(told)
    except (ValueError, RecursionError) as error:
        where = "its cell" if is_table else "the text"
        raise InputError(f"answer: {where} is not valid JSON ({error})") from error


def _from_columns(data: JsonObject, fields: Sequence[AnswerField], is_table: bool) -> JsonObject:
    if not is_table:
        return data
    known = {field.name: field for field in fields}
    return {
        name: cell_value(str(cell), known[name]) if name in known else cell
        for name, cell in data.items()
    }


def entries_of(text: str) -> list[str]:
    """Return the entries of a list as people type them: `a; b`."""
    return [entry.strip() for entry in text.split(LIST_MARK) if entry.strip()]


def cell_value(cell: str, field: AnswerField) -> Any:
    """Return what a cell of a table says of a field; whether that is valid is for the model."""
    text = cell.strip()
    if field.is_list:
        return entries_of(text)
    if not text and field.may_be_null:
        return None
    if field.type in ("number", "integer", "boolean", "object"):
        try:
            return json.loads(text.lower() if field.type == "boolean" else text)
        except (ValueError, RecursionError):
            return text
    return cell
