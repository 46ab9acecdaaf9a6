"""A comparison over two varied settings as a line plot: one line per value of the second."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, pairwise
from typing import Any, TypeAlias

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer
from matplotlib.lines import Line2D

from patchlab_agent.models.report import Proportion
from patchlab_agent.report import format as fmt
from patchlab_agent.report.grid import Grid, numbers

COLOURS = ("#0072b2", "#d55e00", "#007f5f", "#aa4499", "#8a6d00", "#3d3d3d", "#882255")
"""Dark colours that people with any colour vision can distinguish, after Okabe and Ito."""
MARKERS = "os^DvPX*"
"""One more marker than there are colours, so that no two lines share both."""
REFERENCES = {"ceiling": ":", "baseline": "--"}
GREY = "#555555"
DODGE = 0.012
"""Offset between lines, as a share of the axis, so that intervals do not overlap."""
STEP = 10
"""The scale starts and ends at multiples of this, in percent."""
CROWDED = 0.04
"""Labels of values closer than this share of the axis would overlap."""

Places: TypeAlias = Mapping[str, float]
"""The position of each value of the first setting, from left to right."""
Limits: TypeAlias = tuple[float, float, float]
"""A rate in percent between the ends of its interval."""
UNKNOWN: Limits = (math.nan, math.nan, math.nan)
"""Nothing is drawn there, and no line crosses the gap."""


@dataclass(frozen=True)
class Look:
    """How a grid is drawn.

    Attributes:
        lines: their colours, which repeat.
        reference: the colour of what they are compared with.
        line_chars: maximum length of a line's name.
        value_chars: maximum length of the name of a value on the horizontal axis.
    """

    lines: Sequence[str] = COLOURS
    reference: str = GREY
    line_chars: int = 60
    value_chars: int = 60


FILE = Look()
"""For a picture of its own."""


def plot(axes: Axes, grid: Grid, look: Look = FILE) -> list[Artist | ErrorbarContainer]:
    """Plot success with patches over the first setting, between baseline and ceiling.

    Args:
        axes: receive the plot.
        grid: with at least one side.
        look: how.

    Returns:
        What a legend is to name: each line, then ceiling and baseline.
    """
    places = places_of(grid)
    columns = grid.columns.values
    colours = dict(zip(columns, cycle(look.lines), strict=False))
    apart = DODGE * (max(places.values()) - min(places.values()) or 1.0)
    lines = []
    for number, (column, marker) in enumerate(zip(columns, cycle(MARKERS), strict=False)):
        shift = apart * (number - (len(columns) - 1) / 2)
        moved = {row: place + shift for row, place in places.items()}
        drawn = {
            "color": colours[column],
            "fmt": f"-{marker}",
            "label": fmt.brief(fmt.visible(grid.columns.titled(column)), look.line_chars),
        }
        lines.append(_line(axes, grid, column, moved, drawn))
    references = [_reference(axes, grid, name, colours, look.reference) for name in REFERENCES]
    _frame(axes, grid, places, look)
    return [*lines, *references]


def places_of(grid: Grid) -> Places:
    """Place numbers to scale, and other values evenly in the order given."""
    values = grid.rows.values
    read = numbers(values) or [float(number) for number in range(len(values))]
    return dict(sorted(zip(values, read, strict=True), key=lambda pair: pair[1]))


def _line(
    axes: Axes, grid: Grid, column: str, places: Places, drawn: Mapping[str, Any]
) -> ErrorbarContainer:
    shares = _shares(grid, column, places, "patched")
    return axes.errorbar(
        x=list(places.values()),
        y=[rate for _, rate, _ in shares],
        yerr=[[rate - low for low, rate, _ in shares], [high - rate for _, rate, high in shares]],
        capsize=3,
        linewidth=2,
        elinewidth=1.2,
        markersize=7,
        **drawn,
    )


def _shares(grid: Grid, column: str, rows: Iterable[str], name: str) -> list[Limits]:
    sides = (grid.sides.get((row, column)) for row in rows)
    return [UNKNOWN if side is None else _limits(getattr(side, name)) for side in sides]


def _limits(share: Proportion) -> Limits:
    if share.rate is None or share.low is None or share.high is None:
        return UNKNOWN
    return 100 * share.low, 100 * share.rate, 100 * share.high


def _reference(
    axes: Axes, grid: Grid, name: str, colours: Mapping[str, str], shared: str
) -> Line2D:
    """Draw a rate that patches do not change: one line if all columns agree, else one each."""
    dashes, places = REFERENCES[name], places_of(grid)
    rates = {column: [r for _, r, _ in _shares(grid, column, places, name)] for column in colours}
    by_row = [
        {rate for rate in row if not math.isnan(rate)} for row in zip(*rates.values(), strict=True)
    ]
    levels = set().union(*by_row)
    if len(levels) == 1:
        axes.axhline(levels.pop(), linestyle=dashes, color=shared)
    elif all(len(row) <= 1 for row in by_row):
        own = [next(iter(row), math.nan) for row in by_row]
        axes.plot(list(places.values()), own, dashes, color=shared)
    else:
        for column, own in rates.items():
            axes.plot(list(places.values()), own, dashes, color=colours[column])
    [named] = axes.plot([], [], dashes, color=shared, label=name)
    return named


def _frame(axes: Axes, grid: Grid, places: Places, look: Look) -> None:
    ticks = list(places.values())
    gaps = [right - left for left, right in pairwise(ticks)]
    # If values are crowded, the scale's own ticks are used instead.
    if min(gaps, default=1.0) >= CROWDED * (ticks[-1] - ticks[0]):
        axes.set_xticks(
            ticks, [fmt.brief(fmt.visible(value), look.value_chars) for value in places]
        )
    axes.set_xlabel(fmt.visible(grid.rows.name))
    axes.margins(x=0.05)
    low, high = axes.get_ylim()
    axes.set_ylim(max(0, STEP * math.floor(low / STEP)), min(100, STEP * math.ceil(high / STEP)))
    axes.grid(axis="y")
    axes.spines[["top", "right"]].set_visible(False)
