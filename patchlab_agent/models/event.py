"""What happens to patches and examples, one table for all rooms that tell of it."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from patchlab_agent.models.base import Frozen, JsonObject
from patchlab_agent.models.patch import Status


class EventKind(StrEnum):
    """What happened, with what it means.

    Attributes:
        becomes: the status that it leaves the patch in; None where that stays as it was.
        is_decision: it tells what became of a proposal.
        words: what people read.

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
    ACTIVE_ALREADY = "active_already", None, True, "active already"
    SUPERSEDED = "superseded", Status.RETIRED
    PROVEN = "proven"
    CONVICTED = "convicted", Status.QUARANTINED
    DISABLED = "disabled", Status.DISABLED
    RETIRED = "retired", Status.RETIRED
    WITHDRAWN = "withdrawn"
    NONE = "none", None, False, "no lesson"


class PatchEvent(Frozen):
    """The effect of a failure, or of a person, on a patch; or on an example, which is withdrawn.

    Example:
        >>> [str(event.kind) for event in lab.traces.get(0).events]
        ['activated']
    """

    kind: EventKind
    patch_id: str | None = None
    trigger: str | None = None
    fix: JsonObject | None = None
    created: bool = Field(default=False, description="the patch was not known before")
    example_id: str | None = Field(
        default=None, description="of an example that is withdrawn, the trace that it is of"
    )
    text: str = ""
