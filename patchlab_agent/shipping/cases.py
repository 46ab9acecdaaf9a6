"""Labeled cases in files: the held-out ones of `fixtures/`, and a user's own."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from pydantic import ConfigDict, Field

from patchlab_agent.errors import InputError
from patchlab_agent.models.case import Case
from patchlab_agent.resources import resource
from patchlab_agent.shipping.numbers import MAX_CHARS, number
from patchlab_agent.shipping.shipment import Shipment
from patchlab_agent.skill.authoring import (
    LabeledRow,
    checked_row,
    checked_rows,
    is_csv,
    labeled_rows,
)

_PLAIN = re.compile(r"\s*-?[0-9]{1,20}(?:\.[0-9]{1,20})?\s*")


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


@cache
def shipped_cases(name: str) -> tuple[Case, ...]:
    """Return the cases of `fixtures/shipping/<name>.jsonl`, in file order."""
    return tuple(
        labeled.case()
        for _, labeled in read_labeled(resource("fixtures", "shipping", f"{name}.jsonl"))
    )


def read_labeled(path: Path) -> list[tuple[int, LabeledRequest]]:
    """Read the labeled requests of a JSONL or CSV file, each with its line number.

    CSV needs a header; `services` contains declarations separated by semicolons. A weight may be
    written in any way that can be read in one way only; a single dot is the decimal mark.

    Raises:
        InputError: the file cannot be read or a line cannot be used; the message names all lines.
    """

    def labeled(row: LabeledRow) -> LabeledRequest:
        data = dict(row.data)
        if is_csv(path) and "services" in data:
            data["services"] = [name for name in data["services"].split(";") if name]
        if is_csv(path) and "weight_kg" in data:
            data["weight_kg"] = _weight(data["weight_kg"])
        return checked_row(LabeledRequest, data)

    return checked_rows(path, labeled_rows(path, LabeledRequest), labeled)


def _weight(cell: str) -> str | float:
    if _PLAIN.fullmatch(cell):
        return cell
    weight = number(cell)
    if weight is None:
        raise InputError(
            f"weight_kg: {cell[:MAX_CHARS]!r} cannot be read as one number; "
            "write it like 1500 or 1.5"
        )
    return weight
