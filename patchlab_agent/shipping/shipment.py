"""The truth behind a request, in the carrier's own terms."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from patchlab_agent.models.base import Frozen
from patchlab_agent.shipping.countries import CountryCode
from patchlab_agent.shipping.fix import Phrase
from patchlab_agent.shipping.schema import Declaration, has_value, number_or_text


def _something(name: str) -> str:
    if not has_value(name):
        raise ValueError(f"{name!r} names nothing; give the carrier's name")
    return name


Name = Annotated[Phrase, AfterValidator(_something)]


class Shipment(Frozen):
    """A shipment as the sender means it."""

    weight_kg: Annotated[float, BeforeValidator(number_or_text)] = Field(
        gt=0, le=1e6, allow_inf_nan=False, description="kilograms"
    )
    item: Name = Field(description="the carrier's name for the item")
    parcel: Name = Field(description="the carrier's name for the parcel type")
    country: CountryCode
    services: tuple[Declaration, ...] = Field(
        default=(), description="what the sender asks for, regardless of the item"
    )
