"""What every author of a skill would write again: cases from files, and a patch from a failure."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, Field, ValidationError

from patchlab_agent.errors import InputError
from patchlab_agent.models.base import Frozen, JsonObject, storable
from patchlab_agent.models.case import Case
from patchlab_agent.models.patch import Fix, Patch, PatchTest, Provenance, Role
from patchlab_agent.models.trace import Feedback, Trace
from patchlab_agent.models.trigger import Trigger
from patchlab_agent.text import MAX_REQUEST_CHARS, KeyTwice, check_request, json_of, repeated


def lesson(
    skill: str,
    trigger: Trigger,
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
        trigger: a word or phrase of the request, as `as_trigger` gives it; or `Similar`, or
            `Always`.
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
    born = born_of(trace, feedback)
    return Patch(skill=skill, trigger=trigger, fix=fix, tests=tuple(tests), provenance=born)


def born_of(trace: Trace, feedback: Feedback) -> Provenance:
    """Return the failure that a patch comes from: the answer, and the complaint about it."""
    complaint = {name: getattr(feedback, name) for name in ("label", "field", "value", "detail")}
    return Provenance(trace_id=trace.id, request=trace.request, **complaint)


MAX_TOLD = 5
"""Lines of a file whose faults are told one by one."""
MAX_COLUMNS, MAX_COLUMN = 12, 40
"""Of a wrong header, how many names are told, and how many characters of each."""
_OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}


class LabeledRow(Frozen):
    """One row of a file of labeled requests."""

    number: int = Field(description="of its line, from 1")
    data: dict[str, Any]
    fault: str = Field(default="", description="why its data could not be read")


Model = TypeVar("Model", bound=BaseModel)
Checked = TypeVar("Checked")


class _Labeled(Frozen):
    """What every row has, whatever its skill."""

    request: str
    stratum: str = Field(default="", max_length=40)


def read_cases(
    path: Path, truth: type[BaseModel], max_request_chars: int = MAX_REQUEST_CHARS
) -> list[Case]:
    """Read labeled requests, JSONL or CSV: `request`, optionally `stratum`, and the truth's fields.

    An empty cell of a CSV is a field that is left out.

    Args:
        path: ends in `.jsonl` or `.csv`; a CSV has a header.
        truth: the model of all other fields.
        max_request_chars: characters that a request may have.

    Raises:
        InputError: the file cannot be read or a line cannot be used; the message names all lines.

    Example:
        >>> from pathlib import Path
        >>> from pydantic import BaseModel
        >>> class Truth(BaseModel):
        ...     item: str
        >>> written = Path("mine.jsonl").write_text('{"request": "Ship a kite", "item": "kite"}')
        >>> [case.truth for case in read_cases(Path("mine.jsonl"), Truth)]
        [{'item': 'kite'}]
    """

    def case(row: LabeledRow) -> Case:
        data = {k: v for k, v in row.data.items() if v or not is_csv(path)}
        own = {name: data.pop(name) for name in _Labeled.model_fields if name in data}
        labeled = checked_row(_Labeled, own, max_request_chars)
        try:
            storable(data)
        except ValueError as error:
            raise InputError(f"{error}; fix it") from error
        label = checked_row(truth, data).model_dump(mode="json")
        return Case(request=labeled.request, truth=label, stratum=labeled.stratum)

    return [made for _, made in checked_rows(path, labeled_rows(path, _Labeled, truth), case)]


def checked_rows(
    where: object, rows: Iterable[LabeledRow], check: Callable[[LabeledRow], Checked]
) -> list[tuple[int, Checked]]:
    """Return what a check makes of each row, with its line number.

    Args:
        where: the path of their file, or what else they are from.
        rows: as `labeled_rows` gives them.
        check: raises `InputError` for a row that cannot be used.

    Raises:
        InputError: rows cannot be used; the message names the file and every such line.
    """
    checked, faults = [], {}
    for row in rows:
        try:
            if row.fault:
                raise InputError(row.fault)
            checked.append((row.number, check(row)))
        except InputError as error:
            faults[row.number] = str(error).removesuffix(".")
    if faults:
        raise faulty(where, faults)
    return checked


def faulty(where: object, faults: Mapping[int, str], unit: str = "line") -> InputError:
    """Return the error that names all lines of a file that cannot be used.

    Args:
        where: the file's path, or what else the lines are of.
        faults: what is wrong, by line number; at least one.
        unit: what a line is called.
    """
    if len(faults) == 1:
        [(number, why)] = faults.items()
        return InputError(f"{where}, {unit} {number}: {why}.")
    shown = dict(islice(faults.items(), MAX_TOLD))
    *first, last = map(str, shown)
    more = len(faults) - len(shown)
    if more:
        first, last = [*first, last], f"{more:,} more"
    told = "; ".join(f"{unit} {number}: {why}" for number, why in shown.items())
    return InputError(f"{where}, {unit}s {', '.join(first)} and {last}: {told}.")


def checked_row(
    kind: type[Model], data: JsonObject, max_request_chars: int = MAX_REQUEST_CHARS
) -> Model:
    """Return data of a row as a model; a request among it must be one that can be asked.

    Raises:
        InputError: it cannot be used.
    """
    try:
        checked = kind.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"])) or "line"
        raise InputError(f"{field}: {first['msg']}; fix it") from error
    if "request" in kind.model_fields:
        check_request(str(data["request"]), max_request_chars)
    return checked


def is_csv(path: Path) -> bool:
    """Return whether a file's name says that it is a CSV."""
    return path.suffix.lower() == ".csv"


def labeled_rows(path: Path, *kinds: type[BaseModel]) -> list[LabeledRow]:
    """Read the rows of a JSONL or CSV file, at least one; the cells of a CSV are texts.

    Args:
        path: ends in `.jsonl` or `.csv`.
        kinds: models whose fields, taken together, are the columns of a CSV.

    Raises:
        InputError: the file cannot be read, or the header of a CSV has other columns.
    """
    if path.suffix.lower() not in (".jsonl", ".csv"):
        raise InputError(f"{path} must end in .jsonl or .csv; convert it.")
    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); check the path.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text; save it as UTF-8.") from error
    return labeled_text(path, text, *kinds, is_table=is_csv(path))


def labeled_text(
    where: object, text: str, *kinds: type[BaseModel], is_table: bool
) -> list[LabeledRow]:
    """Read the rows of a text, at least one.

    Args:
        where: what the text is from, as errors name it.
        text: lines of JSON, or CSV with a header.
        kinds: as for `labeled_rows`.
        is_table: whether it is CSV.

    Raises:
        InputError: it has no row, or the header of a CSV has other columns.
    """
    rows = _csv_rows(where, text, kinds) if is_table else list(_json_rows(text))
    if not rows:
        raise InputError(f"{where} contains no request; give one labeled request per line.")
    return rows


def _json_rows(text: str) -> Iterator[LabeledRow]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            data = json_of(line)
        except KeyTwice as error:
            yield LabeledRow(number=number, data={}, fault=f"{error}; fix it")
            continue
        except (ValueError, RecursionError) as error:
            yield LabeledRow(number=number, data={}, fault=f"not valid JSON ({error}); fix it")
            continue
        is_object = isinstance(data, dict)
        fault = "" if is_object else "not a JSON object; write one per line"
        yield LabeledRow(number=number, data=data if is_object else {}, fault=fault)


def _csv_rows(path: object, text: str, kinds: Sequence[type[BaseModel]]) -> list[LabeledRow]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(reader, [])
        _check_separator(path, header)
        rows = [(reader.line_num, cells) for cells in reader if cells]
    except csv.Error as error:
        raise InputError(
            f"{path}, line {reader.line_num}: not valid CSV ({error}); fix it."
        ) from error
    if header:
        _check_columns(path, header, kinds)
    wrong = f"expected {len(header)} cells, as in the header; fix it"
    return [
        LabeledRow(
            number=number,
            data=dict(zip(header, cells, strict=False)),
            fault="" if len(cells) == len(header) else wrong,
        )
        for number, cells in rows
    ]


def _check_separator(path: object, header: Sequence[str]) -> None:
    if len(header) != 1:
        return
    if header[0].lstrip().startswith("{"):
        raise InputError(f"{path}, line 1: this is JSON and no header; name the file .jsonl.")
    for sign, name in _OTHER_SEPARATORS.items():
        if sign in header[0]:
            raise InputError(
                f"{path}, line 1: the header separates its columns by {name}; "
                "save the file with commas."
            )


def _check_columns(path: object, header: Sequence[str], kinds: Sequence[type[BaseModel]]) -> None:
    """Check that a header has each column that is wanted, once, and no other."""
    fields = {n: field for kind in kinds for n, field in kind.model_fields.items()}
    required = [name for name, field in fields.items() if field.is_required()]
    is_closed = all(kind.model_config.get("extra") == "forbid" for kind in kinds)
    lacking = [name for name in required if name not in header]
    unknown = [name for name in header if name not in fields] if kinds and is_closed else []
    twice = repeated(header)
    if not (lacking or unknown or twice):
        return
    faults = {"lacks": lacking, "has the unknown": unknown, "repeats": twice}
    said = " and ".join(f"{what} {_listed(names)}" for what, names in faults.items() if names)
    optional = [name for name in fields if name not in required]
    wanted = _listed(required) + (f", and optionally {_listed(optional)}" if optional else "")
    raise InputError(f"{path}, line 1: the header {said}; its columns must be {wanted}.")


def _listed(names: Sequence[str]) -> str:
    shown = [repr(name[:MAX_COLUMN]) for name in names[:MAX_COLUMNS]]
    return ", ".join(shown) + (" …" if len(names) > MAX_COLUMNS else "")
