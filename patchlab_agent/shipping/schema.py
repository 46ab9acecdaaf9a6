"""The form of a model's answer, and the quote that code computes from it.

The model extracts and looks up; it never calculates. It names each thing as the request writes it,
and next to it what the rules in its prompt say of that thing, or null if they say nothing. It also
names what a rule forbids, so that code can check whether the request is about that.
"""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated, TypeVar

from pydantic import ConfigDict, Field, JsonValue, ValidationError

from patchlab_agent.errors import InvalidAnswer
from patchlab_agent.models.base import Frozen
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

Form = TypeVar("Form", bound=Frozen)

MAX_TEXT = 80
Text = Annotated[str, Field(max_length=MAX_TEXT)]


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
    parcel_takes_liquids: bool = Field(description="whether the rules say it may carry liquids")
    destination: Text | None = Field(description="where to, as written")
    country: Text | None = Field(description="the destination's country code, from the rules")
    embargo: Text | None = Field(
        description="the place that a rule puts under embargo, as the request writes it"
    )
    declarations: tuple[Declaration, ...] = Field(
        max_length=len(Declaration),
        description="what the rules say the item must be declared as, and what the sender asks for",
    )


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
    return parse_object(text, Answer)


def parse_object(text: str, kind: type[Form]) -> Form:
    """Read the JSON object in a completion, which may be in a fenced block or amid prose.

    If several have the requested form, the last one counts: a model may think first.

    Raises:
        InvalidAnswer: there is no such object, or it does not have the requested form.
    """
    objects, broken = _objects(text)
    refused: ValidationError | None = None
    for value in reversed(objects):
        try:
            return kind.model_validate(value)
        except ValidationError as error:
            refused = refused or error
    if refused is not None:
        first = refused.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "answer"
        raise InvalidAnswer(f"{where}: {first['msg']}") from refused
    if broken is not None:
        raise InvalidAnswer(f"the answer is no valid JSON: {broken}") from broken
    raise InvalidAnswer("the answer holds no JSON object")


def _objects(text: str) -> tuple[list[JsonValue], Exception | None]:
    """Return the outermost JSON objects in a text, and the error in the first invalid one."""
    decoder = json.JSONDecoder()
    objects: list[JsonValue] = []
    broken: Exception | None = None
    position = text.find("{")
    while position != -1:
        try:
            value, position = decoder.raw_decode(text, position)
        except json.JSONDecodeError as error:
            broken = broken or error
            # Skip what was already read of a broken object.
            position = max(position + 1, error.pos)
        except (ValueError, RecursionError) as error:
            return objects, error
        else:
            objects.append(value)
        position = text.find("{", position)
    return objects, broken


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
