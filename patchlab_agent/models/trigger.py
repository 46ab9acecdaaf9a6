"""What a lesson concerns: requests with a phrase, requests like those that failed, or all of them.

A plain text is a phrase. It occurs in a request, or does not; so do the others, in their way.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Discriminator, Field, Tag

from patchlab_agent.models.base import Frozen, JsonObject, Said

MAX_ANCHORS = 4
"""Requests that others can be similar to."""
MAX_ANCHOR_CHARS = 50_000
"""Characters of such a request."""
_EDGE = 1e-6
"""Largest distance of a text to itself, as vectors are rounded."""
_SHOWN = 32
"""Characters of a request by which people tell a trigger."""


class Similar(Frozen):
    """Requests that are near enough to those whose failures taught the lesson.

    Example:
        >>> str(Similar(requests=("my invoice is wrong",)))
        '(like "my invoice is wrong")'
    """

    kind: Literal["similar"] = "similar"
    requests: tuple[Annotated[Said, Field(min_length=1, max_length=MAX_ANCHOR_CHARS)], ...] = Field(
        min_length=1, max_length=MAX_ANCHORS, description="those that others are compared with"
    )
    radius: float = Field(
        default=0.0,
        ge=0,
        le=2,
        description="cosine distance up to which another one is near enough; the gate decides it",
    )

    def reaches(self, distance: float) -> bool:
        """Return whether a request at this distance is near enough."""
        return distance <= self.radius + _EDGE

    def __str__(self) -> str:
        first = " ".join(self.requests[0].split())
        shown = first if len(first) <= _SHOWN else f"{first[: _SHOWN - 1]}…"
        more = f" and {len(self.requests) - 1} more" if len(self.requests) > 1 else ""
        return f'(like "{shown}"{more})'


class Always(Frozen):
    """Every request.

    Example:
        >>> str(Always())
        '(always)'
    """

    kind: Literal["always"] = "always"

    def __str__(self) -> str:
        return "(always)"


def _kind(value: Any) -> str:
    kind = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", "phrase")
    return kind if kind in ("similar", "always") else "phrase"


Trigger: TypeAlias = Annotated[
    Annotated[str, Tag("phrase")]
    | Annotated[Similar, Tag("similar")]
    | Annotated[Always, Tag("always")],
    Discriminator(_kind),
]


def identity(trigger: Trigger) -> str | JsonObject:
    """Return the JSON that tells a trigger from others: how far it reaches is found out later."""
    if isinstance(trigger, str):
        return trigger
    return trigger.model_dump(mode="json", exclude={"radius"})
