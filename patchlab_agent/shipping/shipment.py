"""The truth behind a request, in the carrier's own terms."""

from __future__ import annotations

from pydantic import Field

from patchlab_agent.models.base import Frozen
from patchlab_agent.shipping.rules import CountryCode, Phrase
from patchlab_agent.shipping.schema import Declaration


class Shipment(Frozen):
    """A shipment as the sender means it."""

    weight_kg: float = Field(gt=0, le=1e6, allow_inf_nan=False, description="kilograms")
    item: Phrase = Field(description="the carrier's name for the item")
    parcel: Phrase = Field(description="the carrier's name for the parcel type")
    country: CountryCode
    services: tuple[Declaration, ...] = Field(
        default=(), description="what the sender asks for, regardless of the item"
    )
