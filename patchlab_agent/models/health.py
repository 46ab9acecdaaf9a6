"""What `doctor` finds."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field, computed_field

from patchlab_agent.models.base import Frozen


class Verdict(StrEnum):
    """How one check came out."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


class Check(Frozen):
    """One thing that was looked at."""

    name: str
    status: Verdict = Verdict.OK
    found: str
    remedy: str = Field(default="", description="what to do about it; empty where nothing is wrong")


class Health(Frozen):
    """All that was looked at."""

    checks: tuple[Check, ...]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def ok(self) -> bool:
        """Whether nothing failed; warnings are no failures."""
        return all(check.status is not Verdict.FAILED for check in self.checks)
