"""The evidence for or against a patch, for people to read."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table

from patchlab_agent.models.evidence import GateReport, Pairs, Record, Tested
from patchlab_agent.models.patch import Patch
from patchlab_agent.report import format as fmt


def status_of(patch: Patch) -> str:
    """Return the status of a patch and, if it is active, how well it is proven."""
    return f"{patch.status}, {patch.standing}" if patch.standing else str(patch.status)


def evidence(record: Record) -> str:
    """Sum up a record: `5 requests turned right, 0 wrong (+++++)`; a dash for an empty one."""
    if not record.outcomes:
        return fmt.NOTHING
    mended = fmt.several(record.mended, "request", "requests")
    gained, lost = record.in_words
    return f"{mended} {gained}, {fmt.count(record.broken)} {lost} ({record.outcomes})"


def pairs(pairs: Pairs) -> str:
    """Sum up pairs of uses: `4 right only with it, 1 only without it (++-++)`."""
    if not pairs.signs:
        return "no decisive pair of uses yet"
    gained, lost = fmt.count(pairs.gained), fmt.count(pairs.lost)
    if pairs.in_part:
        return f"pairs of uses: {gained} better with it, {lost} without it ({pairs.signs})"
    return f"pairs of uses: {gained} right only with it, {lost} only without it ({pairs.signs})"


def gate_tables(gate: GateReport) -> RenderableType:
    """Render a gate's decision, request by request and in total for each source."""
    if not gate.results:
        return _requests(gate)
    return Group(_requests(gate), _sources(gate))


def _sources(gate: GateReport) -> Table:
    table = Table(title="Totals", title_justify="left")
    table.add_column("source", overflow="fold")
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
            f"{gate.suite_touched} of {gate.suite_size} labeled cases contain the trigger; "
            f"{gate.calls} answers. Obedience and unconcerned are claims of the patch, "
            "not evidence that it is true."
        ),
        caption_justify="left",
    )
    for column in ("source", "request", "outcome", "right with", "pairs", "gained", "lost"):
        table.add_column(column, overflow="fold")
    if gate.is_graded:
        table.add_column("score", overflow="fold")
    for result in gate.results:
        table.add_row(
            str(result.source),
            fmt.literal(fmt.shortened(result.request)),
            fmt.literal(" ".join(filter(None, [result.outcome, result.complaint]))),
            share(result.right_with, result.draws),
            *map(str, (result.pairs, result.gained, result.lost)),
            *([scores(result)] if gate.is_graded else []),
        )
    return table


def scores(result: Tested) -> str:
    """Return the mean scores without and with the patch: `0.50 → 0.75`; a dash if unknown."""
    if result.scores is None:
        return fmt.NOTHING
    without, with_it = map(fmt.score, result.scores)
    return f"{without} → {with_it}"


def share(right: int, draws: int) -> str:
    """Format right answers out of all: `4/5`; a dash if there are none."""
    return f"{right}/{draws}" if draws else fmt.NOTHING
