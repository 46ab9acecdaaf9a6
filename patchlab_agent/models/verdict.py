"""What an answer comes to, for people and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from patchlab_agent.models.base import Frozen


class Verdict(Frozen):
    """What an answer comes to, in words and in parts.

    Example:
        >>> verdict = lab.answer("Ship 2 kg books box").verdict
        >>> verdict.outcome, verdict.missing
        ('incomplete', ('destination',))
    """

    outcome: Literal["answered", "refused", "incomplete", "unusable"] = Field(
        description="unusable: the model's answer could not be read, so there is no output"
    )
    text: str = Field(description="one or two sentences")
    missing: tuple[str, ...] = Field(
        default=(), description="what the request does not say, or the model did not find in it"
    )
    unknown: dict[str, str] = Field(
        default={}, description="what no rule knows: the part, and what the answer has there"
    )
    unexplained: tuple[str, ...] = Field(
        default=(), description="words of the request that nothing in the answer accounts for"
    )


def listing(parts: Sequence[str]) -> str:
    """Join parts as a sentence does: `a`, `a and b`, `a, b and c`."""
    *before, last = parts
    return f"{', '.join(before)} and {last}" if before else last
