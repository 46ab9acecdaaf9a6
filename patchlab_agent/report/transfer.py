"""What an import did, and what two collections of patches differ in, for a terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from patchlab_agent.models.transfer import DiffSide, ImportReport, PatchDiff
from patchlab_agent.report import format as fmt
from patchlab_agent.report.inspect import SHORT_ID

_OUTCOMES = {
    "activated": "active here: the gate let them in",
    "quarantined": "quarantined here: the gate kept them out",
    "as_it_was": "taken over as they were, ungated",
    "known": "known here already, and left alone",
}
_KINDS = {
    "only_in_a": "only in A",
    "only_in_b": "only in B",
    "status": "other status",
    "fix": "other fix",
}


def render_import(report: ImportReport) -> RenderableType:
    """A line for each patch that is new here, and how many came out how."""
    table = _table("id", "was", "outcome", "teaches", "why")
    for patch in report.patches:
        if patch.outcome != "known":
            taken = "".join(f"; in place of {old[:SHORT_ID]}" for old in patch.superseded)
            table.add_row(
                patch.patch_id[:SHORT_ID],
                str(patch.was),
                patch.outcome.replace("_", " "),
                fmt.literal(patch.teaches),
                fmt.literal((patch.text or fmt.NOTHING) + taken),
            )
    told = [
        f"{report.count(outcome)} {text}"
        for outcome, text in _OUTCOMES.items()
        if report.count(outcome)
    ]
    counts = fmt.literal("\n".join(told) or f"{report.source} holds no patch.")
    return Group(table, counts) if table.row_count else counts


def render_diff(diff: PatchDiff) -> RenderableType:
    """A line for each difference."""
    counts = fmt.literal(
        f"A is {diff.a}, B is {diff.b}: "
        f"{fmt.several(len(diff.differences), 'difference', 'differences')}, "
        f"{fmt.several(diff.equal, 'patch', 'patches')} alike in both."
    )
    if not diff.differences:
        return counts
    table = _table("difference", "in A", "in B")
    for each in diff.differences:
        table.add_row(_KINDS[each.kind], *map(_side, (each.a, each.b)))
    return Group(table, counts)


def _side(side: DiffSide | None) -> Text:
    shown = fmt.NOTHING if side is None else f"{side.id[:SHORT_ID]} {side.status}: {side.teaches}"
    return fmt.literal(shown)


def _table(*columns: str) -> Table:
    table = Table()
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
