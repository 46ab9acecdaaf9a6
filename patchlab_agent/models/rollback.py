"""The changes that a rollback made to a store."""

from __future__ import annotations

from pydantic import Field

from patchlab_agent.models.base import Frozen
from patchlab_agent.models.patch import Status


class PutBack(Frozen):
    """A patch that a rollback changed."""

    patch_id: str
    trigger: str
    teaches: str
    before: Status | None = Field(
        description="its status before the rollback; None: it had been deleted from outside"
    )
    after: Status = Field(description="its status since")
    is_later: bool = Field(description="that run's store did not contain it, so it was retired")
    changed: tuple[str, ...] = Field(
        description="parts of the patch that were restored: status, gate, record, tests, …"
    )


class RollbackReport(Frozen):
    """The changes of a rollback; whatever was already as it should be is only counted.

    Example:
        report = lab.patches.rollback(1)
        for put_back in report.patches:
            print(put_back.trigger, put_back.before, put_back.after)
    """

    run: str = Field(description="the run whose final state was restored")
    patches: tuple[PutBack, ...] = Field(description="in the order in which they were changed")
    unchanged: int = Field(description="patches that were already as they should be")
    examples_removed: int = Field(description="examples that prompts no longer show")
    examples_restored: int = Field(description="examples that prompts show again")
    examples_reset: int = Field(description="examples of which only the evidence was restored")
    examples: int = Field(description="examples that prompts may show now")

    @property
    def is_empty(self) -> bool:
        """True if there was nothing to do."""
        changed = (self.examples_removed, self.examples_restored, self.examples_reset)
        return not self.patches and not any(changed)
