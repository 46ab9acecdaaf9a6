"""A comparison as tables for a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from patchlab_agent.models.comparison import ComparedRun, ComparisonReport, Lessons
from patchlab_agent.models.report import Proportion
from patchlab_agent.report import format as fmt
from patchlab_agent.report.grid import Grid, grid_of
from patchlab_agent.report.tables import line, noted, table_of

WIDTH = 20
"""Width of the drawn intervals, in columns."""
STEP = 0.05
"""The scale of the intervals starts and ends at multiples of this."""
ABREAST = 4
"""Grid columns in one table: more would not fit the width used for a pipe."""
CELL_WIDTH = 20
"""In characters, for the longest figures in a cell: `-31.7 [-37.4, -25.6]`."""


def render(report: ComparisonReport, *, unicode: bool = True) -> RenderableType:
    """Render the results of all sides, their differences, and their cost."""
    return Group(*(Padding(part, (0, 0, 1, 0)) for part in _parts(report, unicode)))


def _parts(report: ComparisonReport, unicode: bool) -> Iterator[RenderableType]:
    grid = grid_of(report)
    if grid is not None:
        yield from _grid(grid, report)
    if grid is None or _shared(report) is None:
        yield _accuracy(report, unicode)
    yield _differences(report)
    if any(side.scores for side in report.sides):
        yield _scores(report)
    yield _lessons(report)
    if notes := [*_settings(report), *_failures(report)]:
        yield fmt.literal("\n".join(notes))


def _shared(report: ComparisonReport) -> tuple[Proportion, Proportion] | None:
    """Return the baseline and the ceiling if all sides agree in them, else None."""
    found = {(side.baseline, side.ceiling) for side in report.sides}
    return found.pop() if len(found) == 1 else None


def _grid(grid: Grid, report: ComparisonReport) -> Iterator[RenderableType]:
    values = grid.columns.values
    parts = [values[start : start + ABREAST] for start in range(0, len(values), ABREAST)]
    tables = [_cells(grid, part, report) for part in parts]
    yield from tables[:-1]
    yield noted(tables[-1], _grid_note(report))


def _grid_note(report: ComparisonReport) -> str:
    note = (
        "Each cell: right answers with patches, in percent with the 95 % interval (Wilson); "
        f"the difference from {fmt.visible(report.sides[0].label)} in points with its paired 95 % "
        "interval (Newcombe); golden cases gained and lost against it."
    )
    if shared := _shared(report):
        baseline, ceiling = map(_rate, shared)
        note += f" In all cells, baseline {baseline} and ceiling {ceiling}."
    return note


def _cells(grid: Grid, columns: Sequence[str], report: ComparisonReport) -> Table:
    table = table_of(_title(report), grid.rows.name)
    for value in columns:
        heading = line(grid.columns.titled(value))
        table.add_column(heading, no_wrap=True, max_width=CELL_WIDTH)
    for row in grid.rows.values:
        sides = (grid.sides.get((row, value)) for value in columns)
        table.add_row(line(row), *map(_cell, sides), end_section=True)
    return table


def _cell(side: ComparedRun | None) -> Text:
    if side is None:
        return Text("failed", style="dim")
    found = Text(_rate(side.patched), style="bold")
    if side.difference is None:
        return found.append("\nreference", style="not bold")
    gained, lost = (fmt.count(n) for n in (side.difference.gained, side.difference.lost))
    told = f"\n{fmt.difference(side.difference)}\n{gained} gained, {lost} lost"
    return found.append(told, style="not bold")


def _title(report: ComparisonReport) -> str:
    return f"Accuracy on the same {fmt.count(report.cases)} golden cases"


def _accuracy(report: ComparisonReport, unicode: bool) -> RenderableType:
    low, high = _scale(report)
    mark = "●" if unicode else "o"
    table = table_of(
        _title(report),
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
    """Draw a share as a dot between the ends of its interval, on a line of `width` columns.

    Args:
        share: the share to draw; one of 0 cases is left blank.
        scale: the shares at the ends of the line.
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
        "With patches, compared with the first line case by case",
        *("", "difference", "gained", "lost", "p", "own requests", "n"),
    )
    for side in report.sides:
        stream = (fmt.percent(side.stream.rate), fmt.count(side.stream.total))
        table.add_row(line(side.label), *_difference(side), *stream)
    return noted(
        table,
        "difference: in points with its paired 95 % interval (Newcombe); gained, lost: golden "
        "cases right here and wrong there, or the reverse; p: exact McNemar test; "
        "own requests: success with patches on the n requests that it learned from.",
    )


def _difference(side: ComparedRun) -> tuple[str, ...]:
    paired = side.difference
    if paired is None:
        return (fmt.NOTHING,) * 4
    counts = (fmt.count(paired.gained), fmt.count(paired.lost))
    return (fmt.difference(paired), *counts, fmt.p_value(paired.p_value))


def _scores(report: ComparisonReport) -> RenderableType:
    table = table_of(
        "Mean score, where answers that are right in part count in part",
        *("", "patched", "baseline", "ceiling", "difference"),
    )
    for side in report.sides:
        if scores := side.scores:
            means = (scores.patched, scores.baseline, scores.ceiling)
            changed = scores.difference
            told = fmt.NOTHING if changed is None else fmt.difference(changed)
            table.add_row(line(side.label), *map(fmt.percent, means), told)
    return noted(
        table,
        "difference: of the patched answers from those of the first line, in points with its 95 % "
        "interval (Student's t for pairs).",
    )


def _lessons(report: ComparisonReport) -> RenderableType:
    table = table_of(
        "What was learned, and at what cost",
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
        "active, kept out: patches active, and in quarantine, after the run; wrongly: of the "
        "latter, those that a golden case needs; false: of the patches in golden prompts, those "
        "that no case needs and the starting prompt lacks; prompts: share of golden prompts with "
        "a false patch; harms, own: golden cases, and its own requests, right without patches and "
        f"wrong with them; tokens: of the median prompt; {fmt.NOTHING}: unknown or unavailable.",
    )


def _lessons_shown(lessons: Lessons | None, cases: int) -> tuple[str, str, str]:
    if lessons is None:
        return (fmt.NOTHING,) * 3
    false = f"{lessons.false} of {lessons.shown}"
    refused = lessons.refused_needed
    wrongly = fmt.NOTHING if refused is None else fmt.count(refused)
    return wrongly, false, fmt.percent(lessons.false_prompts / cases)


def _settings(report: ComparisonReport) -> Iterator[str]:
    """Yield the settings in which sides differ, for labels that do not state them."""
    for side in report.sides:
        told = ", ".join(f"{name}={fmt.value(value)}" for name, value in side.settings.items())
        if told and "=" not in side.label:
            yield f"{side.label}: {told}"


def _failures(report: ComparisonReport) -> Iterator[str]:
    for failure in report.failures:
        yield f"{failure.label} is left out: {failure.stop.reason}"
