"""The effects of patches and examples as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.text import Text

from patchlab_agent.models.effect import EffectReport, ExampleEffect, PatchEffect
from patchlab_agent.report import format as fmt
from patchlab_agent.report.inspect import SHORT_ID
from patchlab_agent.report.tables import line, noted, table_of

_FIGURES = ("golden", "traces", "saves", "spoils", "net")
_SCORES = (
    " golden score, traces score: mean score with it minus without it, in points with its 95 % "
    "interval (Student's t for pairs); answers that are right in part count in part."
)


def render(report: EffectReport) -> RenderableType:
    """Render one line per patch and example that changes an answer, and the calls it took.

    A patch that is applied to some case has a line even if it changes no answer.
    """
    applied = [effect for effect in report.patches if effect.cases]
    telling = [effect for effect in report.examples if _matters(effect)]
    parts: list[RenderableType] = []
    if applied:
        parts += [_rows(applied, report.is_graded), Text()]
    if telling:
        parts += [_examples(telling, report.is_graded), Text()]
    notes = Text("\n".join(_notes(report, len(report.patches) - len(applied), len(telling))))
    return Group(*parts, notes) if parts else notes


def _rows(effects: list[PatchEffect], is_graded: bool) -> RenderableType:
    table = table_of(
        "The worth of each patch, measured by leaving it out",
        *("patch", "teaches", *_FIGURES, "p", *_score_names(is_graded)),
        texts=2,
    )
    for effect in effects:
        table.add_row(
            line(effect.id[:SHORT_ID]),
            line(effect.teaches),
            *_figures(effect),
            fmt.p_value(effect.p_value),
            *_scores(effect, is_graded),
        )
    return noted(
        table,
        "golden, traces: cases that it is applied to; saves, spoils: answers right, or wrong, only "
        "with it, golden + traces; net: saves - spoils; p: exact McNemar test on golden cases, "
        "adjusted for the number of patches (Benjamini-Hochberg)." + _SCORES * is_graded,
    )


def _examples(effects: list[ExampleEffect], is_graded: bool) -> RenderableType:
    table = table_of(
        "The worth of each example, measured by leaving it out",
        *("example", "request", *_FIGURES, *_score_names(is_graded)),
        texts=2,
    )
    for effect in effects:
        table.add_row(
            line(effect.id),
            line(fmt.shortened(effect.request)),
            *_figures(effect),
            *_scores(effect, is_graded),
        )
    return noted(table, "golden, traces: cases that show it; other columns as for patches.")


def _matters(effect: ExampleEffect) -> bool:
    changes = (each.scores.mean for each in (effect.golden, effect.traces) if each.scores)
    return bool(effect.saves or effect.spoils or any(changes))


def _score_names(is_graded: bool) -> tuple[str, ...]:
    return ("golden score", "traces score") if is_graded else ()


def _scores(effect: PatchEffect | ExampleEffect, is_graded: bool) -> tuple[str, ...]:
    """Return the cells under `_score_names`."""
    found = (effect.golden.scores, effect.traces.scores) if is_graded else ()
    return tuple(fmt.NOTHING if each is None else fmt.difference(each) for each in found)


def _figures(effect: PatchEffect | ExampleEffect) -> tuple[str, ...]:
    """Return the cells under `_FIGURES`."""
    golden, traces = effect.golden, effect.traces
    return (
        fmt.count(golden.cases),
        fmt.count(traces.cases),
        f"{golden.saves} + {traces.saves}",
        f"{golden.spoils} + {traces.spoils}",
        f"{effect.net:+d}" if effect.net else "0",
    )


def _notes(report: EffectReport, unused: int, telling: int) -> Iterator[str]:
    cases = f"{fmt.count(report.golden_cases)} golden cases and {fmt.count(report.traces)} traces"
    if not report.patches:
        yield "No patch is active, so there is nothing to leave out."
        if not report.examples:
            return
    if unused:
        yield f"{unused} of {len(report.patches)} patches apply to none of the {cases}."
    if report.examples:
        yield (
            f"Of {fmt.several(len(report.examples), 'example', 'examples')} shown in {cases}, "
            f"{fmt.count(telling)} made a difference by themselves."
        )
    if report.traces_unknown:
        yield f"{report.traces_unknown} traces are excluded: no answer to them was right."
    if report.traces and report.patches:
        yield "Traces include the requests that taught the patches, so p excludes them."
    yield _calls(report)
    if report.patches:
        yield (
            "Two patches that do the same job both look useless here: the other one still does it."
        )


def _calls(report: EffectReport) -> str:
    each = "patch and example" if report.examples else "patch"
    full = f"{fmt.count(report.full_calls)} that a full rerun for each {each} would take"
    share = f" ({report.calls / report.full_calls:.1%})" if report.full_calls else ""
    return f"{fmt.count(report.calls)} calls instead of {full}{share}."
