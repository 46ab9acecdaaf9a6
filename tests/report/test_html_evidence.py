"""The small figure of a patch's record: whole, in the page's colours, and the same in words."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from patchlab_agent.metrics.usage import evidence_path
from patchlab_agent.models.evidence import MAX_RECORD, Record
from patchlab_agent.report.html.evidence_plot import HEIGHT, WIDTH, evidence_plot, odds
from patchlab_agent.report.html.page import page
from patchlab_agent.statistics import e_value
from tests.report.make import GATE, full_report, patch
from tests.report.parsed import parsed


def svg(outcomes: str, alpha: float | None = 0.05) -> ElementTree.Element:
    plot = evidence_plot(Record(outcomes=outcomes), alpha)
    assert plot is not None
    return ElementTree.fromstring(plot.svg)


def says(outcomes: str, alpha: float | None = 0.05) -> str:
    plot = evidence_plot(Record(outcomes=outcomes), alpha)
    assert plot is not None
    return plot.says


def drawn(root: ElementTree.Element, name: str) -> str:
    """The path of that name; empty where there is none."""
    return next((node.attrib["d"] for node in root.iter("path") if node.get("class") == name), "")


def words(root: ElementTree.Element) -> list[str]:
    return [text for node in root.iter("text") for text in node.itertext()]


def height(root: ElementTree.Element, name: str) -> float:
    """How far from the top a level lies."""
    return float(drawn(root, name).split()[1].partition("H")[0])


def way(root: ElementTree.Element) -> list[tuple[float, float]]:
    points = drawn(root, "way").removeprefix("M").split("L")
    return [(float(x), float(y)) for x, y in (point.split() for point in points)]


def test_the_path_is_the_e_value_as_it_stood_after_each_outcome() -> None:
    assert evidence_path(Record()) == ()
    assert evidence_path(Record(outcomes="+-+")) == (e_value(1, 0), e_value(1, 1), e_value(2, 1))


def test_without_outcomes_there_is_no_figure() -> None:
    assert evidence_plot(Record(), 0.05) is None


@pytest.mark.parametrize(
    "outcomes", ["+", "-", "++-+++", "+" * MAX_RECORD, "-" * MAX_RECORD, "+-" * (MAX_RECORD // 2)]
)
@pytest.mark.parametrize("alpha", [0.05, 1e-9, None])
def test_every_outcome_has_a_mark_within_the_figure(outcomes: str, alpha: float | None) -> None:
    root = svg(outcomes, alpha)
    points = way(root)
    # It starts where nothing has been observed.
    assert len(points) == len(outcomes) + 1
    assert points[0][1] == height(root, "start")
    assert all(0 < x < WIDTH and 0 < y < HEIGHT for x, y in points)
    assert [x for x, _ in points] == sorted(x for x, _ in points)
    assert drawn(root, "right").count("h0") == outcomes.count("+")
    assert drawn(root, "wrong").count("M") == outcomes.count("-")


def test_it_crosses_the_bound_where_the_evidence_does() -> None:
    root = svg("+++++")
    bound = height(root, "bound")
    assert [y < bound for _, y in way(root)] == [False] * 5 + [True]
    assert {"1", "20", "20.6 to 1", "5 requests"} == set(words(root))


def test_without_a_bound_none_is_drawn_or_told() -> None:
    root = svg("++-", None)
    assert not drawn(root, "bound")
    plot = evidence_plot(Record(outcomes="++-"), None)
    assert plot is not None
    assert "bound" not in plot.caption + plot.says


def test_numbers_of_levels_never_lie_on_one_another() -> None:
    for outcomes in ("+", "+" * MAX_RECORD, "-" * MAX_RECORD):
        numbers = [
            float(node.attrib["y"])
            for node in svg(outcomes).iter("text")
            if node.text in {"1", "20"}
        ]
        assert abs(numbers[0] - numbers[1]) >= 12


@pytest.mark.parametrize(
    ("outcomes", "told"),
    [
        (
            "+",
            (
                "Line chart of the evidence that the patch helps, after each of 1 request that it "
                "turned right (1) or wrong (0). It starts at 1 to 1 and ends at 1.8 to 1. "
                "The bound of 20 to 1 is not reached."
            ),
        ),
        (
            "+++++--",
            (
                "Line chart of the evidence that the patch helps, after each of 7 requests that it "
                "turned right (5) or wrong (2). It starts at 1 to 1 and ends at 1 to 1.46; its "
                "highest is 20.6 to 1, after request 5. The bound of 20 to 1 is reached after "
                "request 5."
            ),
        ),
        (
            "+" * MAX_RECORD,
            (
                "Line chart of the evidence that the patch helps, after each of the latest 64 "
                "requests that it turned right (64) or wrong (0). It starts at 1 to 1 and ends at "
                "over a million to 1. The bound of 20 to 1 is reached after request 5."
            ),
        ),
    ],
)
def test_it_says_in_words_what_it_shows(outcomes: str, told: str) -> None:
    assert says(outcomes) == told


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (1.0, "1 to 1"),
        (20.0, "20 to 1"),
        (20.6104, "20.6 to 1"),
        (1 / 0.03, "33.3 to 1"),
        (0.19824, "1 to 5.04"),
        (123_456.0, "123,000 to 1"),
        (2.3e18, "over a million to 1"),
        (1e-9, "1 to over a million"),
    ],
)
def test_evidence_is_told_as_odds(value: float, told: str) -> None:
    assert odds(value) == told


def test_it_takes_its_colours_from_the_page() -> None:
    plot = evidence_plot(Record(outcomes="+-"), 0.05)
    assert plot is not None
    assert not re.search(r"#[0-9a-f]{3}|fill=|stroke=|style=", plot.svg)


def test_a_page_shows_it_for_patches_with_outcomes_only() -> None:
    with_outcomes = patch(record=Record(outcomes="++"))
    without = patch(trigger="paint")
    found = page(full_report(), [with_outcomes, without], ())
    assert found.count('<figure class="small">') == 1
    assert f'aria-label="{says("++")}"' in found


@pytest.mark.parametrize(
    ("settings", "alpha", "bound"),
    [
        ({"gate_alpha": 0.01}, 0.05, "the gate's bound, 100 to 1"),
        ({}, 0.05, "the gate's bound, 20 to 1"),
        ({}, None, "or wrong (cross)."),
    ],
)
def test_the_bound_is_that_of_the_run(
    settings: dict[str, float], alpha: float | None, bound: str
) -> None:
    gate = GATE.model_copy(update={"alpha": alpha})
    shown = patch(record=Record(outcomes="+"), gate=gate)
    assert bound in parsed(page(full_report(settings=settings), [shown], ())).text


def test_a_page_of_five_hundred_of_them_stays_small() -> None:
    full = evidence_plot(Record(outcomes="+-" * (MAX_RECORD // 2)), 0.05)
    usual = evidence_plot(Record(outcomes="+++++"), 0.05)
    assert full is not None
    assert usual is not None
    assert len(full.svg) < 4_000
    assert len(usual.svg) < 900
