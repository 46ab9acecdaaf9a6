"""The page of a comparison."""

from __future__ import annotations

from collections.abc import Iterator

from patchlab_agent.models.comparison import ComparedRun, ComparisonReport
from patchlab_agent.report import format as fmt
from patchlab_agent.report.grid import grid_of
from patchlab_agent.report.html.comparison_plots import comparison_plot
from patchlab_agent.report.html.environment import rendered

SCRIPTS = ("address.js", "tables.js", "charts.js", "start.js")
NAMED = 3
"""Sides that the title names; of more it says how many there are."""


def comparison_page(report: ComparisonReport) -> str:
    """Render one self-contained HTML document; equal arguments give equal text.

    Args:
        report: with at least one side.
    """
    return rendered(
        "comparison.html.j2",
        SCRIPTS,
        title=_title(report),
        sections=list(_sections(report)),
        report=report,
        sides=report.sides,
        reference=report.sides[0].label,
        sentences=list(_sentences(report)),
        plot=comparison_plot(report),
        grid=grid_of(report),
        settings=sorted({name for side in report.sides for name in side.settings}),
        known=frozenset(),
    )


def _title(report: ComparisonReport) -> str:
    labels = [side.label for side in report.sides]
    if len(labels) > NAMED:
        return f"Comparison of {len(labels)} {'settings' if report.axes else 'runs'}"
    return " · ".join(labels)


def _sections(report: ComparisonReport) -> Iterator[tuple[str, str]]:
    yield "success", "Success"
    yield "differences", "Differences"
    yield "lessons", "Lessons and cost"
    if any(side.settings for side in report.sides):
        yield "settings", "Settings"


def _sentences(report: ComparisonReport) -> Iterator[str]:
    """Yield what each side's difference from the first one is."""
    first, *others = report.sides
    yield f"The reference is {first.label}, {fmt.percent(first.patched.rate)} right with patches."
    for side in others if len(others) < NAMED else ():
        yield f"{side.label}: {_verdict(side)}."


def _verdict(side: ComparedRun) -> str:
    paired = side.difference
    if paired is None or paired.mean is None or paired.low is None or paired.high is None:
        return "no difference is known"
    told = f"{fmt.percent(side.patched.rate)}, {fmt.difference(paired)} points"
    if paired.low > 0:
        return f"{told}: better than the reference"
    if paired.high < 0:
        return f"{told}: worse than the reference"
    return f"{told}: the interval includes no difference at all"
