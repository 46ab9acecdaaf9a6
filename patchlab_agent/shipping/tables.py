"""The tables of `fixtures/shipping/`: what the carrier holds true, and what a model knows of it.

Each table's plain columns are the carrier's; its `known_` columns are what stands in the prompt
from the start. An empty `known_` cell is unknown; one that differs is knowledge out of date.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from patchlab_agent.models.patch import Fix
from patchlab_agent.resources import resource
from patchlab_agent.shipping.rules import (
    DestinationFix,
    EmbargoFix,
    ItemFix,
    LiquidsFix,
    ParcelFix,
    RestrictionFix,
    UnitFix,
)

Row = dict[str, str]


@cache
def rows(table: str) -> tuple[Row, ...]:
    """The rows of `fixtures/shipping/<table>.csv`, all cells as text."""
    path = resource("fixtures", "shipping", f"{table}.csv")
    with path.open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


@dataclass(frozen=True)
class Choices:
    """Values with their relative frequencies, for drawing."""

    values: tuple[Row, ...]
    weights: tuple[float, ...]

    @classmethod
    def of(cls, table: str) -> Choices:
        """All rows of a table, weighted by its `frequency` column."""
        found = rows(table)
        return cls(found, tuple(float(row["frequency"]) for row in found))


def carrier_rules() -> list[Fix]:
    """The carrier's whole rule book."""
    return list(_rules(""))


def known_rules() -> list[Fix]:
    """The part of it that every prompt holds from the start, errors included."""
    return list(_rules("known_"))


def _rules(prefix: str) -> Iterator[Fix]:
    for table, read in _READERS.items():
        for row in rows(table):
            yield from read(row, prefix)


def _unit(row: Row, prefix: str) -> Iterator[Fix]:
    if factor := row[f"{prefix}kg_per_unit"]:
        yield UnitFix(unit=row["unit"], kg_per_unit=float(factor))


def _parcel(row: Row, prefix: str) -> Iterator[Fix]:
    if limit := row[f"{prefix}limit_kg"]:
        yield ParcelFix(parcel=row["parcel"], limit_kg=float(limit))
    if row[f"{prefix}liquids"] == "yes":
        yield LiquidsFix(parcel=row["parcel"])


def _destination(row: Row, prefix: str) -> Iterator[Fix]:
    if country := row[f"{prefix}country"]:
        yield DestinationFix(alias=row["alias"], country=country)
    if row[f"{prefix}embargo"] == "yes":
        yield EmbargoFix(destination=row["alias"])


def _item(row: Row, prefix: str) -> Iterator[Fix]:
    if category := row[f"{prefix}category"]:
        yield ItemFix(item=row["item"], category=category)
    for demand in filter(None, row[f"{prefix}demands"].split(";")):
        yield RestrictionFix.model_validate({"item": row["item"], "demand": demand})


_READERS = {"units": _unit, "parcels": _parcel, "destinations": _destination, "items": _item}
