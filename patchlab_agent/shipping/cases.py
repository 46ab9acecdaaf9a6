"""Labeled cases in files: the held-out ones of `fixtures/`, and a user's own."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, Field, ValidationError

from patchlab_agent.errors import InputError
from patchlab_agent.models.base import Frozen
from patchlab_agent.models.case import Case
from patchlab_agent.resources import resource
from patchlab_agent.shipping.shipment import Shipment
from patchlab_agent.text import check_request


class LabeledRequest(Shipment):
    """One line of a cases file: a request, and the shipment that it means."""

    model_config = ConfigDict(title="labeled request")

    request: str
    stratum: str = Field(default="", max_length=40)

    @property
    def shipment(self) -> Shipment:
        """The truth without the request."""
        return Shipment.model_validate(self.model_dump(exclude={"request", "stratum"}))

    def case(self) -> Case:
        """Return the line as a case."""
        truth = self.shipment.model_dump(mode="json")
        return Case(request=self.request, truth=truth, stratum=self.stratum)


class _Line(Frozen):
    number: int
    data: dict[str, Any]


@cache
def shipped_cases(name: str) -> tuple[Case, ...]:
    """Return the cases of `fixtures/shipping/<name>.jsonl`, in file order."""
    return tuple(
        labeled.case()
        for _, labeled in read_labeled(resource("fixtures", "shipping", f"{name}.jsonl"))
    )


def read_labeled(path: Path) -> list[tuple[int, LabeledRequest]]:
    """Read the labeled requests of a JSONL or CSV file, each with its line number.

    CSV needs a header; `services` contains declarations separated by semicolons.

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
    lines = _csv_lines(path, text) if path.suffix.lower() == ".csv" else _json_lines(path, text)
    found = [(line.number, _labeled(path, line)) for line in lines]
    if not found:
        raise InputError(f"{path} contains no request; give one labeled request per line.")
    return found


def _json_lines(path: Path, text: str) -> Iterator[_Line]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            data = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}, line {number}: not valid JSON ({error}); fix it.") from error
        if not isinstance(data, dict):
            raise InputError(f"{path}, line {number}: not a JSON object; write one per line.")
        yield _Line(number=number, data=data)


def _csv_lines(path: Path, text: str) -> Iterator[_Line]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        for row in reader:
            if None in row or None in row.values():
                raise InputError(
                    f"{path}, line {reader.line_num}: expected {len(reader.fieldnames or ())} "
                    "cells, as in the header; fix it."
                )
            data: dict[str, Any] = dict(row)
            if "services" in data:
                data["services"] = [name for name in data["services"].split(";") if name]
            yield _Line(number=reader.line_num, data=data)
    except csv.Error as error:
        number = reader.reader.line_num
        raise InputError(f"{path}, line {number}: not valid CSV ({error}); fix it.") from error


def _labeled(path: Path, line: _Line) -> LabeledRequest:
    try:
        labeled = LabeledRequest.model_validate(line.data)
        check_request(labeled.request)
    except InputError as error:
        raise InputError(f"{path}, line {line.number}: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "line"
        raise InputError(f"{path}, line {line.number}: {where}: {first['msg']}; fix it.") from error
    return labeled
