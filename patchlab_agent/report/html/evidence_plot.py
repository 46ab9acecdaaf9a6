"""The course of the evidence for one patch, as a small figure.

A page may hold hundreds of these, for which matplotlib would be too slow and its files too large.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from patchlab_agent.metrics.usage import evidence_path
from patchlab_agent.models.evidence import MAX_RECORD, Record
from patchlab_agent.report import format as fmt

WIDTH, HEIGHT = 340.0, 120.0
LEFT, RIGHT, TOP, BOTTOM = 34.0, 116.0, 12.0, 28.0
"""Margins; the right one holds the latest value in words."""
TEXT = 14.0
"""Height of a line of text."""
LARGEST_MARK, SMALLEST_MARK = 3.0, 1.5
"""Half the width of a mark, from few outcomes to the most that a record keeps."""
MOST = 1_000_000
"""Odds above this are only given as more than this: further precision means nothing."""


@dataclass(frozen=True)
class EvidencePlot:
    """A figure of one patch's record.

    Attributes:
        caption: how to read it.
        says: the text alternative for people who cannot see it.
        svg: the picture.
    """

    caption: str
    says: str
    svg: Markup


def evidence_plot(record: Record, alpha: float | None) -> EvidencePlot | None:
    """Plot the e-value after each outcome on a log scale; None if there is no outcome.

    Args:
        record: of the patch.
        alpha: the gate's bound is 1/alpha; None draws no bound.
    """
    values = evidence_path(record)
    if not values:
        return None
    bound = None if alpha is None else 1 / alpha
    return EvidencePlot(
        caption=_caption(bound),
        says=_says(record, values, bound),
        svg=_drawn(record.outcomes, values, bound),
    )


def _caption(bound: float | None) -> str:
    caption = (
        "Evidence that the patch helps (e-value, log scale) after each request that turned right "
        "(dot) or wrong (cross)"
    )
    return (
        f"{caption}." if bound is None else f"{caption}; dashed: the gate's bound, {odds(bound)}."
    )


def _says(record: Record, values: Sequence[float], bound: float | None) -> str:
    latest = "the latest " if len(values) == MAX_RECORD else ""
    told = (
        f"Line chart of the evidence that the patch helps, after each of {latest}"
        f"{fmt.several(len(values), 'request', 'requests')} that it turned right "
        f"({fmt.count(record.mended)}) or wrong ({fmt.count(record.broken)}). "
        f"It starts at {odds(1)} and ends at {odds(values[-1])}"
    )
    highest = max(values)
    if highest > max(values[-1], 1):
        told += f"; its highest is {odds(highest)}, after request {values.index(highest) + 1}"
    if bound is None:
        return f"{told}."
    passed = next((n for n, value in enumerate(values, start=1) if value >= bound), None)
    how = "is not reached" if passed is None else f"is reached after request {passed}"
    return f"{told}. The bound of {odds(bound)} {how}."


def odds(value: float) -> str:
    """Put an e-value in words: `20 to 1`, `1 to 5.04`, `over a million to 1`.

    Args:
        value: above 0.
    """
    larger = max(value, 1 / value)
    side = "over a million" if larger > MOST else _number(larger)
    return f"{side} to 1" if value >= 1 else f"1 to {side}"


@dataclass(frozen=True)
class _Scale:
    """Positions in the figure: outcomes from left to right, powers of ten from the bottom.

    Attributes:
        across: from one outcome to the next.
        upright: from one power of ten to the next.
        top: the power of ten at the upper edge.
    """

    across: float
    upright: float
    top: float

    @classmethod
    def of(cls, values: Sequence[float], bound: float | None) -> _Scale:
        """Fit a scale to the values; it always includes the start and the bound."""
        powers = [math.log10(value) for value in (1.0, bound or 1.0, *values)]
        return cls(
            across=(WIDTH - LEFT - RIGHT) / len(values),
            upright=(HEIGHT - TOP - BOTTOM) / (max(powers) - min(powers)),
            top=max(powers),
        )

    def x(self, number: int) -> float:
        """Return the position of an outcome; 0 is the start."""
        return LEFT + self.across * number

    def y(self, value: float) -> float:
        """Return the position of an e-value."""
        return TOP + self.upright * (self.top - math.log10(value))


def _drawn(outcomes: str, values: Sequence[float], bound: float | None) -> Markup:
    scale = _Scale.of(values, bound)
    # Nothing was observed at the start, which is an e-value of 1.
    way = [f"{scale.x(n):.1f} {scale.y(value):.1f}" for n, value in enumerate((1.0, *values))]
    size = min(LARGEST_MARK, max(SMALLEST_MARK, 0.4 * scale.across))
    right, wrong = (
        "".join(
            f"M{place}{shape}"
            for sign, place in zip(outcomes, way[1:], strict=True)
            if sign == wanted
        )
        for wanted, shape in (("+", "h0"), ("-", _cross(size)))
    )
    end, last = scale.x(len(values)), scale.y(values[-1])
    number = fmt.several(len(values), "request", "requests")
    # If the two levels are close together, their numbers would overlap.
    aside = 8 if bound is not None and abs(scale.y(bound) - scale.y(1.0)) < TEXT else 0
    parts = [
        _level(scale, 1.0, "start", 4 + aside),
        "" if bound is None else _level(scale, bound, "bound", 4 - aside),
        f'<path class="way" d="M{"L".join(way)}"/>',
        f'<path class="right" stroke-width="{2 * size:.1f}" d="{right}"/>' if right else "",
        f'<path class="wrong" d="{wrong}"/>' if wrong else "",
        f'<text x="{end + 8:.1f}" y="{last + 4:.1f}">{odds(values[-1])}</text>',
        f'<text class="end" x="{end:.1f}" y="{HEIGHT - 6:.1f}">{number}</text>',
    ]
    # Compact, as there may be hundreds; a script makes bands of it.
    readouts = "|".join(map(odds, values))
    # It contains numbers and this module's own words, but no foreign text.
    return Markup(  # noqa: S704
        f'<svg viewBox="0 0 {WIDTH:g} {HEIGHT:g}" aria-hidden="true" data-odds="{readouts}" '
        f'data-outcomes="{outcomes}">{"".join(parts)}</svg>'
    )


def _level(scale: _Scale, value: float, name: str, below: float) -> str:
    """Draw an e-value from edge to edge, with its number on the left, `below` the line."""
    y = scale.y(value)
    return (
        f'<path class="{name}" d="M{LEFT:g} {y:.1f}H{WIDTH - RIGHT:g}"/>'
        f'<text class="end" x="{LEFT - 6:g}" y="{y + below:.1f}">{_number(value)}</text>'
    )


def _number(value: float) -> str:
    """Format a number with three digits and no exponent."""
    rounded = float(f"{value:.3g}")
    return f"{rounded:,.0f}" if rounded >= 1000 else f"{rounded:g}"


def _cross(size: float) -> str:
    whole = f"{2 * size:.1f}"
    return f"m-{size:.1f}-{size:.1f}l{whole} {whole}m0-{whole}l-{whole} {whole}"
