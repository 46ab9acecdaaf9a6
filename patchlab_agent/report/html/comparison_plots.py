"""The figure of a comparison's page: dots with interval whiskers, or the lines of a grid."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from patchlab_agent.models.comparison import ComparedRun, ComparisonReport
from patchlab_agent.report import format as fmt
from patchlab_agent.report import grid_plot
from patchlab_agent.report.grid import Grid, grid_of
from patchlab_agent.report.html.axes import (
    CHAR,
    EDGE,
    MARKS,
    NARROW,
    WIDE,
    columns,
    is_narrow,
    row_by_row,
    rows,
    size_of,
    within,
)
from patchlab_agent.report.html.plots import Plot, drawn_twice, told
from patchlab_agent.report.html.svg import COLOURS, LINES, Band

SERIES = ("baseline", "patched", "ceiling")
SPACE = 46.0, 62.0
"""Pixels from one side's row to the next, on a screen and on a phone."""
STEP = 0.2
"""Distance of the marks within a row, in rows."""
ABREAST, NAME = 4, 36
"""Maximum number of names in a line of a legend, and of characters in one."""
SAMPLE = 52.0
"""Pixels that a legend needs for a name besides its characters."""
LEGEND_LINE = 24.0


def comparison_plot(report: ComparisonReport) -> Plot:
    """Plot the success of all sides with intervals: lines if two settings were varied, else dots.

    Args:
        report: with at least one side.
    """
    grid = grid_of(report)
    return _dots(report) if grid is None else _lines(grid, report)


def _dots(report: ComparisonReport) -> Plot:
    sides = report.sides
    wide, narrow = (90 + space * len(sides) for space in SPACE)
    best = max(sides, key=lambda side: side.patched.rate or 0.0)
    return drawn_twice(
        name="sides",
        caption=f"Right answers on {_cases(report)}, with 95 % intervals (Wilson).",
        says=f"Dot plot of {len(sides)} sides: with patches, {best.label} is best with "
        f"{fmt.percent(best.patched.rate)}.",
        heights=(wide, narrow),
        draw=lambda figure: _drawn_dots(figure, sides),
        tips=["\n".join([side.label, *_told(side)]) for side in sides],
    )


def _cases(report: ComparisonReport) -> str:
    return f"the same {fmt.several(report.cases, 'golden case', 'golden cases')}"


def _told(side: ComparedRun) -> list[str]:
    return [told(name, getattr(side, name)) for name in SERIES]


def _drawn_dots(figure: Figure, sides: Sequence[ComparedRun]) -> list[Band]:
    # Beside the marks, or above them on a phone.
    room = 44 if is_narrow(figure) else 25
    axes = row_by_row(figure, [fmt.brief(side.label, room) for side in sides], top=36)
    # On a phone the name is above the marks, so they are all below the middle of the row.
    first = 0.0 if is_narrow(figure) else -STEP
    for number, name in enumerate(SERIES):
        _whiskers(axes, sides, name, first + STEP * number)
    axes.xaxis.set_major_formatter(PercentFormatter(100, symbol=" %"))
    axes.set_xlabel("right answers")
    figure.legend(loc="upper left", ncols=len(SERIES), borderpad=0.2, handlelength=1.2)
    return rows(axes, len(sides))


def _whiskers(axes: Axes, sides: Sequence[ComparedRun], name: str, place: float) -> None:
    shares = [(row + place, getattr(side, name)) for row, side in enumerate(sides)]
    known = [
        (row, 100 * share.low, 100 * share.rate, 100 * share.high)
        for row, share in shares
        if share.rate is not None
    ]
    look: dict[str, Any] = {"color": COLOURS[name], "markersize": 8, "linewidth": 2, **EDGE}
    axes.errorbar(
        x=[rate for _, _, rate, _ in known],
        y=[row for row, *_ in known],
        xerr=[
            [rate - low for _, low, rate, _ in known],
            [high - rate for _, _, rate, high in known],
        ],
        fmt=MARKS[name],
        label=name,
        **look,
    )


def _lines(grid: Grid, report: ComparisonReport) -> Plot:
    wide, narrow = (_legend(grid, width)[1] for width in (WIDE, NARROW))
    return drawn_twice(
        name="grid",
        caption=f"Answers right with patches on {_cases(report)}, with 95 % intervals (Wilson), by "
        f"{grid.rows.name}: a line for each {grid.columns.name}.",
        says=f"Line chart over {len(grid.rows.values)} values of {grid.rows.name}, with "
        f"{fmt.several(len(grid.columns.values), 'line', 'lines')} for {grid.columns.name}.",
        heights=(380 + wide, 320 + narrow),
        draw=lambda figure: _drawn_lines(figure, grid),
        tips=[_row(grid, row) for row in grid_plot.places_of(grid)],
    )


def _row(grid: Grid, row: str) -> str:
    """Return the values of all lines over one value of the first setting."""
    lines = [grid.rows.titled(row)]
    for value in grid.columns.values:
        side = grid.sides.get((row, value))
        name = grid.columns.titled(value)
        lines.append(f"{name} failed" if side is None else told(name, side.patched))
    return "\n".join(lines)


def _drawn_lines(figure: Figure, grid: Grid) -> list[Band]:
    width, _ = size_of(figure)
    abreast, height = _legend(grid, width)
    axes = within(figure, left=52, right=20, top=12 + height, bottom=48)
    room = (width - 72) / len(grid.rows.values)
    look = grid_plot.Look(
        lines=[COLOURS[name] for name in LINES],
        reference=COLOURS["soft"],
        line_chars=NAME,
        value_chars=max(2, int(room / CHAR)),
    )
    handles = grid_plot.plot(axes, grid, look)
    axes.yaxis.set_major_formatter(PercentFormatter(100, symbol=" %"))
    figure.legend(handles=handles, loc="upper left", ncols=abreast, borderpad=0.2)
    return columns(axes, _halfway(list(grid_plot.places_of(grid).values()), axes.get_xlim()))


def _legend(grid: Grid, width: float) -> tuple[int, float]:
    """Return the number of names in a line of the legend, and the height of all lines."""
    names = [grid.columns.titled(value) for value in grid.columns.values]
    longest = min(NAME, max(map(len, (*names, "baseline"))))
    abreast = max(1, min(ABREAST, int(width / (SAMPLE + CHAR * longest))))
    lines = -(-(len(names) + len(grid_plot.REFERENCES)) // abreast)
    return abreast, LEGEND_LINE * lines


def _halfway(places: Sequence[float], limits: tuple[float, float]) -> list[tuple[float, float]]:
    """Return for each of these ascending places from where to where it is the nearest."""
    start, end = limits
    between = [(left + right) / 2 for left, right in pairwise(places)]
    return list(pairwise([start, *between, end]))
