"""A comparison on a terminal and as a picture."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from patchlab_agent.models.comparison import ComparedRun, ComparisonReport, Failure, Harms, Lessons
from patchlab_agent.models.report import Proportion, Stop
from patchlab_agent.report.comparison import interval, render
from patchlab_agent.report.comparison_plot import draw
from patchlab_agent.statistics import paired_difference, proportion
from tests.report.make import MARKUP, flat, shown
from tests.report.make import proportion as exactly

LESSONS = Lessons(
    shown=17, never_needed=9, false=4, needless_prompts=22, false_prompts=13, refused_needed=3
)


def side(label: str, patched: int, **changes: Any) -> ComparedRun:
    return ComparedRun(
        **{
            "label": label,
            "run": "run-0001",
            "backend": "toy",
            "settings": {},
            "runs": 400,
            "baseline": proportion([True] * 10 + [False] * 30),
            "patched": proportion([True] * patched + [False] * (40 - patched)),
            "ceiling": proportion([True] * 36 + [False] * 4),
            "difference": None,
            "stream": exactly(260, 400),
            "harms": Harms(golden=2, stream=6),
            "lessons": LESSONS,
            "active": 75,
            "quarantined": 12,
            "prompt_tokens": 2304.0,
            "calls": 4985,
            **changes,
        }
    )


FIRST = side("gate=on", 20)
SECOND = side(
    "gate=off",
    25,
    difference=paired_difference(
        [True] * 20 + [False] * 20, [False] * 2 + [True] * 25 + [False] * 13
    ),
    lessons=None,
    prompt_tokens=None,
)
REPORT = ComparisonReport(cases=40, sides=(FIRST, SECOND))


@pytest.mark.parametrize(
    ("low", "rate", "high", "drawn"),
    [
        (0.0, 0.5, 1.0, "├────●────┤"),
        (0.2, 0.3, 0.4, "  ├●┤      "),
        (0.5, 0.5, 0.5, "     ●     "),
        (0.0, 0.0, 0.3, "●──┤       "),
        (0.7, 1.0, 1.0, "       ├──●"),
    ],
)
def test_an_interval_is_a_dot_between_its_ends(
    low: float, rate: float, high: float, drawn: str
) -> None:
    share = Proportion(successes=0, total=1, rate=rate, low=low, high=high)
    assert interval(share, (0.0, 1.0), width=11) == drawn


def test_an_interval_is_drawn_in_ascii_where_need_be_and_of_nothing_not_at_all() -> None:
    share = Proportion(successes=0, total=1, rate=0.5, low=0.25, high=0.75)
    assert interval(share, (0.0, 1.0), width=9, unicode=False) == "  |-o-|  "
    assert interval(share, (0.5, 0.5), width=3) == "●  "
    assert interval(proportion([]), (0.0, 1.0), width=3) == "   "


def test_the_tables_show_every_figure() -> None:
    text = flat(shown(render(REPORT), 100))
    assert "Accuracy on the same 40 golden cases" in text
    assert "50.0 [35.2, 64.8] 25.0 [14.2, 40.2] 90.0 [76.9, 96.0]" in text
    assert "gate=on – – – – 65.0 % 400" in text
    assert "gate=off +12.5 [" in text
    assert " 7 2 0.180 65.0 % 400" in text
    assert "gate=on 75 12 3 4 of 17 32.5 % 2 6 2,304 4,985" in text
    assert "gate=off 75 12 – – – 2 6 – 4,985" in text


@pytest.mark.parametrize("label", ["a", "top-k=1, gate=on, noise=0.03, embedder=wordllama"])
def test_it_fits_a_hundred_columns_whatever_the_label(label: str) -> None:
    sides = (FIRST.model_copy(update={"label": label}), SECOND)
    text = shown(render(ComparisonReport(cases=40, sides=sides)), 100)
    # Only the label gives way.
    assert "50.0 [35.2, 64.8]" in text
    assert text.count("…") == (0 if len(label) == 1 else 3)


def test_nothing_but_ascii_is_drawn_where_nothing_else_can_be_shown() -> None:
    assert "●" in shown(render(REPORT))
    assert not {"●", "├", "┤"} & set(shown(render(REPORT, unicode=False)))


def test_settings_are_told_where_the_label_does_not() -> None:
    sides = (
        side("run-0001", 20, settings={"gate": "on", "top_k": 5}),
        side("top-k=1", 20, settings={"gate": "off", "top_k": 1}),
    )
    text = flat(shown(render(ComparisonReport(cases=40, sides=sides))))
    assert "run-0001: gate=on, top_k=5" in text
    assert "gate=off" not in text


def test_what_failed_is_said() -> None:
    failure = Failure(label="model=a/b", stop=Stop(kind="refused", reason="No such model; look."))
    text = flat(shown(render(REPORT.model_copy(update={"failures": (failure,)}))))
    assert "model=a/b is left out: No such model; look." in text


def test_markup_in_a_label_is_shown_as_it_is() -> None:
    sides = (side(MARKUP, 20), side(MARKUP, 20, settings={"x": MARKUP}))
    assert shown(render(ComparisonReport(cases=40, sides=sides))).count(MARKUP) == 8


def test_the_picture_is_the_same_each_time_and_holds_its_texts(tmp_path: Path) -> None:
    hostile = side("<b>&amp; $x_1$ </b>", 20)
    report = ComparisonReport(cases=40, sides=(FIRST, hostile))
    for name in ("a.svg", "b.svg"):
        draw(report, tmp_path / name)
    drawn = (tmp_path / "a.svg").read_bytes()
    assert drawn == (tmp_path / "b.svg").read_bytes()
    texts = [text for text in ET.fromstring(drawn).itertext() if text.strip()]
    assert {"gate=on", "<b>&amp; $x_1$ </b>", "baseline", "patched", "ceiling"} <= set(texts)


def test_the_picture_grows_with_its_sides(tmp_path: Path) -> None:
    heights = []
    for n in (1, 12):
        path = tmp_path / "a.svg"
        sides = tuple(side(f"top-k={k}", 20 + k) for k in range(n))
        draw(ComparisonReport(cases=40, sides=sides), path)
        heights.append(float(ET.parse(path).getroot().attrib["height"].removesuffix("pt")))
    assert heights[1] > 3 * heights[0]


def test_a_share_of_nothing_is_left_out_of_the_picture(tmp_path: Path) -> None:
    draw(
        ComparisonReport(
            cases=0, sides=(side("none", 0).model_copy(update={"patched": proportion([])}),)
        ),
        tmp_path / "a.PNG",
    )
    assert (tmp_path / "a.PNG").read_bytes().startswith(b"\x89PNG")
