"""The closed union of fixes, and a rule book made of them.

The carrier's whole rule book, the part of it that a model knows from the start, and every lesson
use these same kinds, so one template renders them all.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, TypeAdapter

from patchlab_agent.models.base import JsonObject, Output
from patchlab_agent.models.patch import Fix, close
from patchlab_agent.plain import is_word, oddity
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
from patchlab_agent.shipping.schema import Answer, Declaration, Refusal
from patchlab_agent.text import MAX_TRIGGER_CHARS, as_trigger, normalise, occurs, words


def _phrase(text: str) -> str:
    phrase = normalise(text)
    if as_trigger(text) is None or len(phrase) > MAX_TRIGGER_CHARS:
        raise ValueError("must be one to four words of at most 40 characters")
    # The normal form has lost what is not displayed, such as the gap in `l\u200bb`.
    if odd := oddity(phrase) or oddity(" ".join(text.split())):
        raise ValueError(f"must be plain words: {odd}")
    return phrase


def _category(text: str) -> str:
    # The only free text of a rule that does not have to occur in the request.
    if not is_word(text):
        raise ValueError("must be one plain word of at most 16 letters")
    return normalise(text)


Phrase = Annotated[str, AfterValidator(_phrase)]
Category = Annotated[str, AfterValidator(_category)]
Kilograms = Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]
CountryCode = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]


RequestPart = Literal["unit", "parcel", "destination", "item", "weight"]


@dataclass(frozen=True)
class Asked:
    """A shipment as the sender means it, as far as rules concern it, and as worded.

    Attributes:
        item: the item.
        parcel: the parcel type.
        country: the country of destination.
        request: the sender's words.
    """

    item: str
    parcel: str
    country: str
    request: str


class SubjectFix(Fix):
    """A fix of this skill, which defines all that other modules need to know about its kind.

    A new kind needs a class here and in `ShippingFix`, a line in `rule.j2`, its columns in a
    table, and the sentence that the toy reads (`toy.prompt`).
    """

    def enter(self, book: RuleBook) -> None:
        """Add the rule to a book; an example adds nothing."""

    def concerns(self, asked: Asked) -> bool:  # noqa: ARG002 - an example concerns nothing
        """Return whether a right answer needs the rule."""
        return False

    @property
    def withdrawal(self) -> RevokedFix | None:
        """The fix that withdraws the rule; None if another rule overrides it instead."""
        return None

    @property
    def about_field(self) -> str:
        """Name of the field with the word or phrase that the fix is about."""
        return next(name for name in self.subject_fields if name not in {"rule", "demand"})

    @property
    def about(self) -> str:
        """The word or phrase that the fix is about."""
        return str(getattr(self, self.about_field))

    @property
    def request_part(self) -> RequestPart:
        """The part of a request that the fix is about."""
        raise NotImplementedError


class TableFix(SubjectFix):
    """A rule that the carrier may have from the start."""

    table: ClassVar[str]
    """The table in `fixtures/shipping/` that holds such rules."""

    @classmethod
    def of_row(cls, row: Mapping[str, str], prefix: str) -> Iterator[Self]:
        """Yield the rules that a row of the table states.

        Args:
            row: cells by column.
            prefix: of the columns: empty for the carrier's rules, `known_` for the starting ones.
        """
        raise NotImplementedError


class UnitFix(TableFix):
    """A unit with its factor."""

    subject_fields: ClassVar = ("unit",)
    table: ClassVar = "units"
    kind: Literal["unit"] = "unit"
    unit: Phrase
    kg_per_unit: Kilograms

    @property
    def request_part(self) -> RequestPart:
        """See the base class."""
        return "unit"

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
    table: ClassVar = "parcels"
    kind: Literal["parcel"] = "parcel"
    parcel: Phrase
    limit_kg: Kilograms

    @property
    def request_part(self) -> RequestPart:
        """See the base class."""
        return "parcel"

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
    table: ClassVar = "destinations"
    kind: Literal["destination"] = "destination"
    alias: Phrase
    country: CountryCode

    @property
    def request_part(self) -> RequestPart:
        """See the base class."""
        return "destination"

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
    table: ClassVar = "items"
    kind: Literal["item"] = "item"
    item: Phrase
    category: Category

    @property
    def request_part(self) -> RequestPart:
        """See the base class."""
        return "item"

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
    table: ClassVar = "items"
    kind: Literal["restriction"] = "restriction"
    item: Phrase
    demand: Demand

    @property
    def request_part(self) -> RequestPart:
        """See the base class."""
        return "item"

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
    table: ClassVar = "destinations"
    kind: Literal["embargo"] = "embargo"
    destination: Phrase

    @property
    def request_part(self) -> RequestPart:
        """See the base class."""
        return "destination"

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
    table: ClassVar = "parcels"
    kind: Literal["liquids"] = "liquids"
    parcel: Phrase

    @property
    def request_part(self) -> RequestPart:
        """See the base class."""
        return "parcel"

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
    is_rule: ClassVar = False
    kind: Literal["example"] = "example"
    request: str = Field(min_length=1, max_length=200)
    answer: Answer

    @property
    def request_part(self) -> RequestPart:
        """See the base class."""
        return "weight"

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


@dataclass
class RuleBook:
    """Rules indexed for lookup; keys are normalised, later rules override earlier ones."""

    units: dict[str, float] = field(default_factory=dict)
    parcels: dict[str, float] = field(default_factory=dict)
    destinations: dict[str, str] = field(default_factory=dict)
    items: dict[str, str] = field(default_factory=dict)
    demands: dict[str, set[str]] = field(default_factory=dict)
    embargoes: set[str] = field(default_factory=set)
    liquids: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, fixes: Iterable[Fix]) -> RuleBook:
        """Make a book of these rules; examples are not rules and are skipped."""
        book = cls()
        for fix in fixes:
            book.add(fix)
        return book

    def copy(self) -> RuleBook:
        """Return an independent copy of the book."""
        demands = {item: set(found) for item, found in self.demands.items()}
        return RuleBook(
            dict(self.units),
            dict(self.parcels),
            dict(self.destinations),
            dict(self.items),
            demands,
            set(self.embargoes),
            set(self.liquids),
        )

    def add(self, fix: Fix) -> None:
        """Add a rule."""
        if isinstance(fix, SubjectFix):
            fix.enter(self)

    def declarations(self, item: str) -> tuple[Declaration, ...]:
        """Return the declarations that an item requires, in the order of `Declaration`."""
        demanded = self.demands.get(item)
        return tuple(d for d in Declaration if d in demanded) if demanded else ()

    def prohibits(self, item: str) -> bool:
        """Return whether an item may not be shipped at all."""
        return "prohibited" in self.demands.get(item, ())
