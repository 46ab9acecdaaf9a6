"""Answers from elsewhere with what was wrong with them, read from where people keep them.

Each row has a `request`, the `answer` that was given, and either the `right` one or a complaint
(`label`, `field`, `value`, `detail`). Instead of an object, answers may be keys or columns, one per
field: `answer.team`, `right.team`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from pydantic import JsonValue

from patchlab_agent.errors import InputError, InvalidAnswer, UsageError
from patchlab_agent.lab.judging import checked_feedback
from patchlab_agent.lab.naming import feedback_on, known_label
from patchlab_agent.models.base import JsonObject, Output, storable
from patchlab_agent.models.trace import Attempt, Feedback, Trace
from patchlab_agent.skill.authoring import (
    LabeledRow,
    checked_rows,
    is_csv,
    labeled_rows,
    labeled_text,
)
from patchlab_agent.skill.optional import compared
from patchlab_agent.skill.seam import Reading
from patchlab_agent.skill.skill import Skill
from patchlab_agent.tasks.fields import AnswerField, fields_of, resolved_schema
from patchlab_agent.tasks.rows import cell_value
from patchlab_agent.text import check_request, json_of, strict_json

ANSWER, RIGHT = "answer", "right"


@dataclass(frozen=True)
class FailureRows:
    """Rows that were read once, and not held against a skill yet.

    Attributes:
        name: what messages and reports call their source.
        rows: their data.
        is_table: whether the data are cells of a CSV, which are texts.
    """

    name: str
    rows: tuple[LabeledRow, ...]
    is_table: bool = False


Source: TypeAlias = str | Path | Iterable[Mapping[str, Any]] | FailureRows
"""A file, rows as JSONL has them, or rows that were read already."""
IN_MEMORY = "rows"
"""Names rows in messages that come from no file."""


def failure_rows(source: Source) -> FailureRows:
    """Read the rows of a source.

    Raises:
        InputError: the file cannot be read, or has no row.
    """
    if isinstance(source, FailureRows):
        return source
    if isinstance(source, str | Path):
        path = Path(source)
        return FailureRows(str(source), tuple(labeled_rows(path)), is_csv(path))
    return FailureRows(IN_MEMORY, tuple(_numbered(source)))


def rows_in_text(name: str, text: str) -> FailureRows:
    """Read the rows of a text that has no file's name: JSONL if it begins as JSON does, else CSV.

    Args:
        name: what messages and reports call it.
        text: the rows.

    Raises:
        InputError: it has no row.
    """
    is_table = not text.lstrip().startswith(("{", "["))
    return FailureRows(name, tuple(labeled_text(name, text, is_table=is_table)), is_table)


@dataclass(frozen=True)
class Failure:
    """One row: an answer from elsewhere, judged.

    Attributes:
        line: of its file, from 1.
        request: what was asked.
        text: the answer as it was given.
        told: what is to be said of it.
        right: the right output; None where the row has a complaint instead.
    """

    line: int
    request: str
    text: str
    told: Feedback
    right: Output | None = None


def read_failures(skill: Skill, source: Source) -> list[Failure]:
    """Read answers with what was wrong with them, and check every row.

    Args:
        skill: reads answers, and compares them with right ones.
        source: a JSONL or CSV file; or rows, as JSONL has them.

    Raises:
        InputError: the file cannot be read, or rows cannot be used; the message names all lines.
    """
    given = failure_rows(source)
    reader = _Reader(skill, is_table=given.is_table)
    failures = [failure for _, failure in checked_rows(given.name, given.rows, reader.read)]
    _agreeing(given.name, failures)
    return failures


def _numbered(rows: Iterable[object]) -> Iterator[LabeledRow]:
    for number, row in enumerate(rows, start=1):
        try:
            data, fault = json.loads(json.dumps(row)), ""
        except (TypeError, ValueError, RecursionError) as error:
            data, fault = {}, f"not JSON ({error}); fix it"
        if not isinstance(data, dict):
            data, fault = {}, "not an object with names as keys"
        yield LabeledRow(number=number, data=data, fault=fault)


def _agreeing(where: str, failures: Iterable[Failure]) -> None:
    """Check that no request has two right answers.

    Raises:
        InputError: one has.
    """
    seen: dict[str, Failure] = {}
    for failure in failures:
        if failure.right is None:
            continue
        first = seen.setdefault(failure.request, failure)
        if first.right != failure.right:
            raise InputError(
                f"{where}, line {failure.line}: another right answer than in line {first.line} to "
                "the same request; keep one."
            )


class _Reader:
    """Reads rows for one skill.

    Args:
        skill: reads answers, and compares them with right ones.
        is_table: all values are cells, of which an empty one says nothing.
    """

    def __init__(self, skill: Skill, *, is_table: bool) -> None:
        self._skill = skill
        self._is_table = is_table
        self._schema = resolved_schema(skill.task.answer_schema)
        self._fields = {field.name: field for field in fields_of(self._schema)}

    def read(self, row: LabeledRow) -> Failure:
        """Return what a row says.

        Raises:
            InputError: it cannot be used.
        """
        _check_storable(row.data)
        request = row.data.get("request")
        if not isinstance(request, str):
            raise InputError("there is no request; add it under that name")
        check_request(request, self._skill.max_request_chars)
        text = self._text(row.data)
        given, problem = self._reading(text)
        right = self._right(row.data, given)
        label = self._said(row.data, "label")
        if (right is None) == (label is None):
            missing = "give the right answer in `right`, or say in `label` what is wrong"
            both = "it has both a right answer and a label; leave one out"
            raise InputError(both if label else missing)
        attempt = Attempt(
            user_prompt="",
            system_digest="",
            raw=text,
            output=None if given is None else given.output,
            problem=problem,
        )
        answered = Trace(
            id=f"line {row.number}", run="", index=0, request=request, attempt=attempt, at=""
        )
        if right is not None:
            return Failure(row.number, request, text, self._compared(answered, right), right)
        return Failure(row.number, request, text, self._complaint(row.data, label, answered))

    def _text(self, data: JsonObject) -> str:
        """Return the answer that was given, as a model would have written it."""
        given = self._object(data, ANSWER)
        if given is None:
            raise InputError("there is no answer; add the one that was given, under that name")
        if isinstance(given, str):
            return given
        required = self._schema.get("required")
        lacking = [
            name for name in (required if isinstance(required, list) else ()) if name not in given
        ]
        if lacking:
            raise InputError(f"the answer lacks {lacking[0]!r}; add it, null where it was empty")
        if self._schema.get("additionalProperties") is False:
            self._check_names(ANSWER, given)
        return json.dumps(given, ensure_ascii=False)

    def _reading(self, text: str) -> tuple[Reading | None, str]:
        try:
            return self._skill.task.read(text), ""
        except InvalidAnswer as error:
            # What a model says may be of no use at all, and still be what it said.
            return None, str(error)

    def _right(self, data: JsonObject, given: Reading | None) -> Output | None:
        """Return the right output; a field that is left out was right as it was given."""
        told = self._object(data, RIGHT)
        if told is None:
            return None
        if isinstance(told, str):
            told = _parsed(told)
        if isinstance(told, str):
            raise InputError("the right answer is not a JSON object; write it as one")
        self._check_names(RIGHT, told)
        whole = {**(given.answer if given is not None else {}), **told}
        try:
            return self._skill.task.read(json.dumps(whole)).output
        except InvalidAnswer as error:
            raise InputError(f"the right answer cannot be used: {error}") from error

    def _object(self, data: JsonObject, name: str) -> JsonObject | str | None:
        """Return what a row has under a name, and under the names of its fields.

        Raises:
            InputError: it has both, or what it has is no answer.
        """
        told = data.get(name)
        if self._is_table and isinstance(told, str) and not told.strip():
            told = None
        parts = {
            key.removeprefix(f"{name}."): value
            for key, value in data.items()
            if key.startswith(f"{name}.")
        }
        self._check_names(name, parts)
        if self._is_table:
            # Of the right answer an empty cell says nothing; an answer that was given may be empty.
            keeps_empty = name == ANSWER and told is None
            parts = {
                key: self._cell(str(cell), key)
                for key, cell in parts.items()
                if keeps_empty or str(cell).strip()
            }
        if parts and told is not None:
            raise InputError(f"it has both {name} and {name}.{next(iter(parts))}; leave one out")
        if parts or told is None:
            return parts or None
        if not isinstance(told, dict | str):
            raise InputError(f"{name} is neither a JSON object nor a text; write it as one")
        return told

    def _check_names(self, name: str, given: Mapping[str, JsonValue]) -> None:
        unknown = given.keys() - self._fields.keys()
        if self._fields and unknown:
            known = ", ".join(self._fields)
            raise InputError(f"{name} has no field {min(unknown)!r}; its fields are {known}")

    def _cell(self, cell: str, name: str) -> JsonValue:
        field = self._fields.get(name, AnswerField(name=name, type="string"))
        text = cell.strip()
        if field.is_list and text.startswith("["):
            return _json_or_text(text)
        if field.may_be_null and text == "null":
            return None
        value: JsonValue = cell_value(cell, field)
        return value

    def _said(self, data: JsonObject, name: str) -> str | None:
        said = data.get(name)
        if said is None or (isinstance(said, str) and not said.strip()):
            return None
        if not isinstance(said, str):
            raise InputError(f"{name} is not a text; write it as one")
        return said

    def _compared(self, answered: Trace, right: Output) -> Feedback:
        """Return what there is to say of an answer beside the right one."""
        told = compared(self._skill.simulator, answered.request, right, answered.output)
        try:
            return checked_feedback(answered, told, self._skill.labels)
        except InputError:
            # What is right may be longer than a lesson can be, which is no fault of the row.
            return Feedback(label=told.label)

    def _complaint(self, data: JsonObject, label: str | None, answered: Trace) -> Feedback:
        known = known_label(label or "", self._skill.labels)
        value, detail = data.get("value"), data.get("detail")
        if self._is_table and isinstance(value, str):
            value = _json_or_text(value) if value.strip() else None
        if detail is None or isinstance(detail, str):
            detail = (detail or "").strip()
        else:
            detail = json.dumps(detail, ensure_ascii=False)
        try:
            return feedback_on(answered, known, self._said(data, "field"), value, detail)
        except UsageError as error:
            raise InputError(str(error)) from error


def _parsed(text: str) -> JsonObject | str:
    """Return an object that a text is; any other text as it is."""
    try:
        found = json_of(text)
    except (ValueError, RecursionError):
        return text
    if not isinstance(found, dict):
        return text
    _check_storable(found)
    return found


def _check_storable(data: JsonObject) -> None:
    try:
        storable(data)
    except ValueError as error:
        raise InputError(str(error)) from error


def _json_or_text(text: str) -> JsonValue:
    try:
        value: JsonValue = strict_json(text)
    except (ValueError, RecursionError):
        return text
    return value
