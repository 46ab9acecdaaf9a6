"""The labeled rows of a task: a request with its right answer, and what it is used for."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticSerializationError

from patchlab_agent.errors import InputError
from patchlab_agent.models.base import Frozen, JsonObject, storable
from patchlab_agent.models.case import Case
from patchlab_agent.skill.authoring import LabeledRow, is_csv, labeled_rows
from patchlab_agent.skill.guard import MAX_SHOWN, shortened
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


@dataclass(frozen=True)
class RawRows:
    """Labeled rows that were not held against the form of an answer yet.

    Attributes:
        where: where they are from, as errors name it.
        unit: what an error calls one of them: a line of a file, or a row.
        rows: their data.
        is_table: whether the data are cells of a CSV, which are texts.
    """

    where: str
    unit: str
    rows: tuple[LabeledRow, ...]
    is_table: bool = False


def rows_in(path: Path) -> RawRows:
    """Read the rows of a file.

    Raises:
        InputError: the file cannot be read, or is not valid JSONL or CSV.
    """
    return RawRows(str(path), "line", tuple(labeled_rows(path)), is_csv(path))


def rows_given(rows: Iterable[Any], task: str) -> RawRows:
    """Take rows as Python has them: mappings, or pairs of a request and its right answer."""
    taken = (_given(number, row) for number, row in enumerate(rows, start=1))
    return RawRows(f"Task {task!r}", "row", tuple(taken))


def _given(number: int, row: Any) -> LabeledRow:
    data: dict[Any, Any] = {}
    if isinstance(row, Mapping):
        data = dict(row)
    elif isinstance(row, tuple | list) and len(row) == 2:
        data = {"request": row[0], "answer": row[1]}
    if not data or not all(isinstance(key, str) for key in data):
        fault = "it is no dict with request and answer, and no pair of the two"
        return LabeledRow(number=number, data={}, fault=fault)
    if isinstance(right := data.get("answer"), BaseModel):
        data["answer"] = right.model_dump(mode="json", by_alias=True)
    return LabeledRow(number=number, data=data)


def read_rows(
    raw: RawRows, answer: type[BaseModel], fields: Sequence[AnswerField]
) -> tuple[list[Row], list[Problem]]:
    """Read labeled rows: those that can be used, and what is wrong with the others.

    The right answer is an object in `answer`, which a CSV holds as JSON, or one column or key per
    field. In a cell `;` separates the entries of a list, and an empty cell is null, no text or no
    entry, as the field allows.
    """
    rows: list[Row] = []
    problems: list[Problem] = []
    for each in raw.rows:
        try:
            rows.append(_row(each, answer, fields, raw.is_table))
        except InputError as error:
            problems.append(Problem(line=each.number, text=str(error)))
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
    if split not in (None, "", *SPLITS):
        raise InputError(f"split is {_shown(split)}; it must be one of {', '.join(SPLITS)}")
    told = data.pop("answer", None)
    right = _answer(told, is_table) if told is not None else _from_columns(data, fields, is_table)
    checked = _checked(right, answer)
    return Row(line=raw.number, request=request, answer=checked, split=split or split_of(request))


def _checked(right: Any, answer: type[BaseModel]) -> JsonObject:
    """Return a right answer as the task's model has it.

    Raises:
        InputError: it has another form, or cannot be stored.
    """
    try:
        checked = answer.model_validate(right)
    except ValidationError as error:
        raise InputError("; ".join(_faults(error))) from error
    except RecursionError as error:
        raise InputError("answer: it is nested too deeply; flatten it") from error
    try:
        data = checked.model_dump(mode="json", by_alias=True)
        storable(data)
    except (ValueError, PydanticSerializationError) as error:
        raise InputError(f"answer: {shortened(str(error))}") from error
    return data


MAX_FAULTS = 5
"""Faults of one row that are told."""


def _faults(error: ValidationError) -> Iterator[str]:
    faults = error.errors(include_url=False)
    for fault in faults[:MAX_FAULTS]:
        where = ".".join(map(str, fault["loc"])) or "answer"
        given = "" if fault["type"] == "missing" else f", not {_shown(fault['input'])}"
        yield f"{shortened(where)}: {shortened(fault['msg'])}{given}"
    if len(faults) > MAX_FAULTS:
        yield f"and {len(faults) - MAX_FAULTS:,} more"


def _shown(value: Any) -> str:
    """Return a value as an error shows it: on one line, printable, and cut off where it is long."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):
        # Numbers of thousands of digits have no text.
        text = f"a {type(value).__name__}"
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…{text[0]}"


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
