"""What speaks for or against a patch, as a person reads it."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table

from patchlab_agent.models.evidence import GateReport, Pairs, Record
from patchlab_agent.models.patch import Patch
from patchlab_agent.report import format as fmt


def status_of(patch: Patch) -> str:
    """Say where a patch stands and, if it is active, how well it is proven."""
    return f"{patch.status}, {patch.standing}" if patch.standing else str(patch.status)


def evidence(record: Record) -> str:
    """Sum up a record: `5 requests turned right, 0 wrong (+++++)`; nothing for an empty one."""
    if not record.outcomes:
        return fmt.NOTHING
    mended = fmt.several(record.mended, "request", "requests")
    return f"{mended} turned right, {fmt.count(record.broken)} wrong ({record.outcomes})"


def pairs(pairs: Pairs) -> str:
    """Sum up pairs of uses: `4 right only with it, 1 only without it (++-++)`."""
    if not pairs.signs:
        return "no pair of uses tells yet"
    gained, lost = fmt.count(pairs.gained), fmt.count(pairs.lost)
    return f"pairs of uses: {gained} right only with it, {lost} only without it ({pairs.signs})"


def gate_tables(gate: GateReport) -> RenderableType:
    """Show a gate's decision: what each source said of the patch, and request by request."""
    if not gate.results:
        return _requests(gate)
    return Group(_requests(gate), _sources(gate))


def _sources(gate: GateReport) -> Table:
    table = Table(title="In all", title_justify="left")
    table.add_column("who tells", overflow="fold")
    for column in ("requests", "mended", "broken", "failed", "answers"):
        table.add_column(column, justify="right", no_wrap=True)
    for count in gate.counts():
        figures = (count.requests, count.mended, count.broken, count.failed, count.answers)
        table.add_row(str(count.source), *map(fmt.count, figures))
    return table


def _requests(gate: GateReport) -> Table:
    table = Table(
        title=fmt.literal(
            f"Gate: {gate.decision}: {'; '.join(reason.text for reason in gate.reasons)}"
        ),
        title_justify="left",
        caption=(
            f"{gate.suite_touched} of {gate.suite_size} labeled cases hold the trigger; "
            f"{gate.calls} answers. Obedience and unconcerned are claims of the patch, "
            "no evidence that it is true."
        ),
        caption_justify="left",
    )
    for column in ("who tells", "request", "outcome", "right with", "pairs", "gained", "lost"):
        table.add_column(column, overflow="fold")
    for result in gate.results:
        table.add_row(
            str(result.source),
            fmt.literal(result.request),
            fmt.literal(" ".join(filter(None, [result.outcome, result.complaint]))),
            share(result.right_with, result.draws),
            *map(str, (result.pairs, result.gained, result.lost)),
        )
    return table


def share(right: int, draws: int) -> str:
    """Right answers of all: `4/5`; nothing of nothing."""
    return f"{right}/{draws}" if draws else fmt.NOTHING
