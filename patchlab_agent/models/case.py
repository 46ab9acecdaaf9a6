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


class CaseSets(Frozen):
    """The cases of a run: its requests in order, and the labeled cases that it is held against.

    Attributes:
        stream: the requests of the run.
        golden: all held-out cases, of which a run is measured on as many as it asks for.
        regression: the cases that the gate replays.
    """

    stream: tuple[Case, ...] = ()
    golden: tuple[Case, ...] = ()
    regression: tuple[Case, ...] = ()


def case_key(request: str) -> str:
    """Return a request's words, case and spacing aside; equal keys mean the same case."""
    return " ".join(folded(request).split())
