"""A comparison as tables for a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.padding import Padding

from patchlab_agent.models.comparison import ComparisonReport, Lessons, Side
from patchlab_agent.models.report import Proportion
from patchlab_agent.report import format as fmt
from patchlab_agent.report.tables import line, noted, table_of

WIDTH = 20
"""Columns of the drawn intervals."""
STEP = 0.05
"""Their scale begins and ends at multiples of this."""


def render(report: ComparisonReport, *, unicode: bool = True) -> RenderableType:
    """What the sides come to, how they differ, and at what price."""
    return Group(*(Padding(part, (0, 0, 1, 0)) for part in _parts(report, unicode)))


def _parts(report: ComparisonReport, unicode: bool) -> Iterator[RenderableType]:
    yield _accuracy(report, unicode)
    yield _differences(report)
    yield _lessons(report)
    if notes := [*_settings(report), *_failures(report)]:
        yield fmt.literal("\n".join(notes))


def _accuracy(report: ComparisonReport, unicode: bool) -> RenderableType:
    low, high = _scale(report)
    mark = "●" if unicode else "o"
    table = table_of(
        f"Accuracy on the same {fmt.count(report.cases)} golden cases",
        *("", "", "patched", "baseline", "ceiling"),
    )
    table.columns[1].justify = "left"
    for side in report.sides:
        drawn = interval(side.patched, (low, high), unicode=unicode)
        rates = (side.patched, side.baseline, side.ceiling)
        table.add_row(line(side.label), drawn, *map(_rate, rates))
    return noted(
        table,
        f"{mark} patched with its 95 % interval (Wilson), drawn from {low:.0%} to {high:.0%}; "
        "all in percent.",
    )


def _scale(report: ComparisonReport) -> tuple[float, float]:
    lows = [side.patched.low or 0.0 for side in report.sides]
    highs = [1.0 if side.patched.high is None else side.patched.high for side in report.sides]
    low, high = math.floor(min(lows) / STEP) * STEP, math.ceil(max(highs) / STEP) * STEP
    return max(0.0, low), min(1.0, high)


def interval(
    share: Proportion, scale: tuple[float, float], width: int = WIDTH, *, unicode: bool = True
) -> str:
    """A share as a dot between the ends of its interval, on a line of `width` columns.

    Args:
        share: what is drawn; nothing for a share of nothing.
        scale: the shares at the line's ends.
        width: columns.
        unicode: False draws in ASCII.
    """
    if share.rate is None or share.low is None or share.high is None:
        return " " * width
    dot, start, end, between = ("●", "├", "┤", "─") if unicode else ("o", "|", "|", "-")
    low, rate, high = (_column(each, scale, width) for each in (share.low, share.rate, share.high))
    drawn = [between if low <= column <= high else " " for column in range(width)]
    drawn[low], drawn[high], drawn[rate] = start, end, dot
    return "".join(drawn)


def _column(share: float, scale: tuple[float, float], width: int) -> int:
    low, high = scale
    return round((share - low) / (high - low) * (width - 1)) if high > low else 0


def _rate(share: Proportion) -> str:
    if share.rate is None or share.low is None or share.high is None:
        return fmt.NOTHING
    return f"{100 * share.rate:.1f} [{100 * share.low:.1f}, {100 * share.high:.1f}]"


def _differences(report: ComparisonReport) -> RenderableType:
    table = table_of(
        "With patches, against the first line case by case",
        *("", "difference", "gained", "lost", "p", "own requests", "n"),
    )
    for side in report.sides:
        stream = (fmt.percent(side.stream.rate), fmt.count(side.stream.total))
        table.add_row(line(side.label), *_difference(side), *stream)
    return noted(
        table,
        "difference: in points with its paired 95 % interval (Newcombe); gained, lost: golden "
        "cases right here and wrong there, or the other way; p: exact McNemar test; "
        "own requests: success with patches on the n requests that it learned from.",
    )


def _difference(side: Side) -> tuple[str, ...]:
    paired = side.difference
    if paired is None:
        return (fmt.NOTHING,) * 4
    counts = (fmt.count(paired.gained), fmt.count(paired.lost))
    return (fmt.difference(paired), *counts, fmt.p_value(paired.p_value))


def _lessons(report: ComparisonReport) -> RenderableType:
    table = table_of(
        "What was learned, and at what price",
        *("", "active", "kept out", "wrongly", "false", "prompts", "harms", "own"),
        *("tokens", "calls"),
    )
    for side in report.sides:
        table.add_row(
            line(side.label),
            fmt.count(side.active),
            fmt.count(side.quarantined),
            *_lessons_shown(side.lessons, report.cases),
            fmt.count(side.harms.golden),
            fmt.count(side.harms.stream),
            fmt.NOTHING if side.prompt_tokens is None else f"{side.prompt_tokens:,.0f}",
            fmt.count(side.calls),
        )
    return noted(
        table,
        "active, kept out: patches in use, and in quarantine, after the run; wrongly: of the "
        "latter, what a golden case needs; false: of the patches in golden prompts, what no case "
        "needs and the model was not told; prompts: golden ones with such a patch; harms, own: "
        "golden cases, and its own requests, right without patches and wrong with them; tokens: "
        f"of the median prompt; {fmt.NOTHING}: not known any more, or not at hand.",
    )


def _lessons_shown(lessons: Lessons | None, cases: int) -> tuple[str, str, str]:
    if lessons is None:
        return (fmt.NOTHING,) * 3
    false = f"{lessons.false} of {lessons.shown}"
    refused = lessons.refused_needed
    wrongly = fmt.NOTHING if refused is None else fmt.count(refused)
    return wrongly, false, fmt.percent(lessons.false_prompts / cases)


def _settings(report: ComparisonReport) -> Iterator[str]:
    """Where labels do not say what was varied: in what the sides' settings differ."""
    for side in report.sides:
        told = ", ".join(f"{name}={fmt.value(value)}" for name, value in side.settings.items())
        if told and "=" not in side.label:
            yield f"{side.label}: {told}"


def _failures(report: ComparisonReport) -> Iterator[str]:
    for failure in report.failures:
        yield f"{failure.label} is left out: {failure.stop.reason}"
