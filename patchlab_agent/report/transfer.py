"""Imports, and the differences between two collections of patches, for a terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from patchlab_agent.models.transfer import (
    DiffSide,
    FeedbackImport,
    ImportReport,
    PatchDiff,
    TaughtOutcome,
)
from patchlab_agent.report import format as fmt
from patchlab_agent.report.inspect import SHORT_ID

_OUTCOMES = {
    "activated": "active here: the gate let them in",
    "quarantined": "quarantined here: the gate kept them out",
    "as_it_was": "imported as they were, without the gate",
    "known": "already known here, and left unchanged",
}
_TAUGHT: dict[TaughtOutcome, str] = {
    "learned": "taught a lesson that is active now",
    "quarantined": "brought a lesson that the gate keeps out",
    "known": "known already: from before, or by an active lesson",
    "accepted": "said that the answer is right",
    "nothing": "held nothing to learn",
    "held_out": "left out, as golden cases are",
    "untried": "to be learned from",
}
_KINDS = {
    "only_in_a": "only in A",
    "only_in_b": "only in B",
    "status": "different status",
    "fix": "different fix",
}


def render_import(report: ImportReport) -> RenderableType:
    """Render one line per patch that is new here, and the count of each outcome."""
    table = _table("id", "was", "outcome", "teaches", "why")
    for patch in report.patches:
        if patch.outcome != "known":
            taken = "".join(f"; replaces {old[:SHORT_ID]}" for old in patch.superseded)
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
    counts = fmt.literal("\n".join(told) or f"{report.source} contains no patch.")
    return Group(table, counts) if table.row_count else counts


def render_feedback_import(report: FeedbackImport) -> RenderableType:
    """Render one line per row that says something new, and the count of each outcome."""
    table = _table("line", "request", "feedback", "outcome", "teaches", "why")
    for row in report.rows:
        if row.outcome not in ("known", "accepted"):
            table.add_row(
                str(row.line),
                fmt.literal(fmt.brief(" ".join(row.request.split()))),
                fmt.literal(fmt.brief(str(row.feedback))),
                row.outcome.replace("_", " "),
                fmt.literal(row.teaches or fmt.NOTHING),
                fmt.literal(row.text or fmt.NOTHING),
            )
    told = [
        f"{report.count(outcome)} {text}"
        for outcome, text in _TAUGHT.items()
        if report.count(outcome)
    ]
    counts = fmt.literal("\n".join(told))
    return Group(table, counts) if table.row_count else counts


def render_diff(diff: PatchDiff) -> RenderableType:
    """Render one line per difference."""
    counts = fmt.literal(
        f"A is {diff.a}, B is {diff.b}: "
        f"{fmt.several(len(diff.differences), 'difference', 'differences')}, "
        f"{fmt.several(diff.equal, 'patch', 'patches')} identical in both."
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
