"""A comparison as a plot: dots with interval whiskers, or the lines of a grid."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from patchlab_agent.files import write_whole
from patchlab_agent.models.comparison import ComparisonReport
from patchlab_agent.models.report import Proportion
from patchlab_agent.report import format as fmt
from patchlab_agent.report import grid_plot
from patchlab_agent.report.grid import Grid, grid_of

SERIES = (("baseline", "#888888", -0.22), ("patched", "#1f6fb4", 0.0), ("ceiling", "#2e8b57", 0.22))
"""Name, colour, and offset from the setting's row, in rows."""
LINE_INCHES = 0.55
FRAME_INCHES = 1.4
GRID_INCHES = (8.0, 4.6)
# Text stays text, whatever it holds, and ids in the file do not depend on a clock.
_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "patchlab",
    "svg.fonttype": "none",
    "text.parse_math": False,
    "grid.alpha": 0.3,
}


def draw(report: ComparisonReport, path: Path) -> None:
    """Write the plot; the same comparison gives the same SVG, byte for byte.

    Two varied settings give lines, one per value of the second; anything else gives dots.

    Args:
        report: with at least one side.
        path: `.svg` or `.png`; an existing file is replaced.

    Raises:
        OSError: it cannot be written.
    """
    with mpl.rc_context(_STYLE):
        figure = Figure(dpi=150, layout="constrained")
        if grid := grid_of(report):
            _lines(figure, grid, report)
        else:
            _dots(figure, report)
        is_svg = path.suffix.casefold() == ".svg"
        picture = BytesIO()
        figure.savefig(
            picture,
            format="svg" if is_svg else "png",
            metadata={"Date": None} if is_svg else None,
        )
    write_whole(path, [picture.getvalue()])


def _lines(figure: Figure, grid: Grid, report: ComparisonReport) -> None:
    figure.set_size_inches(*GRID_INCHES)
    axes = figure.add_subplot()
    named = grid_plot.plot(axes, grid)
    axes.set_ylabel(
        f"patched answers right on {report.cases:,} golden cases, %\nwith 95 % intervals (Wilson)"
    )
    figure.legend(handles=named, loc="outside upper center", ncols=4, frameon=False)


def _dots(figure: Figure, report: ComparisonReport) -> None:
    figure.set_size_inches(8, FRAME_INCHES + LINE_INCHES * len(report.sides))
    axes = figure.add_subplot()
    for name, colour, place in SERIES:
        _series(axes, [getattr(side, name) for side in report.sides], name, colour, place)
    _frame(axes, report)
    figure.legend(loc="outside upper center", ncols=len(SERIES), frameon=False)


def _series(axes: Axes, shares: Sequence[Proportion], name: str, colour: str, place: float) -> None:
    known = [
        (row + place, 100 * share.rate, 100 * share.low, 100 * share.high)
        for row, share in enumerate(shares)
        if share.rate is not None and share.low is not None and share.high is not None
    ]
    axes.errorbar(
        x=[rate for _, rate, _, _ in known],
        y=[row for row, *_ in known],
        xerr=[
            [rate - low for _, rate, low, _ in known],
            [high - rate for _, rate, _, high in known],
        ],
        fmt="o",
        color=colour,
        capsize=3,
        label=name,
    )


def _frame(axes: Axes, report: ComparisonReport) -> None:
    labels = [fmt.visible(side.label) for side in report.sides]
    axes.set_yticks(range(len(labels)), labels)
    axes.invert_yaxis()
    axes.set_xlabel(f"accuracy on {report.cases:,} golden cases, %, with 95 % intervals (Wilson)")
    axes.grid(axis="x")
    axes.spines[["top", "right"]].set_visible(False)
