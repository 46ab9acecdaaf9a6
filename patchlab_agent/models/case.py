"""A labeled request; the truth in it is for the oracle's eyes only."""

from __future__ import annotations

from pydantic import Field

from patchlab_agent.models.base import Frozen, JsonObject


class Case(Frozen):
    """A request together with its truth.

    Example:
        >>> case = Case(request="Ship 2 kg books box to US", truth={"item": "books"})
    """

    request: str = Field(min_length=1)
    truth: JsonObject = Field(description="the shipment as the sender means it; the skill's form")
    stratum: str = Field(default="", description="what the case is there to test")


def case_key(request: str) -> str:
    """What makes two requests the same case: their words, whatever case or spacing."""
    return " ".join(request.casefold().split())
