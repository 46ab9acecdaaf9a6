"""An example as a store keeps it: with the evidence from its uses."""

from __future__ import annotations

from pydantic import Field

from patchlab_agent.models.evidence import Record
from patchlab_agent.models.trace import Example


class StoredExample(Example):
    """An example with its evidence.

    Its record is always on trial: a gain is shared by all examples that were shown, so no number
    of gains proves any one of them.
    """

    record: Record = Field(default=Record(), description="its uses, as far as they are evidence")
    withdrawn: str = Field(
        default="", description="why prompts no longer show it; empty while they may"
    )

    @property
    def shown(self) -> Example:
        """The example as a prompt shows it."""
        return Example(id=self.id, request=self.request, answer=self.answer)
