"""The page's figures: whole, the same every time, and in the page's own colours."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from xml.etree import ElementTree

import pytest
from matplotlib.figure import Figure

from patchlab_agent.report.html import plots
from patchlab_agent.report.html.plots import Plot, spread
from patchlab_agent.report.html.svg import COLOURS, Band, drawn
from tests.report.make import NO_SCORE, curve_point, full_report, without_ceiling

REPORT = full_report()
LABELS = REPORT.golden.labels if REPORT.golden else ()
PLOTS: dict[str, Callable[[], Plot]] = {
    "curve": lambda: plots.learning_curve(REPORT.curve),
    "patches": lambda: plots.patches_over_time(REPORT.curve),
    "failures": lambda: plots.failures(REPORT.clusters),
    "labels": lambda: plots.label_scores(LABELS),
}


def parsed(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg.replace("xlink:", ""))


def words(svg: str) -> list[str]:
    """The texts of a figure, in its order."""
    return [text for node in parsed(svg).iter("text") for text in node.itertext()]


def bands(svg: str) -> list[tuple[str, dict[str, float]]]:
    """What each part of a figure says when it is pointed at, and where it is."""
    return [
        (
            "".join(node.itertext()),
            {n: float(node.attrib[n]) for n in ("x", "y", "width", "height")},
        )
        for node in parsed(svg).iter("rect")
        if node.get("class") == "band"
    ]


@pytest.mark.parametrize("name", PLOTS)
def test_a_figure_is_drawn_twice_and_well_formed(name: str) -> None:
    plot: Plot = PLOTS[name]()
    assert 'viewBox="0 0 1040 ' in plot.wide
    assert 'viewBox="0 0 340 ' in plot.narrow
    assert words(plot.wide)
    assert words(plot.narrow)
    assert plot == PLOTS[name]()


@pytest.mark.parametrize("name", PLOTS)
def test_a_figure_takes_its_colours_from_the_page_and_names_no_font(name: str) -> None:
    for svg in (PLOTS[name]().wide, PLOTS[name]().narrow):
        assert set(re.findall(r"var\(--(\w+)\)", svg)) <= COLOURS.keys()
        assert "var(--patched)" in svg or "var(--active)" in svg
        assert not re.search(r"#[0-9a-f]{6}\b", svg)
        assert "font-family" not in svg


def test_ids_of_all_figures_differ_and_are_there_where_they_are_used() -> None:
    figures = [svg for make in PLOTS.values() for svg in (make().wide, make().narrow)]
    ids = [found for svg in figures for found in re.findall(r' id="([^"]*)"', svg)]
    assert len(ids) == len(set(ids))
    for svg in figures:
        used = re.findall(r"url\(#([^)]*)\)|href=\"#([^\"]*)\"", svg)
        assert {one or other for one, other in used} == set(re.findall(r' id="([^"]*)"', svg))


def test_the_curve_names_each_line_with_its_last_rate() -> None:
    for svg in (PLOTS["curve"]().wide, PLOTS["curve"]().narrow):
        assert {"baseline 30 %", "patched 65 %", "ceiling 95 %"} <= set(words(svg))
    assert "patched from 50.0 % to 65.0 %" in PLOTS["curve"]().says


def test_a_curve_has_no_line_of_a_ceiling_that_nobody_knows() -> None:
    plot = plots.learning_curve(without_ceiling(REPORT).curve)
    for svg in (plot.wide, plot.narrow):
        assert {"baseline 30 %", "patched 65 %"} <= set(words(svg))
        assert not any("ceiling" in word for word in words(svg))
        assert not any("ceiling" in tip for tip, _ in bands(svg))
    assert "ceiling" not in plot.says


TIPS = {
    "curve": [
        (
            "requests 1–617\nceiling 75.0 % (71.0 to 79.0 %)\npatched 50.0 % (46.0 to 54.0 %)\n"
            "baseline 25.0 % (21.0 to 29.0 %)"
        ),
        (
            "requests 618–1,234\nceiling 95.0 % (91.0 to 99.0 %)\n"
            "patched 65.0 % (61.0 to 69.0 %)\nbaseline 30.0 % (26.0 to 34.0 %)"
        ),
    ],
    "patches": [
        "requests 1–617\nactive 11\nquarantined 4\nretired 0",
        "requests 618–1,234\nactive 21\nquarantined 0\nretired 2",
    ],
    "failures": ["unit_unknown\nbaseline 321\npatched 123"],
    "labels": [
        "embargo_destination\nprecision 0.51 → 0.91\nrecall 0.52 → 0.92",
        "liquid_restricted\nprecision – → –\nrecall – → –",
    ],
}


@pytest.mark.parametrize("name", PLOTS)
def test_a_figure_says_its_values_where_they_are(name: str) -> None:
    plot = PLOTS[name]()
    for svg, width in ((plot.wide, 1040), (plot.narrow, 340)):
        found = bands(svg)
        assert [said for said, _ in found] == TIPS[name]
        for _, place in found:
            assert -1 <= place["x"] < place["x"] + place["width"] <= width + 1
            assert place["height"] > 20
        along = "x" if name in ("curve", "patches") else "y"
        places = [place for _, place in found]
        for before, after in itertools.pairwise(places):
            size = {"x": "width", "y": "height"}[along]
            assert before[along] + before[size] == pytest.approx(after[along], abs=0.3)


def test_what_a_figure_says_is_text() -> None:
    hostile = "</title></svg><b>$x$&"
    cluster = REPORT.clusters[0].model_copy(update={"label": hostile})
    [(said, _)] = bands(plots.failures([cluster]).wide)
    assert said.startswith(hostile)


def test_only_statuses_that_occur_are_drawn() -> None:
    assert {"active", "quarantined", "retired"} <= set(words(PLOTS["patches"]().wide))
    assert "disabled" not in words(PLOTS["patches"]().wide)
    assert PLOTS["patches"]().says.endswith(
        "active from 11 to 21, quarantined from 4 to 0, retired from 0 to 2."
    )


def test_a_store_without_patches_has_an_empty_figure() -> None:
    plot = plots.patches_over_time([curve_point(1, 9, 0.1, 0.1, 0.1)])
    assert plot.says == "Stacked bars over 1 stretches: no patch at all."


def test_rows_are_named_by_their_labels() -> None:
    assert "unit_unknown" in words(PLOTS["failures"]().narrow)
    assert {"embargo_destination", "precision", "recall"} <= set(words(PLOTS["labels"]().wide))
    assert "recall rises for 1 and falls for 0" in PLOTS["labels"]().says


def test_labels_without_any_score_leave_their_rows_empty() -> None:
    label = LABELS[0].model_copy(update={"baseline": NO_SCORE, "patched": NO_SCORE})
    assert words(plots.label_scores([label]).wide)


def test_texts_are_neither_formulas_nor_tags() -> None:
    hostile = "$x$ <b>&"
    cluster = REPORT.clusters[0].model_copy(update={"label": hostile})
    assert hostile in words(plots.failures([cluster]).wide)


def test_letters_that_matplotlib_lacks_are_no_matter() -> None:
    def draw(figure: Figure) -> list[Band]:
        figure.text(0, 0, "単位")
        return []

    assert words(drawn("x", 100, 100, draw)) == ["単位"]


@pytest.mark.parametrize(
    ("values", "places"),
    [
        ([0.2, 0.5, 0.8], [0.2, 0.5, 0.8]),
        ([0.5, 0.5, 0.5], [0.5, 0.6, 0.7]),
        ([1.0, 1.0, 1.0], [0.8, 0.9, 1.0]),
        ([0.0, 0.95, 1.0], [0.0, 0.9, 1.0]),
        ([], []),
    ],
)
def test_names_of_lines_do_not_lie_on_one_another(values: list[float], places: list[float]) -> None:
    assert spread(values, 0.1) == pytest.approx(places)
