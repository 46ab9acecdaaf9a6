"""The page's figures, each in a version for wide screens and one for phones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from patchlab_agent.models.report import CurvePoint, FailureCluster, LabelScore, Proportion
from patchlab_agent.report import format as fmt
from patchlab_agent.report.html.axes import (
    EDGE,
    MARKS,
    NARROW,
    ROW,
    WIDE,
    columns,
    dumbbells,
    is_narrow,
    over_requests,
    row_by_row,
    rows,
    size_of,
    within,
)
from patchlab_agent.report.html.svg import COLOURS, TEXT_SIZE, Band, drawn

SERIES = ("ceiling", "patched", "baseline")
STATUSES = ("active", "quarantined", "retired", "disabled")
_LINES = {"baseline": "--", "patched": "-", "ceiling": ":"}
_HATCHES = {"active": "", "quarantined": "////", "retired": "....", "disabled": "xxxx"}


@dataclass(frozen=True)
class Plot:
    """A figure.

    Attributes:
        caption: what is drawn.
        says: the text alternative for people who cannot see it.
        wide: the picture for a screen.
        narrow: the picture for a phone.
    """

    caption: str
    says: str
    wide: Markup
    narrow: Markup


def drawn_twice(
    *,
    name: str,
    caption: str,
    says: str,
    heights: tuple[float, float],
    draw: Callable[[Figure], Sequence[Band]],
    tips: Sequence[str],
) -> Plot:
    """Draw a figure for a screen and for a phone.

    Args:
        name: prefix of the ids in it.
        caption: what is drawn.
        says: the text alternative.
        heights: of both versions, in pixels.
        draw: draws on the figure, and returns a band for each tip.
        tips: the values that the figure shows, band by band.
    """
    wide, narrow = heights
    return Plot(
        caption=caption,
        says=says,
        wide=drawn(name, WIDE, wide, draw, tips),
        narrow=drawn(f"{name}-narrow", NARROW, narrow, draw, tips),
    )


def told(name: str, share: Proportion) -> str:
    """Format a share with its interval: `patched 47.0 % (37.5 to 56.7 %)`."""
    if share.rate is None or share.low is None or share.high is None:
        return f"{name} {fmt.NOTHING}"
    return f"{name} {fmt.percent(share.rate)} ({100 * share.low:.1f} to {fmt.percent(share.high)})"


def _stretch(point: CurvePoint) -> str:
    return f"requests {point.first:,}–{point.last:,}"


def _stretches(axes: Axes, curve: Sequence[CurvePoint]) -> list[Band]:
    return columns(axes, [(point.first - 0.5, point.last + 0.5) for point in curve])


def learning_curve(curve: Sequence[CurvePoint]) -> Plot:
    """Plot success over the run, with interval bands.

    Args:
        curve: at least one stretch.
    """
    names = _series(curve)
    ends = (
        (name, *(fmt.percent(getattr(point, name).rate) for point in (curve[0], curve[-1])))
        for name in names
    )
    ways = ", ".join(f"{name} from {start} to {end}" for name, start, end in ends)
    return drawn_twice(
        name="curve",
        caption="Share of right answers in each stretch of the run, with its 95 % interval "
        "(Wilson).",
        says=f"Line chart over {len(curve)} stretches of the run: {ways}.",
        heights=(380, 320),
        draw=lambda figure: _curve(figure, curve),
        tips=[
            "\n".join([_stretch(point), *(told(name, getattr(point, name)) for name in names)])
            for point in curve
        ],
    )


def _series(curve: Sequence[CurvePoint]) -> tuple[str, ...]:
    """Return the lines of a learning curve; there is none of a ceiling that nobody knows."""
    return tuple(n for n in SERIES if any(getattr(p, n).rate is not None for p in curve))


def _curve(figure: Figure, curve: Sequence[CurvePoint]) -> list[Band]:
    narrow = is_narrow(figure)
    axes = within(figure, left=52, right=20 if narrow else 124, top=66 if narrow else 12, bottom=48)
    middles = [(point.first + point.last) / 2 for point in curve]
    names = _series(curve)
    for name in reversed(names):
        _line(axes, middles, [getattr(point, name) for point in curve], name)
    axes.set_ylim(0, 1)
    axes.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    over_requests(axes, curve[-1].last)
    if narrow:
        _names_above(figure, curve[-1], names)
    else:
        _names_at_ends(axes, curve[-1], names)
    return _stretches(axes, curve)


def _line(axes: Axes, places: Sequence[float], shares: Sequence[Proportion], name: str) -> None:
    colour = COLOURS[name]
    rates = [share.rate or 0.0 for share in shares]
    lows = [share.low or 0.0 for share in shares]
    highs = [share.high or 0.0 for share in shares]
    axes.fill_between(places, lows, highs, color=colour, alpha=0.14, linewidth=0)
    # The band of a single stretch has no width.
    axes.vlines(places, lows, highs, color=colour, alpha=0.35, linewidth=1)
    width = 3 if name == "patched" else 2
    axes.plot(places, rates, _LINES[name], color=colour, linewidth=width)
    axes.plot(places, rates, MARKS[name], color=colour, markersize=7, **EDGE)  # type: ignore[arg-type]


def _names_at_ends(axes: Axes, last: CurvePoint, names: Sequence[str]) -> None:
    """Put each line's name and rate next to its end, without overlaps."""
    ends = sorted((_rate(last, name), -place, name) for place, name in enumerate(names))
    _, height = size_of(axes.get_figure(root=True))  # type: ignore[arg-type]
    apart = (TEXT_SIZE + 5) / (axes.get_position().height * height)
    for (rate, _, name), place in zip(ends, spread([r for r, _, _ in ends], apart), strict=True):
        axes.annotate(
            f"{name} {100 * rate:.0f} %",
            (1, place),
            xycoords="axes fraction",
            xytext=(8, 0),
            textcoords="offset points",
            va="center",
            color=COLOURS[name],
            annotation_clip=False,
        )


def _names_above(figure: Figure, last: CurvePoint, names: Sequence[str]) -> None:
    _, height = size_of(figure)
    for row, name in enumerate(names):
        text = f"{name} {100 * _rate(last, name):.0f} %"
        figure.text(0, 1 - (4 + 18 * row) / height, text, va="top", color=COLOURS[name])


def _rate(point: CurvePoint, name: str) -> float:
    return getattr(point, name).rate or 0.0


def spread(values: Sequence[float], apart: float) -> list[float]:
    """Return places up to 1 near ascending values, in order and at least `apart` apart."""
    places: list[float] = []
    for value in values:
        places.append(max(value, places[-1] + apart) if places else value)
    ceiling = 1.0
    for i in reversed(range(len(places))):
        places[i] = min(places[i], ceiling)
        ceiling = places[i] - apart
    return places


def patches_over_time(curve: Sequence[CurvePoint]) -> Plot:
    """Plot the patches in the store at the end of each stretch, by status.

    Args:
        curve: at least one stretch.
    """
    statuses = [s for s in STATUSES if any(getattr(point.patches, s) for point in curve)]
    ways = ", ".join(
        f"{s} from {getattr(curve[0].patches, s)} to {getattr(curve[-1].patches, s)}"
        for s in statuses
    )
    return drawn_twice(
        name="patches",
        caption="Patches in the store at the end of each stretch of the run, by status.",
        says=f"Stacked bars over {len(curve)} stretches: {ways or 'no patch at all'}.",
        heights=(320, 290),
        draw=lambda figure: _stacks(figure, curve, statuses),
        tips=[
            "\n".join([_stretch(point), *(f"{s} {getattr(point.patches, s):,}" for s in statuses)])
            for point in curve
        ],
    )


def _stacks(figure: Figure, curve: Sequence[CurvePoint], statuses: Sequence[str]) -> list[Band]:
    narrow = is_narrow(figure)
    axes = within(figure, left=44, right=20, top=54 if narrow else 36, bottom=48)
    middles = [(point.first + point.last) / 2 for point in curve]
    widths = [0.84 * (point.last - point.first + 1) for point in curve]
    floor = [0] * len(curve)
    for status in statuses:
        counts = [getattr(point.patches, status) for point in curve]
        look = {"color": COLOURS[status], "hatch": _HATCHES[status], "edgecolor": COLOURS["page"]}
        axes.bar(middles, counts, widths, floor, label=status, linewidth=0, **look)  # type: ignore[arg-type]
        floor = [low + count for low, count in zip(floor, counts, strict=True)]
    axes.set_ylim(0, max(*floor, 1) * 1.05)
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    over_requests(axes, curve[-1].last)
    if statuses:
        abreast = 2 if narrow else len(statuses)
        figure.legend(loc="upper left", ncols=abreast, borderpad=0.2, handlelength=1.2)
    return _stretches(axes, curve)


def failures(clusters: Sequence[FailureCluster]) -> Plot:
    """Plot failures by label, without patches and with them.

    Args:
        clusters: at least one.
    """
    before, after = (sum(getattr(c, name) for c in clusters) for name in ("baseline", "patched"))
    height = 60 + ROW * len(clusters)
    return drawn_twice(
        name="failures",
        caption="Failures by label: those of the baseline (square) and those with patches (dot).",
        says=f"Dot plot of {len(clusters)} labels: {before:,} failures of the baseline in total, "
        f"{after:,} with patches.",
        heights=(height, height + 24),
        draw=lambda figure: _failures(figure, clusters),
        tips=[f"{c.label}\nbaseline {c.baseline:,}\npatched {c.patched:,}" for c in clusters],
    )


def _failures(figure: Figure, clusters: Sequence[FailureCluster]) -> list[Band]:
    axes = row_by_row(figure, [cluster.label for cluster in clusters])
    dumbbells(axes, [(cluster.baseline, cluster.patched) for cluster in clusters])
    most = max(max(cluster.baseline, cluster.patched) for cluster in clusters)
    axes.set_xlim(-0.03 * most, 1.06 * most)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
    axes.set_xlabel("failures")
    return rows(axes, len(clusters))


def label_scores(labels: Sequence[LabelScore]) -> Plot:
    """Plot precision and recall of each label, without patches and with them.

    Args:
        labels: at least one.
    """
    moves = [(each.patched.recall or 0.0) - (each.baseline.recall or 0.0) for each in labels]
    better, worse = sum(move > 0 for move in moves), sum(move < 0 for move in moves)
    height = 76 + ROW * len(labels)
    return drawn_twice(
        name="labels",
        caption="Precision and recall of each label on the golden set: baseline (square) and "
        "patched (dot).",
        says=f"Dot plot of {len(labels)} labels: recall rises for {better} and falls for {worse}.",
        heights=(height, height + 24),
        draw=lambda figure: _scores(figure, labels),
        tips=[
            "\n".join(
                [each.label, *(_before_after(each, name) for name in ("precision", "recall"))]
            )
            for each in labels
        ],
    )


def _before_after(label: LabelScore, name: str) -> str:
    before, after = (fmt.score(getattr(arm, name)) for arm in (label.baseline, label.patched))
    return f"{name} {before} → {after}"


def _scores(figure: Figure, labels: Sequence[LabelScore]) -> list[Band]:
    names = [each.label for each in labels]
    for column, score in enumerate(("precision", "recall")):
        axes = row_by_row(figure, names, column, 2, top=30)
        pairs = [(getattr(each.baseline, score), getattr(each.patched, score)) for each in labels]
        dumbbells(axes, pairs)
        axes.set_xlim(-0.03, 1.03)
        axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
        axes.set_title(score, pad=26 if is_narrow(figure) else 10)
    return rows(axes, len(labels))
