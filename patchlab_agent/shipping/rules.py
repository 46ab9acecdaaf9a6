"""The closed union of fixes, and a rule book made of them.

The carrier's whole rule book, the part of it that a model knows from the start, and every lesson
are written in these same kinds, so one template renders them all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, TypeAdapter

from patchlab_agent.models.base import JsonObject, Quote
from patchlab_agent.models.patch import Fix
from patchlab_agent.plain import is_word, oddity
from patchlab_agent.shipping.schema import Answer, Declaration
from patchlab_agent.text import MAX_TRIGGER_CHARS, as_trigger, normalise


def _phrase(text: str) -> str:
    phrase = normalise(text)
    if as_trigger(text) is None or len(phrase) > MAX_TRIGGER_CHARS:
        raise ValueError("must be one to four words of at most 40 characters")
    if odd := oddity(phrase):
        raise ValueError(f"must be plain words: {odd}")
    return phrase


def _category(text: str) -> str:
    # The only free text of a rule that need not stand in the request beside it.
    if not is_word(text):
        raise ValueError("must be one plain word of at most 16 letters")
    return normalise(text)


Phrase = Annotated[str, AfterValidator(_phrase)]
Category = Annotated[str, AfterValidator(_category)]
Kilograms = Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]
CountryCode = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]


Slot = Literal["unit", "parcel", "destination", "item", "weight"]


class SubjectFix(Fix):
    """A fix of this skill, with what its tests and its worked example need to know of it."""

    @property
    def about(self) -> str:
        """The word or phrase that the fix speaks of."""
        name = next(name for name in self.subject_fields if name not in {"rule", "demand"})
        return str(getattr(self, name))

    @property
    def request_slot(self) -> Slot:
        """The part of a request that the fix speaks of."""
        raise NotImplementedError

    @property
    def claim(self) -> Quote:
        """What a quote must say once the fix is followed, whatever else is wrong with it."""
        raise NotImplementedError


class UnitFix(SubjectFix):
    """A unit with its factor."""

    subject_fields: ClassVar = ("unit",)
    decides: ClassVar = ("kg_per_unit", "weight_kg")
    kind: Literal["unit"] = "unit"
    unit: Phrase
    kg_per_unit: Kilograms

    @property
    def request_slot(self) -> Slot:
        """See the base class."""
        return "unit"

    @property
    def claim(self) -> Quote:
        """See the base class."""
        return {"kg_per_unit": self.kg_per_unit}


class ParcelFix(SubjectFix):
    """A parcel type with its limit in kg."""

    subject_fields: ClassVar = ("parcel",)
    decides: ClassVar = ("parcel", "parcel_limit_kg")
    kind: Literal["parcel"] = "parcel"
    parcel: Phrase
    limit_kg: Kilograms

    @property
    def request_slot(self) -> Slot:
        """See the base class."""
        return "parcel"

    @property
    def claim(self) -> Quote:
        """See the base class."""
        return {"parcel": self.parcel, "parcel_limit_kg": self.limit_kg}


class DestinationFix(SubjectFix):
    """A name for a country, which is given as ISO 3166-1 alpha-2, or EU."""

    subject_fields: ClassVar = ("alias",)
    decides: ClassVar = ("destination", "country")
    kind: Literal["destination"] = "destination"
    alias: Phrase
    country: CountryCode

    @property
    def request_slot(self) -> Slot:
        """See the base class."""
        return "destination"

    @property
    def claim(self) -> Quote:
        """See the base class."""
        return {"country": self.country}


class ItemFix(SubjectFix):
    """An item with its category."""

    subject_fields: ClassVar = ("item",)
    decides: ClassVar = ("item", "category")
    kind: Literal["item"] = "item"
    item: Phrase
    category: Category

    @property
    def request_slot(self) -> Slot:
        """See the base class."""
        return "item"

    @property
    def claim(self) -> Quote:
        """See the base class."""
        return {"item": self.item, "category": self.category}


Demand = Literal["prohibited", "hazmat", "fragile", "temperature", "insurance"]


class RestrictionFix(SubjectFix):
    """An item that is prohibited or must be declared."""

    subject_fields: ClassVar = ("item", "demand")
    decides: ClassVar = ("declarations", "prohibited", "refusal")
    kind: Literal["restriction"] = "restriction"
    item: Phrase
    demand: Demand

    @property
    def request_slot(self) -> Slot:
        """See the base class."""
        return "item"

    @property
    def claim(self) -> Quote:
        """See the base class."""
        return (
            {"refusal": "prohibited_item"}
            if self.demand == "prohibited"
            else {"declarations": [self.demand]}
        )


class EmbargoFix(SubjectFix):
    """A destination, as people write it, that is under embargo."""

    subject_fields: ClassVar = ("destination",)
    decides: ClassVar = ("embargo", "refusal")
    kind: Literal["embargo"] = "embargo"
    destination: Phrase

    @property
    def request_slot(self) -> Slot:
        """See the base class."""
        return "destination"

    @property
    def claim(self) -> Quote:
        """See the base class."""
        return {"refusal": "embargo_destination"}


class LiquidsFix(SubjectFix):
    """A parcel type that may carry liquids."""

    subject_fields: ClassVar = ("parcel",)
    decides: ClassVar = ("parcel_takes_liquids", "refusal")
    kind: Literal["liquids"] = "liquids"
    parcel: Phrase

    @property
    def request_slot(self) -> Slot:
        """See the base class."""
        return "parcel"

    @property
    def claim(self) -> Quote:
        """See the base class."""
        return {"parcel": self.parcel, "parcel_takes_liquids": True}


class RevokedFix(SubjectFix):
    """A rule that no longer holds for its subject: an item, a destination or a parcel."""

    subject_fields: ClassVar = ("rule", "subject")
    decides: ClassVar = ("prohibited", "parcel_takes_liquids", "embargo", "refusal")
    kind: Literal["revoked"] = "revoked"
    rule: Literal["prohibited", "embargo", "liquids"]
    subject: Phrase

    @property
    def request_slot(self) -> Slot:
        """See the base class."""
        slots: dict[str, Slot] = {
            "prohibited": "item",
            "embargo": "destination",
            "liquids": "parcel",
        }
        return slots[self.rule]

    @property
    def claim(self) -> Quote:
        """See the base class."""
        if self.rule == "liquids":
            return {"parcel": self.subject, "parcel_takes_liquids": False}
        return {"refusal": None}


class ExampleFix(SubjectFix):
    """A request with the right answer, for what no rule can say."""

    subject_fields: ClassVar = ("request",)
    is_rule: ClassVar = False
    decides: ClassVar = ("weight", "weight_kg")
    kind: Literal["example"] = "example"
    request: str = Field(min_length=1, max_length=200)
    answer: Answer

    @property
    def request_slot(self) -> Slot:
        """See the base class."""
        return "weight"

    @property
    def claim(self) -> Quote:
        """See the base class."""
        return {"weight": self.answer.weight}


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


def parse_fix(data: JsonObject) -> ShippingFix:
    """Build a fix from its JSON.

    Raises:
        ValueError: the data is no fix of the union.
    """
    return FIX.validate_python(data)


@dataclass
class RuleBook:
    """Rules made ready to look up; keys are normalised, later rules override earlier ones."""

    units: dict[str, float] = field(default_factory=dict)
    parcels: dict[str, float] = field(default_factory=dict)
    destinations: dict[str, str] = field(default_factory=dict)
    items: dict[str, str] = field(default_factory=dict)
    demands: dict[str, set[str]] = field(default_factory=dict)
    embargoes: set[str] = field(default_factory=set)
    liquids: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, fixes: Iterable[Fix]) -> RuleBook:
        """A book of these rules; examples are no rules and are passed over."""
        book = cls()
        for fix in fixes:
            book.add(fix)
        return book

    def copy(self) -> RuleBook:
        """A book of the same rules that can be added to on its own."""
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
        """Put a rule in."""
        match fix:
            case UnitFix():
                self.units[fix.unit] = fix.kg_per_unit
            case ParcelFix():
                self.parcels[fix.parcel] = fix.limit_kg
            case DestinationFix():
                self.destinations[fix.alias] = fix.country
            case ItemFix():
                self.items[fix.item] = fix.category
            case RestrictionFix():
                self.demands.setdefault(fix.item, set()).add(fix.demand)
            case EmbargoFix():
                self.embargoes.add(fix.destination)
            case LiquidsFix():
                self.liquids.add(fix.parcel)
            case RevokedFix():
                self._revoke(fix)

    def _revoke(self, fix: RevokedFix) -> None:
        match fix.rule:
            case "prohibited":
                self.demands.get(fix.subject, set()).discard("prohibited")
            case "embargo":
                self.embargoes.discard(fix.subject)
            case "liquids":
                self.liquids.discard(fix.subject)

    def declarations(self, item: str) -> tuple[Declaration, ...]:
        """What an item must be declared as, in the order of `Declaration`."""
        return tuple(d for d in Declaration if d.value in self.demands.get(item, ()))

    def prohibits(self, item: str) -> bool:
        """Whether an item may not be shipped at all."""
        return "prohibited" in self.demands.get(item, ())
