"""The changes of a rollback, for people to read."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table

from patchlab_agent.models.rollback import PutBack, RollbackReport
from patchlab_agent.report import format as fmt
from patchlab_agent.report.inspect import SHORT_ID


def render(report: RollbackReport) -> RenderableType:
    """Render a table of the patches that changed, and one sentence that sums it up."""
    if report.is_empty:
        return fmt.literal(f"The store is as it was at the end of {report.run}: nothing to do.")
    reset = f", {fmt.count(report.examples_reset)} reset" if report.examples_reset else ""
    told = (
        f"Rolled back to {report.run}: {fmt.several(len(report.patches), 'patch', 'patches')} "
        f"changed, {fmt.count(report.unchanged)} unchanged; "
        f"{fmt.several(report.examples_removed, 'example', 'examples')} removed, "
        f"{fmt.count(report.examples_restored)} restored{reset}, "
        f"{fmt.count(report.examples)} in use."
    )
    return Group(_table(report), fmt.literal(told)) if report.patches else fmt.literal(told)


def _table(report: RollbackReport) -> Table:
    table = Table()
    for column in ("id", "teaches", "before", "after", "why"):
        table.add_column(column, overflow="fold")
    for patch in report.patches:
        table.add_row(
            patch.patch_id[:SHORT_ID],
            fmt.literal(fmt.brief(patch.teaches)),
            fmt.NOTHING if patch.before is None else str(patch.before),
            str(patch.after),
            _why(patch),
        )
    return table


def _why(patch: PutBack) -> str:
    if patch.is_later:
        return "created later"
    if patch.before is None:
        return "had been deleted"
    return f"differed in {', '.join(name.replace('_', ' ') for name in patch.changed)}"
