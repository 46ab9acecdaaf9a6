"""Drift: rules that change while a product runs, one of each kind, chosen at random."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from patchlab_agent.models.patch import Fix
from patchlab_agent.shipping.rules import (
    DestinationFix,
    EmbargoFix,
    ItemFix,
    ParcelFix,
    UnitFix,
)
from patchlab_agent.shipping.schema import LIQUID
from patchlab_agent.shipping.tables import rows

FREQUENT = 3.0
"""Minimum frequency of a row to change, so that the change shows soon enough."""
NEW_FACTOR = 1.25
NEW_LIMIT = 0.5
PLAIN_UNITS = ("kg", "g", "kilo", "kgs")
"""Units that are never redefined."""


@dataclass(frozen=True)
class Drift:
    """A change of the carrier's rules.

    Attributes:
        rules: the carrier's whole rule book from now on.
        changes: what is new in it, one sentence each.
        unit: the redefined unit.
        ratio: its new factor divided by its old one.
    """

    rules: tuple[Fix, ...]
    changes: tuple[str, ...]
    unit: str
    ratio: float


def drift(rules: Sequence[Fix], rng: random.Random) -> Drift:
    """Lift an embargo, impose one, change a limit, redefine a unit, and move an item's category.

    Args:
        rules: the carrier's current rules.
        rng: chooses what changes.
    """
    countries = {rule.alias: rule.country for rule in rules if isinstance(rule, DestinationFix)}
    banned = sorted({countries[r.destination] for r in rules if isinstance(r, EmbargoFix)})
    lifted = rng.choice(banned)
    open_ones = _frequent("destinations", "country", without=[*banned, "US", "EU"])
    imposed = rng.choice(open_ones)
    unit = rng.choice(_frequent("units", "unit", without=PLAIN_UNITS))
    parcel = rng.choice(_frequent("parcels", "parcel", without=["box"]))
    item = rng.choice(_frequent("items", "item"))
    categories = sorted({row["category"] for row in rows("items")} - {LIQUID})
    changed: list[Fix] = []
    for rule in rules:
        match rule:
            case EmbargoFix() if countries[rule.destination] == lifted:
                continue
            case UnitFix() if rule.unit == unit:
                changed.append(UnitFix(unit=unit, kg_per_unit=rule.kg_per_unit * NEW_FACTOR))
            case ParcelFix() if rule.parcel == parcel:
                changed.append(ParcelFix(parcel=parcel, limit_kg=rule.limit_kg * NEW_LIMIT))
            case ItemFix() if rule.item == item:
                other = rng.choice([each for each in categories if each != rule.category])
                changed.append(ItemFix(item=item, category=other))
            case _:
                changed.append(rule)
    changed += [EmbargoFix(destination=a) for a, c in countries.items() if c == imposed]
    changes = (
        f"the embargo on {lifted} is lifted",
        f"{imposed} is under embargo",
        f"{parcel} holds {NEW_LIMIT:.0%} of what it held",
        f"{unit} is {NEW_FACTOR:.0%} of what it was",
        f"{item} is of another category",
    )
    return Drift(tuple(changed), changes, unit, NEW_FACTOR)


def _frequent(table: str, column: str, *, without: Iterable[str] = ()) -> list[str]:
    found = {row[column] for row in rows(table) if float(row["frequency"]) >= FREQUENT}
    return sorted(found.difference(without))
