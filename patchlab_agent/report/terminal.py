"""A run's report as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from patchlab_agent.models.report import (
    Comparison,
    FailureCluster,
    GoldenReport,
    PatchSummary,
    RunReport,
    Score,
)
from patchlab_agent.report import format as fmt

BAR_WIDTH = 30


def render(report: RunReport, *, unicode: bool = True) -> RenderableType:
    """Everything that a run shows, from the answer down to its cost."""
    return Group(*_parts(report, unicode))


def _parts(report: RunReport, unicode: bool) -> Iterator[RenderableType]:
    yield _headline(report)
    yield _comparisons(report)
    if report.curve:
        yield _curve(report, unicode)
    if report.clusters:
        yield _clusters(report.clusters)
    yield _patches(report.patches)
    if report.patches.most_useful:
        yield _most_useful(report.patches)
    if report.golden is not None:
        yield _labels(report.golden)
    if report.highlights:
        yield _highlights(report)
    yield _cost(report)


def _table(title: str, *columns: str, left: int = 1, caption: str | None = None) -> Table:
    """A table whose first `left` columns hold text and the others figures."""
    table = Table(title=title, caption=caption, title_justify="left", caption_justify="left")
    for position, column in enumerate(columns):
        if position == 0:
            table.add_column(column, no_wrap=True, overflow="ellipsis")
        elif position < left:
            table.add_column(column, overflow="fold")
        else:
            table.add_column(column, justify="right", no_wrap=True)
    return table


def _headline(report: RunReport) -> Panel:
    start = (
        f"It continues with {report.continued_from} active patches that were learned before."
        if report.continued_from
        else "It starts with nothing learned."
    )
    lines = [
        f"{report.run}: {fmt.count(report.runs)} requests, {report.backend}, store {report.store}",
        start,
    ]
    if report.stopped:
        lines.append(f"It ended early: {report.stopped} What was learned is kept.")
    lines.append(_verdict(report))
    return Panel(Text("\n".join(lines)), title="PatchLab", title_align="left")


def _verdict(report: RunReport) -> str:
    recent = report.recent
    if recent.difference.mean is None:
        return "No request was run."
    closed = ""
    if recent.gap_closed is not None:
        closed = f", {fmt.percent(recent.gap_closed)} of the way to perfect context"
    return (
        f"In the last {recent.cases} runs patches took success from "
        f"{fmt.percent(recent.baseline.rate)} to {fmt.percent(recent.patched.rate)}{closed}."
    )


def _comparisons(report: RunReport) -> Table:
    table = _table(
        "Success: the same requests, the same noise, with and without what was learned",
        *("cases", "n", "baseline", "patched", "ceiling", "patched - baseline", "gap closed"),
        caption="In brackets: the 95 % interval of the paired difference (Newcombe).",
    )
    rows = [("all runs", report.overall), (f"last {report.recent.cases}", report.recent)]
    if golden := report.golden:
        rows += [
            ("golden set", golden.all),
            ("  covered by a patch", golden.covered),
            ("  known from the start", golden.known),
            ("  taught by nothing", golden.untaught),
        ]
    for name, comparison in rows:
        table.add_row(name, *_compared(comparison))
    return table


def _compared(comparison: Comparison) -> tuple[str, ...]:
    return (
        fmt.count(comparison.cases),
        fmt.percent(comparison.baseline.rate),
        fmt.percent(comparison.patched.rate),
        fmt.percent(comparison.ceiling.rate),
        fmt.difference(comparison.difference),
        fmt.percent(comparison.gap_closed),
    )


def _curve(report: RunReport, unicode: bool) -> Table:
    marks = "█ baseline  ▒ won by patches  │ ceiling" if unicode else "# baseline  + won  | ceiling"
    table = _table(
        "Learning curve", "runs", marks, "baseline", "patched", "ceiling", "active", left=2
    )
    for point in report.curve:
        table.add_row(
            f"{point.first}–{point.last}",
            fmt.bar(point.baseline, point.patched, point.ceiling, BAR_WIDTH, unicode),
            fmt.percent(point.baseline),
            fmt.percent(point.patched),
            fmt.percent(point.ceiling),
            fmt.count(point.active),
        )
    return table


def _clusters(clusters: tuple[FailureCluster, ...]) -> Table:
    table = _table(
        "Failures by label",
        "label",
        "first such request",
        *("baseline", "patched", "share", "first", "last", "to patch", "to last"),
        left=2,
        caption="first, last: run numbers; to patch, to last: runs from the first failure.",
    )
    for cluster in clusters:
        table.add_row(
            cluster.label,
            Text(_shortened(cluster.example)),
            fmt.count(cluster.baseline),
            fmt.count(cluster.patched),
            fmt.percent(cluster.share),
            fmt.count(cluster.first_seen),
            fmt.count(cluster.last_seen),
            fmt.count(cluster.runs_to_patch),
            fmt.count(cluster.runs_to_last),
        )
    return table


def _shortened(text: str, longest: int = 44) -> str:
    line = " ".join(text.split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def _patches(patches: PatchSummary) -> Table:
    table = Table(title="Patches", title_justify="left", show_header=False)
    table.add_column(overflow="fold")
    table.add_column(overflow="fold")
    table.add_row("created", f"{patches.created} of {patches.proposed} proposals")
    table.add_row("activated", f"{patches.activated}  {_listed(patches.kinds)}")
    table.add_row("quarantined", f"{patches.quarantined}")
    table.add_row("retired", f"{patches.retired}")
    table.add_row("known already", f"{patches.known}")
    table.add_row("failures without a lesson", f"{patches.without_lesson}")
    table.add_row("store", f"{patches.active_in_store} active of {patches.total_in_store}")
    table.add_row("in quarantine because", _listed(patches.quarantine_reasons))
    return table


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {number}" for name, number in counts.items()) or fmt.NOTHING


def _most_useful(patches: PatchSummary) -> Table:
    table = _table(
        "Most useful patches",
        "patch",
        "teaches",
        "uses",
        "saves",
        "harms",
        left=2,
        caption="saves, harms: requests that came out right, or wrong, only with patches.",
    )
    for use in patches.most_useful:
        table.add_row(
            use.id[:8], Text(_shortened(use.teaches)), *map(str, (use.uses, use.saves, use.harms))
        )
    return table


def _labels(golden: GoldenReport) -> Table:
    table = _table(
        "Golden set by label: baseline → patched",
        *("label", "support", "precision", "recall", "F1"),
        caption="Golden cases are held out from the stream and from the gate.",
    )
    for label in golden.labels:
        table.add_row(
            label.label,
            fmt.count(label.support),
            *(_before_after(label.baseline, label.patched, name) for name in _SCORES),
        )
    return table


_SCORES = ("precision", "recall", "f1")


def _before_after(before: Score, after: Score, name: str) -> str:
    return f"{fmt.score(getattr(before, name))} → {fmt.score(getattr(after, name))}"


def _highlights(report: RunReport) -> Table:
    table = _table(
        "The latest requests to which patches made a difference",
        *("run", "request", "baseline", "patched", "applied"),
        left=5,
    )
    for highlight in report.highlights:
        table.add_row(
            str(highlight.run),
            Text(_shortened(highlight.request)),
            highlight.baseline,
            highlight.patched,
            Text(", ".join(highlight.applied)),
        )
    return table


def _cost(report: RunReport) -> Table:
    table = _table(
        "Cost",
        *("for", "calls", "cache hits", "prompt tokens", "answer tokens", "money", "per call"),
    )
    for cost in report.cost:
        table.add_row(
            cost.purpose,
            fmt.count(cost.calls),
            fmt.count(cost.cache_hits),
            fmt.count(cost.prompt_tokens),
            fmt.count(cost.completion_tokens),
            fmt.money(cost.cost_usd),
            fmt.milliseconds(report.timing.seconds_per_call.get(cost.purpose)),
        )
    table.caption = f"{report.timing.seconds:.1f} s in all."
    return table
