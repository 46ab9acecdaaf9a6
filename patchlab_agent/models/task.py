"""What there is to say of a task folder before it is run."""

from __future__ import annotations

from pydantic import Field

from patchlab_agent.models.base import Frozen


class Finding(Frozen):
    """Something about a task's rows that its author should know.

    Example:
        >>> str(Finding(line=3, text="team: there is no team 'sales'", is_fatal=True))
        "line 3: team: there is no team 'sales'"
    """

    line: int | None = Field(default=None, description="of the rows' file, from 1; None: all of it")
    text: str
    is_fatal: bool = Field(description="the task cannot be run before it is mended")

    def __str__(self) -> str:
        return self.text if self.line is None else f"line {self.line}: {self.text}"


class TaskCheck(Frozen):
    """A task folder as it stands.

    Example:
        >>> found = check_task(draft_task("tickets"))
        >>> found.name, found.rows["golden"] > 0, found.can_run
        ('tickets', True, True)
    """

    name: str
    rows: dict[str, int] = Field(description="rows that can be used, by split")
    fields: tuple[str, ...] = Field(description="of an answer, each as it is compared")
    findings: tuple[Finding, ...]

    @property
    def can_run(self) -> bool:
        """True if nothing has to be mended first."""
        return not any(finding.is_fatal for finding in self.findings)
