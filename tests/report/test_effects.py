"""The effect of each patch on a terminal."""

from __future__ import annotations

from typing import Any

import pytest

from patchlab_agent.models.effect import Effect, EffectReport, ExampleEffect, PatchEffect
from patchlab_agent.report import format as fmt
from patchlab_agent.report.effects import render
from tests.report.make import MARKUP, flat, shown

pytestmark = pytest.mark.quick

NONE = Effect(cases=0, saves=0, spoils=0)


def effect(number: int, golden: Effect, traces: Effect = NONE, **changes: Any) -> PatchEffect:
    net = golden.saves + traces.saves - golden.spoils - traces.spoils
    return PatchEffect(
        **{
            "id": f"{number:x}" * 16,
            "trigger": "battery",
            "teaches": "battery → restriction: item=battery, demand=hazmat",
            "golden": golden,
            "traces": traces,
            "net": net,
            "p_value": 0.125 if net else None,
            **changes,
        }
    )


def report(*effects: PatchEffect, **changes: Any) -> EffectReport:
    return EffectReport(
        **{
            "backend": "toy",
            "patches": effects,
            "golden_cases": 40,
            "traces": 86,
            "traces_unknown": 14,
            "calls": 185,
            "full_calls": 9450,
            **changes,
        }
    )


SAVING = effect(1, Effect(cases=12, saves=3, spoils=1), Effect(cases=9, saves=5, spoils=2))
SPOILING = effect(2, Effect(cases=2, saves=0, spoils=2))
IDLE = effect(3, NONE)


def test_the_table_shows_every_figure() -> None:
    text = flat(shown(render(report(SAVING, SPOILING)), 100))
    assert "12 9 3 + 5 1 + 2 +5 0.125" in text
    assert "2 0 0 + 0 2 + 0 -2 0.125" in text
    assert "185 calls instead of 9,450 that a full rerun for each patch would take (2.0%)." in text
    assert "14 traces are excluded: no answer to them was right." in text


def test_a_patch_that_applies_nowhere_is_counted_and_not_shown() -> None:
    text = flat(shown(render(report(SAVING, IDLE))))
    assert "1 of 2 patches apply to none of the 40 golden cases and 86 traces." in text
    assert IDLE.id[:8] not in text
    assert "The worth of each patch" not in flat(shown(render(report(IDLE))))


def test_a_net_of_nothing_has_no_p_value() -> None:
    text = flat(shown(render(report(effect(4, Effect(cases=1, saves=0, spoils=0))))))
    assert "1 0 0 + 0 0 + 0 0 –" in text


@pytest.mark.parametrize(
    ("value", "said"),
    [(None, "–"), (1.0, "1.000"), (0.0312, "0.031"), (0.001, "0.001"), (0.00099, "<0.001")],
)
def test_a_p_value_is_never_said_to_be_nought(value: float | None, said: str) -> None:
    assert fmt.p_value(value) == said


def example(number: int, saves: int, spoils: int, **changes: Any) -> ExampleEffect:
    return ExampleEffect(
        **{
            "id": f"t-000000{number}",
            "request": "Ship 2 kg books box to US",
            "golden": Effect(cases=5, saves=saves, spoils=0),
            "traces": Effect(cases=7, saves=0, spoils=spoils),
            "net": saves - spoils,
            **changes,
        }
    )


def test_examples_that_make_a_difference_have_a_table_of_their_own() -> None:
    examples = (example(1, 2, 1), example(2, 0, 0), example(3, 0, 3))
    text = flat(shown(render(report(SAVING, examples=examples)), 100))
    assert "The worth of each example" in text
    assert "t-0000001 Ship 2 kg books box to US 5 7 2 + 0 0 + 1 +1" in text
    assert "t-0000003 Ship 2 kg books box to US 5 7 0 + 0 0 + 3 -3" in text
    assert "t-0000002" not in text
    assert (
        "Of 3 examples shown in 40 golden cases and 86 traces, 2 made a difference by themselves."
        in text
    )
    assert "a full rerun for each patch and example would take" in text


def test_examples_are_told_of_where_no_patch_is_active() -> None:
    text = flat(shown(render(report(examples=(example(1, 2, 1),))), 100))
    assert "No patch is active, so there is nothing to leave out." in text
    assert "t-0000001" in text
    assert "Two patches" not in text


def test_nothing_to_leave_out_is_said() -> None:
    text = flat(shown(render(report(calls=0, full_calls=0))))
    assert text == "No patch is active, so there is nothing to leave out."


@pytest.mark.parametrize("width", [100, 160])
def test_markup_in_a_patch_is_shown_as_it_is(width: int) -> None:
    text = shown(render(report(effect(1, SAVING.golden, teaches=MARKUP))), width)
    assert MARKUP[:20] in text
