"""The findings of `doctor`."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field, computed_field

from patchlab_agent.models.base import Frozen


class CheckStatus(StrEnum):
    """The result of one check."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


class Check(Frozen):
    """One check and its finding."""

    name: str
    status: CheckStatus = CheckStatus.OK
    found: str
    remedy: str = Field(default="", description="what to do about it; empty if nothing is wrong")


class Health(Frozen):
    """All checks."""

    checks: tuple[Check, ...]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def ok(self) -> bool:
        """True if nothing failed; warnings do not count as failures."""
        return all(check.status is not CheckStatus.FAILED for check in self.checks)
