"""The page: its template, rendered with the data that it shows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

from patchlab_agent.models.golden import GoldenAnswer
from patchlab_agent.models.patch import Patch
from patchlab_agent.models.report import ArmRates, Highlight, RunReport
from patchlab_agent.models.trace import Trace
from patchlab_agent.report import format as fmt
from patchlab_agent.report.html import plots
from patchlab_agent.report.html.environment import rendered
from patchlab_agent.report.html.evidence_plot import EvidencePlot, evidence_plot
from patchlab_agent.report.html.golden_rows import case_rows, label_rows
from patchlab_agent.report.html.rows import MAX_PATCHES, PatchRow, TraceRow, patch_rows
from patchlab_agent.report.sentences import headline, notes

MAX_TRACES = 1000
"""Number of latest traces on a page: more would make it too large."""
MAX_PROMPTS = 1_800_000
"""Characters that the prompts of these traces may have in total."""
SCRIPTS = ("address.js", "lists.js", "tables.js", "charts.js", "start.js")
OUTCOMES = (
    ("failed", "wrong with patches"),
    ("saved", "right only with patches"),
    ("harmed", "wrong only with patches"),
    ("right", "right with patches"),
)
"""Words to filter by, each as the page puts it."""


def page(
    report: RunReport,
    patches: Sequence[Patch],
    traces: Sequence[Trace],
    golden: Sequence[GoldenAnswer] = (),
) -> str:
    """Render one self-contained HTML document; equal arguments give equal text.

    Args:
        report: of the run.
        patches: all patches of the store; the `MAX_PATCHES` most used are shown.
        traces: of the run, the newest first; the first `MAX_TRACES` are shown, or fewer if their
            prompts are long.
        golden: the answers to the report's golden cases, as far as they are known.
    """
    shown = _latest(traces)
    rows = patch_rows(patches, shown)
    listed = rows[:MAX_PATCHES]
    opened = [TraceRow.of(trace) for trace in shown]
    return rendered(
        "page.html.j2",
        SCRIPTS,
        title=report.run,
        sections=list(_sections(report)),
        report=report,
        headline=list(headline(report)),
        notes=list(notes(report)),
        comparisons=_comparisons(report),
        main=_main(report),
        plots=_plots(report),
        statuses=plots.STATUSES,
        outcomes=OUTCOMES,
        highlights=_highlights(report.highlights, opened),
        patches=listed,
        evidence_plots=_evidence_plots(listed, report),
        all_patches=len(rows),
        cases=case_rows(report.golden, golden) if report.golden else (),
        labels=label_rows(report.golden, golden) if report.golden else (),
        has_answers=bool(golden),
        traces=opened,
        applied_options=_applied_options(listed),
        known={row.patch.id for row in listed} | {trace.id for trace in shown},
    )


def _sections(report: RunReport) -> Iterator[tuple[str, str]]:
    """Yield id and name of each section that there is data for."""
    yield "success", "Success"
    if report.curve:
        yield "learning", "Learning"
    if report.clusters:
        yield "failures", "Failures"
    yield "patches", "Patches"
    if report.golden:
        yield "golden", "Golden set"
    yield "cost", "Cost"
    yield "traces", "Traces"


def _highlights(
    highlights: Sequence[Highlight], rows: Iterable[TraceRow]
) -> list[tuple[Highlight, TraceRow | None]]:
    """Return each highlight with its trace, or None if that is not on the page."""
    found = {row.trace.index: row for row in rows}
    return [(each, found.get(each.trace)) for each in highlights]


def _latest(traces: Sequence[Trace]) -> Sequence[Trace]:
    """Return as many traces as a page has room for."""
    lengths = accumulate(len(trace.attempt.user_prompt) for trace in traces[:MAX_TRACES])
    return traces[: sum(length <= MAX_PROMPTS for length in lengths)]


def _main(report: RunReport) -> tuple[str, ArmRates]:
    """Return the figures for the top of the page: held-out cases if there are any."""
    if report.golden is not None:
        cases = report.golden.all
        return f"{fmt.count(cases.cases)} held-out golden cases", cases
    return f"the last {fmt.count(report.recent.cases)} requests", report.recent


def _comparisons(report: RunReport) -> list[tuple[str, str, ArmRates]]:
    """Return name, meaning and figures of each group of cases."""
    found = [
        ("all requests", "the whole run", report.overall),
        (f"last {fmt.count(report.recent.cases)}", "the end of the run", report.recent),
    ]
    if golden := report.golden:
        found += [
            ("golden set", "held out from the run and the gate", golden.all),
            ("covered", "golden, and a patch applies", golden.covered),
            ("known", "golden, and the starting rules suffice", golden.known),
            ("uncovered", "golden, and a rule is missing", golden.uncovered),
        ]
    return found


def _plots(report: RunReport) -> dict[str, plots.Plot]:
    """Return the figures that there is data for."""
    found = {}
    if report.curve:
        found["curve"] = plots.learning_curve(report.curve)
        found["patches"] = plots.patches_over_time(report.curve)
    if report.clusters:
        found["failures"] = plots.failures(report.clusters)
    if report.golden is not None and report.golden.labels:
        found["labels"] = plots.label_scores(report.golden.labels)
    return found


def _evidence_plots(rows: Sequence[PatchRow], report: RunReport) -> dict[str, EvidencePlot]:
    """Return figures by patch id, for patches with evidence for or against them."""
    alpha = report.settings.get("gate_alpha")
    found = {}
    for patch in (row.patch for row in rows):
        own = patch.gate.alpha if patch.gate else None
        plot = evidence_plot(patch.record, alpha if isinstance(alpha, float) else own)
        if plot is not None:
            found[patch.id] = plot
    return found


def _applied_options(rows: Sequence[PatchRow]) -> list[tuple[str, str]]:
    """Return the ids of applied patches, each with its name in the filter's list."""
    applied = sorted((row for row in rows if row.traces), key=lambda row: row.patch.trigger_text)
    return [
        (row.patch.id, f"{row.patch.trigger_text} ({row.patch.fix.kind}, {len(row.traces):,})")
        for row in applied
    ]
