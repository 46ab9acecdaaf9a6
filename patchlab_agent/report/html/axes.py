"""Shared parts of the page's figures: margins in pixels, named rows, marks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from patchlab_agent.report import format as fmt
from patchlab_agent.report.html.svg import COLOURS, UNITS_PER_INCH, Band

WIDE, NARROW = 1040.0, 340.0
"""Width in pixels that a figure is drawn for: on a screen, and on a phone."""
CHAR = 7.5
"""Pixels that a character of ordinary text takes, for names that have to fit somewhere."""
ROW = 34.0
"""Pixels from one row to the next."""
MARKS = {"baseline": "s", "patched": "o", "ceiling": "^"}
"""Distinguishable without colours."""
EDGE = {"markeredgecolor": COLOURS["page"], "markeredgewidth": 1.0}
"""Separates overlapping marks."""


def size_of(figure: Figure) -> tuple[float, float]:
    """Return width and height in pixels."""
    width, height = figure.get_size_inches() * UNITS_PER_INCH
    return float(width), float(height)


def is_narrow(figure: Figure) -> bool:
    """Return whether the figure is the phone version."""
    return size_of(figure)[0] < (WIDE + NARROW) / 2


def within(figure: Figure, *, left: float, right: float, top: float, bottom: float) -> Axes:
    """Add axes with margins in pixels."""
    width, height = size_of(figure)
    across, upright = width - left - right, height - top - bottom
    return figure.add_axes((left / width, bottom / height, across / width, upright / height))


def over_requests(axes: Axes, last: int) -> None:
    """Count the run's requests along the x axis, and draw horizontal grid lines."""
    axes.grid(axis="y")
    axes.set_xlim(0.5, last + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, prune="lower"))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
    axes.set_xlabel("requests")


def row_by_row(
    figure: Figure, names: Sequence[str], column: int = 0, columns: int = 1, top: float = 4
) -> Axes:
    """Add axes with one row per name: the name to its left, or above it on a phone.

    Args:
        figure: receives the axes.
        names: of the rows, from the top.
        column: position among axes side by side, from 0; the first one has the names.
        columns: number of axes side by side.
        top: margin in pixels.
    """
    width, _ = size_of(figure)
    narrow = is_narrow(figure)
    left, gap, right = (4.0, 28.0, 12.0) if narrow else (206.0, 40.0, 16.0)
    each = (width - left - right - gap * (columns - 1)) / columns
    start = left + column * (each + gap)
    axes = within(
        figure, left=start, right=width - start - each, top=top + (16 if narrow else 0), bottom=46.0
    )
    axes.set_ylim(len(names) - 0.5, -0.6)
    axes.grid(axis="x")
    # Not ticks, each of which is several objects that take their time.
    axes.set_yticks([])
    across = axes.get_yaxis_transform()
    axes.hlines(range(len(names)), 0, 1, COLOURS["rule"], lw=1, zorder=0.5, transform=across)
    for row, name in enumerate(map(fmt.visible, names) if column == 0 else ()):
        axes.annotate(
            name,
            (0, row),
            xycoords=("axes fraction", "data"),
            xytext=(0, 6) if narrow else (-12, 0),
            textcoords="offset points",
            ha="left" if narrow else "right",
            va="bottom" if narrow else "center",
            color=COLOURS["ink"],
            annotation_clip=False,
        )
    return axes


def dumbbells(axes: Axes, pairs: Iterable[tuple[float | None, float | None]]) -> None:
    """Draw per row a square for before, a dot for after, and a line between them."""
    # NaN, which is never drawn, stands for a missing value.
    before, after = (
        [math.nan if x is None else x for x in side] for side in zip(*pairs, strict=True)
    )
    rows = range(len(before))
    axes.hlines(rows, before, after, color=COLOURS["patched"], linewidth=3, alpha=0.4)
    for values, name in ((before, "baseline"), (after, "patched")):
        look = {"color": COLOURS[name], "markersize": 9, "clip_on": False}
        axes.plot(values, rows, MARKS[name], **look, **EDGE)  # type: ignore[arg-type]


def columns(axes: Axes, edges: Iterable[tuple[float, float]]) -> list[Band]:
    """Return the bands between values of the x axis, each as high as the axes."""
    low, high = axes.get_ylim()
    found = []
    for start, end in edges:
        (left, top), (right, bottom) = _pixel(axes, start, high), _pixel(axes, end, low)
        found.append(Band(left, top, right - left, bottom - top))
    return found


def rows(axes: Axes, number: int) -> list[Band]:
    """Return the bands of the rows of `row_by_row`, each as wide as the figure."""
    width, _ = size_of(axes.get_figure(root=True))  # type: ignore[arg-type]
    start, _ = axes.get_xlim()
    edges = [_pixel(axes, start, row - 0.5)[1] for row in range(number + 1)]
    return [Band(0.0, top, width, bottom - top) for top, bottom in pairwise(edges)]


def _pixel(axes: Axes, x: float, y: float) -> tuple[float, float]:
    """Return the place of a value, from the top left corner of the figure."""
    figure: Figure = axes.get_figure(root=True)  # type: ignore[assignment]
    width, height = size_of(figure)
    across, upright = figure.transFigure.inverted().transform(axes.transData.transform((x, y)))
    return float(across * width), float((1 - upright) * height)
