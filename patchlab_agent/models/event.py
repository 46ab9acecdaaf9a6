"""The events of patches and examples, in one table for all code that reports them."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from patchlab_agent.models.base import Frozen, JsonObject
from patchlab_agent.models.patch import Status


class EventKind(StrEnum):
    """A kind of event, with its meaning.

    Attributes:
        becomes: the status that it leaves the patch in; None if that does not change.
        is_decision: True if it says what became of a proposal.
        words: the name that people read.

    Example:
        >>> EventKind("regated").becomes, EventKind("regated").words
        (<Status.QUARANTINED: 'quarantined'>, 'quarantined again')
    """

    becomes: Status | None
    is_decision: bool
    words: str

    def __new__(
        cls,
        value: str,
        becomes: Status | None = None,
        is_decision: bool = False,
        words: str = "",
    ) -> EventKind:
        """Make a kind from its row of the table."""
        kind = str.__new__(cls, value)
        kind._value_ = value
        kind.becomes = becomes
        kind.is_decision = is_decision
        kind.words = words or value
        return kind

    ACTIVATED = "activated", Status.ACTIVE, True
    QUARANTINED = "quarantined", Status.QUARANTINED, True
    REGATED = "regated", Status.QUARANTINED, True, "quarantined again"
    KNOWN = "known", None, True
    ACTIVE_ALREADY = "active_already", None, True, "already active"
    SUPERSEDED = "superseded", Status.RETIRED
    PROVEN = "proven"
    CONVICTED = "convicted", Status.QUARANTINED
    DISABLED = "disabled", Status.DISABLED
    RETIRED = "retired", Status.RETIRED
    WITHDRAWN = "withdrawn"
    NONE = "none", None, False, "no lesson"


class PatchEvent(Frozen):
    """A change that a failure or a person made to a patch, or the withdrawal of an example.

    Example:
        >>> [str(event.kind) for event in lab.traces.get(0).events]
        ['activated']
    """

    kind: EventKind
    patch_id: str | None = None
    trigger: str | None = None
    fix: JsonObject | None = None
    created: bool = Field(default=False, description="the patch was new")
    example_id: str | None = Field(
        default=None, description="id of the trace that a withdrawn example comes from"
    )
    text: str = ""
