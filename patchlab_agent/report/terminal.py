"""A run's report as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from patchlab_agent.models.report import (
    ArmRates,
    ExampleSummary,
    FailureCluster,
    GoldenReport,
    PatchSummary,
    RunReport,
    Score,
)
from patchlab_agent.report import format as fmt
from patchlab_agent.report.sentences import headline, notes
from patchlab_agent.report.tables import line, table_of

BAR_WIDTH = 24


def render(report: RunReport, *, unicode: bool = True) -> RenderableType:
    """Render everything that a report shows, from the headline to the cost."""
    return Group(*(Padding(part, (0, 0, 1, 0)) for part in _parts(report, unicode)))


def _parts(report: RunReport, unicode: bool) -> Iterator[RenderableType]:
    yield _headline(report)
    yield _comparisons(report)
    if report.overall.scores:
        yield _scores(report)
    if report.curve:
        yield _curve(report, unicode)
    if report.clusters:
        yield _clusters(report.clusters)
    yield _patches(report.patches)
    if report.patches.most_useful:
        yield _most_useful(report.patches)
    if report.examples and (report.examples.most_useful or report.examples.harmful):
        yield _examples(report.examples)
    if report.golden is not None:
        yield _labels(report.golden)
    if report.highlights:
        yield _highlights(report)
    yield _cost(report)


def _headline(report: RunReport) -> Panel:
    lines = [
        f"{report.run}: {fmt.count(report.runs)} requests, {report.backend}, store {report.store}",
        *headline(report),
    ]
    return Panel(Text("\n".join(lines)), title="PatchLab", title_align="left")


def _comparisons(report: RunReport) -> Table:
    table = table_of(
        "Success on the same requests under the same noise",
        *("cases", "n", "baseline", "patched", "ceiling", "difference", "of gap"),
        caption=(
            "difference: patched - baseline in points, 95 % interval (Newcombe);\n"
            "of gap: its share of ceiling - baseline. Golden cases are held out;\n"
            "covered: a patch applies; known: the starting rules suffice;\n"
            "uncovered: a rule is missing."
        ),
    )
    for name, comparison in _groups(report):
        table.add_row(line(name), *_compared(comparison))
    return table


def _groups(report: RunReport) -> list[tuple[str, ArmRates]]:
    """Return name and figures of each group of cases."""
    groups = [("all runs", report.overall), (f"last {report.recent.cases}", report.recent)]
    if golden := report.golden:
        groups += [
            ("golden set", golden.all),
            ("- covered", golden.covered),
            ("- known", golden.known),
            ("- uncovered", golden.uncovered),
        ]
    return groups


def _scores(report: RunReport) -> Table:
    table = table_of(
        "Mean score, where answers that are right in part count in part",
        *("cases", "n", "baseline", "patched", "ceiling", "difference"),
        caption="difference: patched - baseline in points, 95 % interval (Student's t for pairs).",
    )
    for name, comparison in _groups(report):
        if scores := comparison.scores:
            means = (scores.baseline, scores.patched, scores.ceiling)
            figures = (*map(fmt.percent, means), fmt.difference(scores.difference))
            table.add_row(line(name), fmt.count(comparison.cases), *figures)
    return table


def _compared(comparison: ArmRates) -> tuple[str, ...]:
    return (
        fmt.count(comparison.cases),
        fmt.percent(comparison.baseline.rate),
        fmt.percent(comparison.patched.rate),
        fmt.percent(comparison.ceiling.rate),
        fmt.difference(comparison.difference),
        fmt.percent(comparison.gap_closed),
    )


def _curve(report: RunReport, unicode: bool) -> Table:
    marks = "█ baseline, ▒ won by patches" if unicode else "# baseline, + won"
    if any(point.ceiling.rate is not None for point in report.curve):
        marks += ", │ ceiling" if unicode else ", | ceiling"
    table = table_of(
        "Learning curve",
        *("requests", "", "baseline", "patched", "ceiling", "active"),
        texts=2,
        caption=marks,
    )
    for point in report.curve:
        baseline, patched = (share.rate or 0.0 for share in (point.baseline, point.patched))
        ceiling = point.ceiling.rate
        table.add_row(
            line(f"{point.first}–{point.last}"),
            line(fmt.bar(baseline, patched, ceiling, BAR_WIDTH, unicode)),
            *map(fmt.percent, (baseline, patched, ceiling)),
            fmt.count(point.patches.active),
        )
    return table


def _clusters(clusters: tuple[FailureCluster, ...]) -> Table:
    table = table_of(
        "Failures by label, each with its first request",
        *("label", "base", "patched", "share", "first", "last", "to fix", "to last"),
        caption=(
            "first, last: traces, as in `traces show 41`; to fix, to last: requests from\n"
            "the first failure to the first active patch, and to the last failure."
        ),
    )
    for cluster in clusters:
        table.add_row(
            Group(line(cluster.label), line(f"  {cluster.example}", "dim")),
            fmt.count(cluster.baseline),
            fmt.count(cluster.patched),
            fmt.percent(cluster.share),
            str(cluster.first_seen),
            str(cluster.last_seen),
            fmt.count(cluster.runs_to_patch),
            fmt.count(cluster.runs_to_last),
        )
    return table


def _patches(patches: PatchSummary) -> Table:
    table = table_of("Patches", "", "")
    table.add_column("")
    table.show_header = False
    rows = (
        ("proposals of the run", patches.proposed, f"{fmt.count(patches.created)} of them new"),
        ("- activated", patches.activated, _listed(patches.kinds)),
        ("- quarantined", patches.quarantined, ""),
        ("- known, gate skipped", patches.known, ""),
        ("- already active", patches.active_already, ""),
        ("failures without a lesson", patches.without_lesson, ""),
        ("proven by their uses", patches.proven, ""),
        ("convicted by their uses", patches.convicted, ""),
        ("superseded by newer ones", patches.superseded, ""),
        ("patches in the store", patches.in_store.total, ""),
        (
            "- active",
            patches.in_store.active,
            f"{patches.proven_in_store} proven, {patches.on_trial_in_store} on trial",
        ),
        ("- quarantined", patches.in_store.quarantined, _listed(patches.quarantine_reasons)),
        ("- retired", patches.in_store.retired, ""),
        ("- disabled", patches.in_store.disabled, ""),
    )
    for name, number, told in rows:
        table.add_row(name, fmt.count(number), told)
    return table


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {number}" for name, number in counts.items()) or fmt.NOTHING


def _most_useful(patches: PatchSummary) -> Table:
    table = table_of(
        "Most useful patches",
        *("patch", "teaches", "uses", "saves", "harms"),
        texts=2,
        caption="saves, harms: requests that were right, or wrong, only with patches.",
    )
    for use in patches.most_useful:
        figures = map(fmt.count, (use.uses, use.saves, use.harms))
        table.add_row(line(use.id[:8]), line(use.teaches), *figures)
    return table


def _examples(examples: ExampleSummary) -> Table:
    table = table_of(
        "Examples that made a difference",
        *("example", "request", "uses", "gains", "harms", "now"),
        texts=2,
        caption=(
            "gains: requests right only with examples, counted for all that were shown;\n"
            "harms: requests right when only this example is left out."
        ),
    )
    for use in (*examples.most_useful, *examples.harmful):
        figures = map(fmt.count, (use.uses, use.gains, use.harms))
        now = "withdrawn" if use.withdrawn else "shown"
        table.add_row(line(use.id), line(fmt.shortened(use.request)), *figures, now)
    return table


def _labels(golden: GoldenReport) -> Table:
    table = table_of(
        "Golden set by label: baseline → patched",
        *("label", "support", "precision", "recall", "F1"),
        caption="support: cases in which the label had something to detect.",
    )
    for label in golden.labels:
        table.add_row(
            line(label.label),
            fmt.count(label.support),
            *(_before_after(label.baseline, label.patched, name) for name in _SCORES),
        )
    return table


_SCORES = ("precision", "recall", "f1")


def _before_after(before: Score, after: Score, name: str) -> str:
    return f"{fmt.score(getattr(before, name))} → {fmt.score(getattr(after, name))}"


def _highlights(report: RunReport) -> Table:
    table = table_of(
        "The latest requests to which patches made a difference",
        *("trace", "request", "baseline", "patched", "applied"),
        texts=5,
    )
    for highlight in report.highlights:
        table.add_row(
            line(str(highlight.trace)),
            fmt.literal(fmt.shortened(highlight.request)),
            line(highlight.baseline),
            line(highlight.patched),
            Text(", ".join(highlight.applied)),
        )
    return table


def _cost(report: RunReport) -> Table:
    table = table_of(
        "Cost",
        *("purpose", "calls", "cache hits", "tokens in", "tokens out", "cost", "per call"),
    )
    for cost in report.cost:
        table.add_row(
            line(cost.purpose),
            fmt.count(cost.calls),
            fmt.count(cost.cache_hits),
            fmt.count(cost.prompt_tokens),
            fmt.count(cost.completion_tokens),
            fmt.money(cost.cost_usd),
            fmt.milliseconds(report.timing.seconds_per_call.get(cost.purpose)),
        )
    table.caption = "\n".join(notes(report))
    return table
