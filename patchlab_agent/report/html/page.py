"""The page: its template, rendered with the data that it shows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from patchlab_agent.models.patch import Patch
from patchlab_agent.models.report import ArmRates, RunReport
from patchlab_agent.models.trace import Trace
from patchlab_agent.report import format as fmt
from patchlab_agent.report.evidence import evidence, pairs, share, status_of
from patchlab_agent.report.html import plots
from patchlab_agent.report.html.evidence_plot import EvidencePlot, evidence_plot
from patchlab_agent.report.html.rows import (
    MAX_PATCHES,
    PatchRow,
    case_outcome,
    facts,
    patch_rows,
    trace_rows,
)
from patchlab_agent.report.sentences import headline, notes

MAX_TRACES = 1000
"""Number of latest traces on a page: more would make it too large."""
MAX_PROMPTS = 1_800_000
"""Characters that the prompts of these traces may have in total."""
_HERE = Path(__file__).parent


def page(report: RunReport, patches: Sequence[Patch], traces: Sequence[Trace]) -> str:
    """Render one self-contained HTML document; equal arguments give equal text.

    Args:
        report: of the run.
        patches: all patches of the store; the `MAX_PATCHES` most used are shown.
        traces: of the run, the newest first; the first `MAX_TRACES` are shown, or fewer if their
            prompts are long.
    """
    shown = _latest(traces)
    rows = patch_rows(patches, shown)
    listed = rows[:MAX_PATCHES]
    template = _environment().get_template("page.html.j2")
    return template.render(
        report=report,
        headline=list(headline(report)),
        notes=list(notes(report)),
        comparisons=_comparisons(report),
        main=_main(report),
        plots=_plots(report),
        patches=listed,
        evidence_plots=_evidence_plots(listed, report),
        all_patches=len(rows),
        traces=trace_rows(shown),
        applied_options=_applied_options(listed),
        known={row.patch.id for row in listed} | {trace.id for trace in shown},
        css=_asset("page.css"),
        js=_asset("page.js"),
    )


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
    applied = sorted((row for row in rows if row.traces), key=lambda row: row.patch.trigger)
    return [
        (row.patch.id, f"{row.patch.trigger} ({row.patch.fix.kind}, {len(row.traces):,})")
        for row in applied
    ]


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(statuses=plots.STATUSES)
    environment.filters.update(
        count=fmt.count,
        percent=fmt.percent,
        difference=fmt.difference,
        score=fmt.score,
        money=fmt.money,
        milliseconds=fmt.milliseconds,
        value=fmt.value,
        facts=facts,
        outcome=case_outcome,
        pair=lambda value: (value, value),
        status=status_of,
        evidence=evidence,
        pairs=pairs,
        share=share,
        prose=_prose,
    )
    return environment


def _shown(value: Any) -> Any:
    """Make inserted text safe: whoever wrote it, no control character reaches the page."""
    return fmt.visible(value) if isinstance(value, str) and not _is_ours(value) else value


def _prose(text: str) -> Markup:
    """Escape text between tags, where quotation marks may stay as they are."""
    kept = str(escape(fmt.visible(text))).replace("&#34;", '"').replace("&#39;", "'")
    return Markup(kept)  # noqa: S704 - escaped


def _is_ours(value: str) -> bool:
    return isinstance(value, Markup)


def _asset(name: str) -> Markup:
    return Markup((_HERE / name).read_text("utf-8"))  # noqa: S704 - part of the package
