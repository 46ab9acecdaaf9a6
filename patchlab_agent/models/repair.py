"""What a repair of a store changed."""

from __future__ import annotations

from pydantic import Field

from patchlab_agent.models.base import Frozen


class RepairReport(Frozen):
    """What a repair of a store changed, a sentence for each record.

    Example:
        >>> lab.close()
        >>> repair_store(".patchlab").changes
        ()
    """

    patches: tuple[str, ...] = Field(description="patches that named a trace that is not theirs")
    traces: tuple[str, ...] = Field(description="traces that named missing patches or examples")
    examples: tuple[str, ...] = Field(description="examples without their trace, deleted")

    @property
    def changes(self) -> tuple[str, ...]:
        """All that was changed."""
        return (*self.patches, *self.traces, *self.examples)
