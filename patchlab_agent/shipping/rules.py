"""The closed union of fixes.

The carrier's whole rule book, the part of it that a model knows from the start, and every lesson
use these same kinds, so one template renders them all.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, TypeAdapter

from patchlab_agent.models.base import JsonObject, Output
from patchlab_agent.models.patch import close
from patchlab_agent.shipping.claims import (
    declares,
    denied,
    number_of,
    place_in,
    refuses,
    same_name,
    ships,
    speaks_of,
)
from patchlab_agent.shipping.fix import (
    Asked,
    Category,
    CountryCode,
    Kilograms,
    Phrase,
    RequestPart,
    SubjectFix,
    TableFix,
)
from patchlab_agent.shipping.rule_book import RuleBook
from patchlab_agent.shipping.schema import Answer, Refusal
from patchlab_agent.text import occurs, words


class UnitFix(TableFix):
    """A unit with its factor."""

    subject_fields: ClassVar = ("unit",)
    part: ClassVar = "unit"
    table: ClassVar = "units"
    kind: Literal["unit"] = "unit"
    unit: Phrase
    kg_per_unit: Kilograms

    @classmethod
    def of_row(cls, row: Mapping[str, str], prefix: str) -> Iterator[Self]:
        """See the base class."""
        if factor := row[f"{prefix}kg_per_unit"]:
            yield cls(unit=row["unit"], kg_per_unit=float(factor))

    def enter(self, book: RuleBook) -> None:
        """See the base class."""
        book.units[self.unit] = self.kg_per_unit

    def concerns(self, asked: Asked) -> bool:
        """See the base class."""
        return self.unit in words(asked.request)

    def holds_in(self, quote: Output) -> bool | None:
        """See the base class."""
        if not speaks_of(quote, "unit", self.unit, "kg_per_unit"):
            return None
        return close(self.kg_per_unit, number_of(quote.get("kg_per_unit")))


class ParcelFix(TableFix):
    """A parcel type with its limit in kg."""

    subject_fields: ClassVar = ("parcel",)
    part: ClassVar = "parcel"
    table: ClassVar = "parcels"
    kind: Literal["parcel"] = "parcel"
    parcel: Phrase
    limit_kg: Kilograms

    @classmethod
    def of_row(cls, row: Mapping[str, str], prefix: str) -> Iterator[Self]:
        """See the base class."""
        if limit := row[f"{prefix}limit_kg"]:
            yield cls(parcel=row["parcel"], limit_kg=float(limit))

    def enter(self, book: RuleBook) -> None:
        """See the base class."""
        book.parcels[self.parcel] = self.limit_kg

    def concerns(self, asked: Asked) -> bool:
        """See the base class."""
        return self.parcel == asked.parcel

    def holds_in(self, quote: Output) -> bool | None:
        """See the base class."""
        if not speaks_of(quote, "parcel", self.parcel, "parcel_limit_kg"):
            return None
        return close(self.limit_kg, number_of(quote.get("parcel_limit_kg")))


class DestinationFix(TableFix):
    """A name for a country, which is given as ISO 3166-1 alpha-2, or EU."""

    subject_fields: ClassVar = ("alias",)
    part: ClassVar = "destination"
    table: ClassVar = "destinations"
    kind: Literal["destination"] = "destination"
    alias: Phrase
    country: CountryCode

    @classmethod
    def of_row(cls, row: Mapping[str, str], prefix: str) -> Iterator[Self]:
        """See the base class."""
        if country := row[f"{prefix}country"]:
            yield cls(alias=row["alias"], country=country)

    def enter(self, book: RuleBook) -> None:
        """See the base class."""
        book.destinations[self.alias] = self.country

    def concerns(self, asked: Asked) -> bool:
        """See the base class."""
        return self.country == asked.country and occurs(self.alias, asked.request)

    def holds_in(self, quote: Output) -> bool | None:
        """See the base class."""
        # Labels contain only the country, not the request's name for it.
        if not same_name(self.alias, quote.get("destination", self.alias)):
            return None
        return None if "country" not in quote else quote["country"] == self.country


class ItemFix(TableFix):
    """An item with its category."""

    subject_fields: ClassVar = ("item",)
    part: ClassVar = "item"
    table: ClassVar = "items"
    kind: Literal["item"] = "item"
    item: Phrase
    category: Category

    @classmethod
    def of_row(cls, row: Mapping[str, str], prefix: str) -> Iterator[Self]:
        """See the base class."""
        if category := row[f"{prefix}category"]:
            yield cls(item=row["item"], category=category)

    def enter(self, book: RuleBook) -> None:
        """See the base class."""
        book.items[self.item] = self.category

    def concerns(self, asked: Asked) -> bool:
        """See the base class."""
        return self.item == asked.item

    def holds_in(self, quote: Output) -> bool | None:
        """See the base class."""
        if not speaks_of(quote, "item", self.item, "category"):
            return None
        return same_name(self.category, quote.get("category"))


Demand = Literal["prohibited", "hazmat", "fragile", "temperature", "insurance"]


class RestrictionFix(TableFix):
    """An item that is prohibited or must be declared."""

    subject_fields: ClassVar = ("item", "demand")
    part: ClassVar = "item"
    table: ClassVar = "items"
    kind: Literal["restriction"] = "restriction"
    item: Phrase
    demand: Demand

    @classmethod
    def of_row(cls, row: Mapping[str, str], prefix: str) -> Iterator[Self]:
        """See the base class."""
        for demand in filter(None, row[f"{prefix}demands"].split(";")):
            yield cls.model_validate({"item": row["item"], "demand": demand})

    def enter(self, book: RuleBook) -> None:
        """See the base class."""
        book.demands.setdefault(self.item, set()).add(self.demand)

    def concerns(self, asked: Asked) -> bool:
        """See the base class."""
        return self.item == asked.item

    @property
    def withdrawal(self) -> RevokedFix:
        """See the base class."""
        return RevokedFix(rule=self.demand, subject=self.item)

    def holds_in(self, quote: Output) -> bool | None:
        """See the base class."""
        if not ships(quote, self.item, self.demand):
            return None
        if self.demand == "prohibited":
            return refuses(quote, Refusal.PROHIBITED)
        return declares(quote, self.demand)


class EmbargoFix(TableFix):
    """A destination, as people write it, that is under embargo."""

    subject_fields: ClassVar = ("destination",)
    part: ClassVar = "destination"
    table: ClassVar = "destinations"
    kind: Literal["embargo"] = "embargo"
    destination: Phrase

    @classmethod
    def of_row(cls, row: Mapping[str, str], prefix: str) -> Iterator[Self]:
        """See the base class."""
        if row[f"{prefix}embargo"] == "yes":
            yield cls(destination=row["alias"])

    def enter(self, book: RuleBook) -> None:
        """See the base class."""
        book.embargoes.add(self.destination)

    def concerns(self, asked: Asked) -> bool:
        """See the base class."""
        return occurs(self.destination, asked.request)

    @property
    def withdrawal(self) -> RevokedFix:
        """See the base class."""
        return RevokedFix(rule="embargo", subject=self.destination)

    def holds_in(self, quote: Output) -> bool | None:
        """See the base class."""
        if not same_name(self.destination, place_in(quote, self.destination)):
            return None
        return refuses(quote, Refusal.EMBARGO)


class LiquidsFix(TableFix):
    """A parcel type that may carry liquids."""

    subject_fields: ClassVar = ("parcel",)
    part: ClassVar = "parcel"
    table: ClassVar = "parcels"
    kind: Literal["liquids"] = "liquids"
    parcel: Phrase

    @classmethod
    def of_row(cls, row: Mapping[str, str], prefix: str) -> Iterator[Self]:
        """See the base class."""
        if row[f"{prefix}liquids"] == "yes":
            yield cls(parcel=row["parcel"])

    def enter(self, book: RuleBook) -> None:
        """See the base class."""
        book.liquids.add(self.parcel)

    def concerns(self, asked: Asked) -> bool:
        """See the base class."""
        return self.parcel == asked.parcel

    @property
    def withdrawal(self) -> RevokedFix:
        """See the base class."""
        return RevokedFix(rule="liquids", subject=self.parcel)

    def holds_in(self, quote: Output) -> bool | None:
        """See the base class."""
        if not speaks_of(quote, "parcel", self.parcel, "parcel_takes_liquids"):
            return None
        return quote["parcel_takes_liquids"] is True


class RevokedFix(SubjectFix):
    """A rule that no longer holds for its subject: an item, a destination or a parcel.

    Of a demand (`prohibited`, or what is to be declared) the subject is the item.
    """

    subject_fields: ClassVar = ("rule", "subject")
    kind: Literal["revoked"] = "revoked"
    rule: Literal[Demand, "embargo", "liquids"]
    subject: Phrase

    @property
    def request_part(self) -> RequestPart:
        """See the base class."""
        slots: dict[str, RequestPart] = {"embargo": "destination", "liquids": "parcel"}
        return slots.get(self.rule, "item")

    def enter(self, book: RuleBook) -> None:
        """See the base class."""
        match self.rule:
            case "embargo":
                book.embargoes.discard(self.subject)
            case "liquids":
                book.liquids.discard(self.subject)
            case demand:
                book.demands.get(self.subject, set()).discard(demand)

    def concerns(self, asked: Asked) -> bool:
        """See the base class."""
        return occurs(self.subject, asked.request)

    @property
    def conflict_key(self) -> tuple[str, ...]:
        """The conflict key of the rule that it withdraws."""
        if self.rule in ("embargo", "liquids"):
            return (self.rule, self.subject)
        return ("restriction", self.subject, self.rule)

    def holds_in(self, quote: Output) -> bool | None:
        """See the base class."""
        if not self._is_spoken_of(quote):
            return None
        match self.rule:
            case "liquids":
                takes = quote.get("parcel_takes_liquids")
                return None if takes is None else takes is False
            case "prohibited":
                return denied(refuses(quote, Refusal.PROHIBITED))
            case "embargo":
                return denied(refuses(quote, Refusal.EMBARGO))
        return denied(declares(quote, self.rule))

    def _is_spoken_of(self, quote: Output) -> bool:
        match self.rule:
            case "liquids":
                return same_name(self.subject, quote.get("parcel"))
            case "embargo":
                return same_name(self.subject, place_in(quote, self.subject))
        return ships(quote, self.subject, self.rule)


class ExampleFix(SubjectFix):
    """A request with the right answer, for what no rule can say."""

    subject_fields: ClassVar = ("request",)
    part: ClassVar = "weight"
    is_rule: ClassVar = False
    kind: Literal["example"] = "example"
    request: str = Field(min_length=1, max_length=200)
    answer: Answer

    def holds_in(self, quote: Output) -> bool | None:
        """See the base class."""
        # Labels do not contain the number as written.
        return (
            close(self.answer.weight or math.nan, number_of(quote["weight"]))
            if "weight" in quote
            else None
        )


ShippingFix = Annotated[
    UnitFix
    | ParcelFix
    | DestinationFix
    | ItemFix
    | RestrictionFix
    | EmbargoFix
    | LiquidsFix
    | RevokedFix
    | ExampleFix,
    Field(discriminator="kind"),
]
FIX: TypeAdapter[ShippingFix] = TypeAdapter(ShippingFix)


def kinds_of(table: str) -> tuple[type[TableFix], ...]:
    """Return the kinds of rules in a table, in the order in which its rows state them."""
    return tuple(kind for kind in TableFix.__subclasses__() if kind.table == table)


def parse_fix(data: JsonObject) -> ShippingFix:
    """Build a fix from its JSON.

    Raises:
        ValueError: the data is not a fix of the union.
    """
    return FIX.validate_python(data)
