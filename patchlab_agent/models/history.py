"""The changes of many patches as one history."""

from __future__ import annotations

import heapq
from collections.abc import Iterable

from pydantic import Field

from patchlab_agent.models.base import Frozen
from patchlab_agent.models.patch import Patch, Status


class Change(Frozen):
    """One event in a patch's life, with the patch that it belongs to.

    Example:
        >>> [(change.trigger, str(change.status)) for change in lab.patches.history()]
        [('bleach', 'active')]
    """

    at: str = Field(description="ISO 8601 time")
    patch_id: str
    trigger: str
    status: Status = Field(description="what the patch became, or stayed")
    cause: str
    trace_id: str = Field(description="the trace whose feedback caused it; empty: a person did")


def changes_of(patches: Iterable[Patch]) -> list[Change]:
    """Return every change of these patches in time order.

    Times have a resolution of one second; changes within a second are ordered by their traces.
    Those of one patch always keep the order of its own history.
    """
    histories = [
        [
            Change(
                at=change.at,
                patch_id=patch.id,
                trigger=patch.trigger_text,
                status=change.status,
                cause=change.cause,
                trace_id=change.trace_id,
            )
            for change in patch.history
        ]
        for patch in patches
    ]
    return list(heapq.merge(*histories, key=lambda change: (change.at, change.trace_id)))
