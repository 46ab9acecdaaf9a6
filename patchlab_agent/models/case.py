"""A labeled request, whose truth only the oracle may see."""

from __future__ import annotations

from pydantic import Field

from patchlab_agent.models.base import Frozen, JsonObject, folded


class Case(Frozen):
    """A request with its truth.

    Example:
        >>> case = Case(request="Ship 2 kg books box to US", truth={"item": "books"})
    """

    request: str = Field(min_length=1)
    truth: JsonObject = Field(description="what the sender means, in the skill's own form")
    stratum: str = Field(default="", description="what the case is meant to test")


def case_key(request: str) -> str:
    """Return a request's words, case and spacing aside; equal keys mean the same case."""
    return " ".join(folded(request).split())
