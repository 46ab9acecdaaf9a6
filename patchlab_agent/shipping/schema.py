"""The form of a model's answer, and the quote that code computes from it.

The model extracts and looks up; it never calculates. It names each thing as the request writes it,
and next to it what the rules in its prompt say of that thing, or null if they say nothing. It also
names what a rule forbids, so that code can check whether the request is about that.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Any

from pydantic import ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

from patchlab_agent.models.base import Frozen
from patchlab_agent.shipping.countries import code_of
from patchlab_agent.skill.answers import read_object
from patchlab_agent.text import occurs


class Declaration(StrEnum):
    """What a parcel can be declared as."""

    HAZMAT = "hazmat"
    FRAGILE = "fragile"
    TEMPERATURE = "temperature"
    INSURANCE = "insurance"


class Refusal(StrEnum):
    """A reason not to quote a shipment."""

    PROHIBITED = "prohibited_item"
    EMBARGO = "embargo_destination"
    LIQUID = "liquid_restricted"
    OVERWEIGHT = "overweight_parcel"


LIQUID = "liquid"
"""The category that only certain parcels accept."""

MAX_TEXT = 80
Text = Annotated[str, Field(max_length=MAX_TEXT)]

NO_VALUE = frozenset(["", "null", "none", "nil", "n/a", "undefined", "unknown", "-", "–", "—", "?"])
"""Texts that models write in place of null; `na` is no such text, as it is Namibia's code."""
_PLAIN_NUMBER = re.compile(r"[+-]?\d{1,40}(?:\.\d{1,40})?", re.ASCII)


def number_or_text(value: Any) -> Any:
    """Return what a number may be made of: a number, or one in quotation marks.

    Raises:
        PydanticCustomError: it is a truth value, or a text that is no plain decimal.
    """
    is_text = isinstance(value, str) and not _PLAIN_NUMBER.fullmatch(value.strip())
    if isinstance(value, bool) or is_text:
        raise PydanticCustomError("number", "Input should be a number, such as 2.5")
    return value


def has_value(text: str) -> bool:
    """Return whether a text names something, rather than saying that there is nothing."""
    return text.strip().casefold() not in NO_VALUE


class Answer(Frozen):
    """What the model is asked for."""

    model_config = ConfigDict(title="shipping answer")

    weight: float | None = Field(
        gt=0, le=1e9, allow_inf_nan=False, description="number in front of the unit, as written"
    )
    unit: Text | None = Field(description="unit of the weight, as written")
    kg_per_unit: float | None = Field(
        gt=0, le=1e6, allow_inf_nan=False, description="kilograms in one unit, from the rules"
    )
    item: Text | None = Field(description="what is shipped, as written")
    category: Text | None = Field(description="the item's category, from the rules")
    prohibited: Text | None = Field(description="what a rule prohibits, as the request writes it")
    parcel: Text | None = Field(description="the parcel, as written")
    parcel_limit_kg: float | None = Field(
        gt=0, le=1e6, allow_inf_nan=False, description="what the parcel holds, from the rules"
    )
    parcel_takes_liquids: bool = Field(
        strict=True, description="whether the rules say it may carry liquids"
    )
    destination: Text | None = Field(description="where to, as written")
    country: Text | None = Field(description="the destination's country code, from the rules")
    embargo: Text | None = Field(
        description="the place that a rule puts under embargo, as the request writes it"
    )
    declarations: tuple[Declaration, ...] = Field(
        max_length=len(Declaration),
        description="what the rules say the item must be declared as, and what the sender asks for",
    )

    @field_validator("weight", "kg_per_unit", "parcel_limit_kg", mode="before")
    @classmethod
    def _is_number(cls, value: Any) -> Any:
        return number_or_text(value) if has_value(str(value)) else None

    @field_validator(
        *("unit", "item", "category", "prohibited", "parcel", "destination", "country", "embargo"),
        mode="before",
    )
    @classmethod
    def _is_something(cls, value: Any) -> Any:
        return None if isinstance(value, str) and not has_value(value) else value

    @field_validator("country")
    @classmethod
    def _is_code(cls, value: str | None) -> str | None:
        # A country that is not known by its code is not known to the tariff either.
        return None if value is None else code_of(value)


class ShippingQuote(Frozen):
    """The structured answer: the model's reading, with what code computed and decided."""

    weight: float | None
    unit: str | None
    kg_per_unit: float | None
    weight_kg: float | None = Field(description="kilograms")
    item: str | None
    category: str | None
    prohibited: str | None = Field(description="what a rule prohibits, shipped or only mentioned")
    parcel: str | None
    parcel_limit_kg: float | None
    parcel_takes_liquids: bool
    destination: str | None
    country: str | None
    embargo: str | None = Field(
        description="the place under embargo, whether the destination or only mentioned"
    )
    declarations: tuple[Declaration, ...]
    refusal: Refusal | None = Field(description="why there is no quote, or null")
    price_eur: float | None = Field(description="euros; null when refused or not computable")


CLAIMS = (
    *("weight", "unit", "kg_per_unit", "weight_kg", "item", "category", "parcel"),
    *("parcel_limit_kg", "parcel_takes_liquids", "country", "declarations", "refusal"),
)
"""The claims of a quote with a price."""
PRICED_BY = (
    *("weight", "unit", "kg_per_unit", "item", "category"),
    *("parcel", "parcel_limit_kg", "destination", "country"),
)
"""The parts of an answer that must be known before there is a price."""
GROUNDS: dict[Refusal, tuple[str, ...]] = {
    Refusal.PROHIBITED: ("item", "prohibited"),
    Refusal.EMBARGO: ("embargo",),
    Refusal.LIQUID: ("item", "category", "parcel", "parcel_takes_liquids"),
    Refusal.OVERWEIGHT: (),
}
"""The claims of a refusal besides its reason; overweight states neither weight nor limit."""


def parse_answer(text: str) -> Answer:
    """Read a model's answer.

    Raises:
        InvalidAnswer: the text contains no answer of the right form.
    """
    return read_object(text, Answer)


def weight_kg(answer: Answer) -> float | None:
    """Return the weight in kg; None if the model left out a factor."""
    if answer.weight is None or answer.kg_per_unit is None:
        return None
    return answer.weight * answer.kg_per_unit


def refusal(answer: Answer, kg: float | None) -> Refusal | None:
    """Return the refusal that the answer's own facts require, or None.

    A rule about something that the request only mentions (`no lighter inside`, `from Syria`) is not
    a reason: the prohibited item must be the one shipped, the embargo on the destination.
    """
    if _names(answer.prohibited, answer.item):
        return Refusal.PROHIBITED
    if _names(answer.embargo, answer.destination):
        return Refusal.EMBARGO
    if answer.category == LIQUID and answer.parcel is not None and not answer.parcel_takes_liquids:
        return Refusal.LIQUID
    if kg is not None and answer.parcel_limit_kg is not None and kg > answer.parcel_limit_kg:
        return Refusal.OVERWEIGHT
    return None


def _names(told: str | None, thing: str | None) -> bool:
    return told is not None and thing is not None and occurs(told, thing)
