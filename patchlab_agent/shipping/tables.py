"""The tables of `fixtures/shipping/`: the carrier's rules, and what a model knows of them.

The plain columns of a table are the carrier's; its `known_` columns are in the prompt from the
start. An empty `known_` cell is unknown; one that differs is outdated knowledge.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache

from patchlab_agent.models.patch import Fix
from patchlab_agent.resources import resource
from patchlab_agent.shipping.rules import kinds_of

Row = dict[str, str]
TABLES = ("units", "parcels", "destinations", "items")
"""The tables that hold rules, in the order in which prompts state them."""


@cache
def rows(table: str) -> tuple[Row, ...]:
    """Return the rows of `fixtures/shipping/<table>.csv`, all cells as text."""
    path = resource("fixtures", "shipping", f"{table}.csv")
    with path.open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


@dataclass(frozen=True)
class Choices:
    """Values with their relative frequencies, for sampling."""

    values: tuple[Row, ...]
    weights: tuple[float, ...]

    @classmethod
    def of(cls, table: str) -> Choices:
        """Return all rows of a table, weighted by its `frequency` column."""
        found = rows(table)
        return cls(found, tuple(float(row["frequency"]) for row in found))


def carrier_rules() -> list[Fix]:
    """Return the carrier's whole rule book."""
    return list(_rules(""))


def known_rules() -> list[Fix]:
    """Return the part of the rule book in every prompt from the start, errors included."""
    return list(_rules("known_"))


@cache
def _rules(prefix: str) -> tuple[Fix, ...]:
    return tuple(
        fix
        for table in TABLES
        for row in rows(table)
        for kind in kinds_of(table)
        for fix in kind.of_row(row, prefix)
    )
