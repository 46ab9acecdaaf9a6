"""What every author of a skill would write again: cases from files, and a patch from a failure."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, Field, ValidationError

from patchlab_agent.errors import InputError
from patchlab_agent.models.base import Frozen, JsonObject
from patchlab_agent.models.case import Case
from patchlab_agent.models.patch import Fix, Patch, PatchTest, Provenance, Role
from patchlab_agent.models.trace import Feedback, Trace
from patchlab_agent.text import check_request


def lesson(
    skill: str,
    trigger: str,
    fix: Fix,
    trace: Trace,
    feedback: Feedback,
    *,
    obedience: Iterable[str] = (),
    unconcerned: Iterable[str] = (),
) -> Patch:
    """Make a patch of a failure, with the request that failed as its first test.

    Args:
        skill: the skill's name.
        trigger: a word or phrase of the request, as `as_trigger` gives it.
        fix: what the patch says; about its trigger, if it is a rule.
        trace: the answer that failed.
        feedback: what was said to it.
        obedience: requests made for the patch, to see whether the model does what it says.
        unconcerned: requests made for it that it does not concern: their answers must not change.

    Example:
        >>> fix = lab.patches.get("3696").fix
        >>> wrong = Feedback(label="hazmat_undeclared", detail="hazmat")
        >>> lesson("shipping", "bleach", fix, lab.traces.get(0), wrong).failing
        ('Ship 2 kg bleach box to US',)
    """
    tests = [
        PatchTest(role=Role.FAILING, request=trace.request),
        *(PatchTest(role=Role.OBEDIENCE, request=request) for request in obedience),
        *(PatchTest(role=Role.UNCONCERNED, request=request) for request in unconcerned),
    ]
    born = Provenance(trace_id=trace.id, request=trace.request, **feedback.model_dump())
    return Patch(skill=skill, trigger=trigger, fix=fix, tests=tuple(tests), provenance=born)


class LabeledRow(Frozen):
    """One row of a file of labeled requests."""

    number: int = Field(description="of its line, from 1")
    data: dict[str, Any]


Model = TypeVar("Model", bound=BaseModel)


class _Labeled(Frozen):
    """What every row has, whatever its skill."""

    request: str
    stratum: str = Field(default="", max_length=40)


def read_cases(path: Path, truth: type[BaseModel]) -> list[Case]:
    """Read labeled requests, JSONL or CSV: `request`, optionally `stratum`, and the truth's fields.

    An empty cell of a CSV is a field that is left out.

    Args:
        path: ends in `.jsonl` or `.csv`; a CSV has a header.
        truth: the model of all other fields.

    Raises:
        InputError: the file cannot be read or a line cannot be used; the message names both.

    Example:
        >>> from pathlib import Path
        >>> from pydantic import BaseModel
        >>> class Truth(BaseModel):
        ...     item: str
        >>> written = Path("mine.jsonl").write_text('{"request": "Ship a kite", "item": "kite"}')
        >>> [case.truth for case in read_cases(Path("mine.jsonl"), Truth)]
        [{'item': 'kite'}]
    """
    cases = []
    for row in labeled_rows(path):
        data = {k: v for k, v in row.data.items() if v or not is_csv(path)}
        own = {name: data.pop(name) for name in _Labeled.model_fields if name in data}
        labeled = checked_row(path, row, _Labeled, own)
        label = checked_row(path, row, truth, data).model_dump(mode="json")
        cases.append(Case(request=labeled.request, truth=label, stratum=labeled.stratum))
    return cases


def checked_row(path: Path, row: LabeledRow, kind: type[Model], data: JsonObject) -> Model:
    """Return data of a row as a model; a request among it must be one that can be asked.

    Raises:
        InputError: it cannot be used; the message names file and line.
    """
    where = f"{path}, line {row.number}"
    try:
        checked = kind.model_validate(data)
        if "request" in kind.model_fields:
            check_request(str(data["request"]))
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"])) or "line"
        raise InputError(f"{where}: {field}: {first['msg']}; fix it.") from error
    return checked


def is_csv(path: Path) -> bool:
    """Return whether a file's name says that it is a CSV."""
    return path.suffix.lower() == ".csv"


def labeled_rows(path: Path) -> list[LabeledRow]:
    """Read the rows of a JSONL or CSV file, at least one; the cells of a CSV are texts.

    Raises:
        InputError: the file cannot be read or a line cannot be used; the message names both.
    """
    if path.suffix.lower() not in (".jsonl", ".csv"):
        raise InputError(f"{path} must end in .jsonl or .csv; convert it.")
    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); check the path.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text; save it as UTF-8.") from error
    rows = list(_csv_rows(path, text) if is_csv(path) else _json_rows(path, text))
    if not rows:
        raise InputError(f"{path} contains no request; give one labeled request per line.")
    return rows


def _json_rows(path: Path, text: str) -> Iterator[LabeledRow]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            data = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}, line {number}: not valid JSON ({error}); fix it.") from error
        if not isinstance(data, dict):
            raise InputError(f"{path}, line {number}: not a JSON object; write one per line.")
        yield LabeledRow(number=number, data=data)


def _csv_rows(path: Path, text: str) -> Iterator[LabeledRow]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        for row in reader:
            if None in row or None in row.values():
                raise InputError(
                    f"{path}, line {reader.line_num}: expected {len(reader.fieldnames or ())} "
                    "cells, as in the header; fix it."
                )
            yield LabeledRow(number=reader.line_num, data=dict(row))
    except csv.Error as error:
        number = reader.reader.line_num
        raise InputError(f"{path}, line {number}: not valid CSV ({error}); fix it.") from error
