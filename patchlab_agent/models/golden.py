"""The answers to golden cases, as a store keeps them next to a run's report."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from patchlab_agent.models.base import Frozen
from patchlab_agent.models.trace import Trace

Verdict = Literal["right", "missed", "uncalled for", "another value"]
"""What an answer did about one label: nothing wrong; it overlooked what was there; it found what
was not there; it found another value than the one that was there."""


class Mistake(Frozen):
    """A label that at least one of a case's answers got wrong."""

    label: str
    baseline: Verdict
    patched: Verdict


class GoldenAnswer(Frozen):
    """A golden case as it was answered, without patches and with them."""

    trace: Trace = Field(description="its index is the case's place in the set, from 1")
    mistakes: tuple[Mistake, ...] = Field(description="in the order of the labels")
