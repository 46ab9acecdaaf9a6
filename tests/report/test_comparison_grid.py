"""Two varied names: a grid on a terminal, and lines in a picture."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from itertools import product
from pathlib import Path

import pytest

from patchlab_agent.models.comparison import ComparedRun, ComparisonReport, Failure
from patchlab_agent.models.report import Stop
from patchlab_agent.report.comparison import render
from patchlab_agent.report.comparison_plot import draw
from patchlab_agent.report.grid import grid_of, numbers
from patchlab_agent.report.grid_plot import COLOURS
from patchlab_agent.statistics import paired_difference, proportion
from tests.report.make import MARKUP, flat, shown
from tests.report.test_comparison import side

SVG = "{http://www.w3.org/2000/svg}"
SHARES = ("0", "0.05", "0.2")
_PLACE = re.compile(r"(?:^|L) ([\d.]+)")
DIFFERENCE = paired_difference(
    [True] * 20 + [False] * 20, [False] * 12 + [True] * 11 + [False] * 17
)


def report(
    rows: Iterable[str] = SHARES,
    columns: Iterable[str] = ("on", "off"),
    *,
    names: tuple[str, str] = ("false-feedback", "gate"),
    failed: Iterable[tuple[str, str]] = (),
    **changes: object,
) -> ComparisonReport:
    """Every combination, of which the first is the reference; each has one case more right."""
    axes = dict(zip(names, (tuple(rows), tuple(columns)), strict=True))
    sides: list[ComparedRun] = []
    failures: list[Failure] = []
    for number, values in enumerate(product(*axes.values())):
        varied = dict(zip(names, values, strict=True))
        label = ", ".join(f"{name}={value}" for name, value in varied.items())
        if values in set(failed):
            stop = Stop(kind="refused", reason="No such model; look.")
            failures.append(Failure(label=label, varied=varied, stop=stop))
            continue
        difference = DIFFERENCE if sides else None
        made = side(label, 20 + number, varied=varied, difference=difference, **changes)
        sides.append(made)
    return ComparisonReport(cases=40, axes=axes, sides=tuple(sides), failures=tuple(failures))


def drawn(found: ComparisonReport, path: Path) -> ET.Element:
    draw(found, path)
    return ET.parse(path).getroot()


def texts(root: ET.Element) -> list[str]:
    return [text.strip() for node in root.iter(f"{SVG}text") for text in node.itertext()]


def lines_of(root: ET.Element, colour: str) -> list[list[float]]:
    """From left to right the places of each line in a colour; whiskers have one place alone."""
    strokes = (
        [float(x) for x in _PLACE.findall(stroke)]
        for node in root.iter(f"{SVG}path")
        if f"stroke: {colour}" in node.get("style", "") and "fill: none" in node.get("style", "")
        for stroke in node.get("d", "").split("M")
    )
    return [stroke for stroke in strokes if len(set(stroke)) > 1]


def test_only_two_varied_names_make_a_grid() -> None:
    one = report().model_copy(update={"axes": {"gate": ("on", "off")}})
    three = report().model_copy(update={"axes": {"a": ("1",), "b": ("1",), "c": ("1",)}})
    stored = report().model_copy(update={"axes": {}})
    assert [grid_of(each) for each in (one, three, stored)] == [None, None, None]
    grid = grid_of(report())
    assert grid is not None
    assert (grid.rows.name, grid.columns.values) == ("false-feedback", ("on", "off"))
    assert grid.sides["0.05", "off"].patched.successes == 23


@pytest.mark.parametrize(
    ("values", "read"),
    [
        (("0", "0.02", "1e-3"), [0.0, 0.02, 0.001]),
        (("1", "none"), None),
        (("1", "nan"), None),
        (("1", "inf"), None),
        (("on", "off"), None),
    ],
)
def test_an_axis_is_numeric_only_if_all_its_values_are(
    values: tuple[str, ...], read: list[float] | None
) -> None:
    assert numbers(values) == read


def test_each_cell_has_its_rate_its_difference_and_what_it_lost() -> None:
    text = flat(shown(render(report()), 100))
    assert "false-feedback gate=on gate=off" in text
    # Cell by cell in three lines, of which the reference has but two.
    assert "0 50.0 [35.2, 64.8] 52.5 [37.5, 67.1] reference -22.5 [" in text
    assert "3 gained, 12 lost" in text
    assert "difference from false-feedback=0, gate=on in points" in text
    assert "In all cells, baseline 25.0 [14.2, 40.2] and ceiling 90.0 [76.9, 96.0]." in text


def test_it_takes_the_place_of_the_first_table_where_nothing_is_lost_by_that() -> None:
    assert "drawn from" not in shown(render(report()))
    first, *others = report().sides
    better = first.model_copy(update={"baseline": proportion([True])})
    differing = report().model_copy(update={"sides": (better, *others)})
    text = shown(render(differing))
    assert "drawn from" in text
    assert "In all cells" not in text


def test_a_setting_that_failed_leaves_its_cell_and_the_next_is_the_reference() -> None:
    text = flat(shown(render(report(failed=[("0", "on"), ("0.2", "off")])), 100))
    assert "0 failed 52.5 [37.5, 67.1] reference" in text
    assert "difference from false-feedback=0, gate=off" in text
    assert "0.2 60.0 [44.6, 73.7] failed" in text
    assert "false-feedback=0.2, gate=off is left out: No such model; look." in text


def test_many_columns_go_into_tables_that_fit_a_pipe() -> None:
    many = report(("a", "b"), [str(seed) for seed in range(9)], names=("embedder", "seed"))
    text = shown(render(many), 100)
    assert text.count("embedder ") >= 3
    for seed in range(9):
        assert f"seed={seed}" in text
    assert text.count("Each cell:") == 1


def test_long_values_and_markup_give_way_to_figures() -> None:
    long = "ollama_chat/qwen2.5-coder:32b-instruct-q4_K_M"
    text = shown(render(report((MARKUP, long), (long, MARKUP), names=("model", "b"))), 100)
    assert "50.0 [35.2, 64.8]" in text
    assert "[red]" in text


def test_a_line_is_drawn_for_each_column_and_one_for_baseline_and_ceiling(
    tmp_path: Path,
) -> None:
    root = drawn(report(), tmp_path / "a.svg")
    assert {"gate=on", "gate=off", "ceiling", "baseline", "false-feedback", *SHARES} <= set(
        texts(root)
    )
    for colour in COLOURS[:2]:
        assert [len(line) for line in lines_of(root, colour)].count(3) == 1
    assert lines_of(root, COLOURS[2]) == []


def test_numbers_stand_to_scale_and_in_their_order(tmp_path: Path) -> None:
    root = drawn(report(("10", "0", "1"), ("on",)), tmp_path / "a.svg")
    [(zero, one, ten)] = (line for line in lines_of(root, COLOURS[0]) if len(line) == 3)
    assert (ten - zero) / (one - zero) == pytest.approx(10, rel=0.01)


def test_values_that_are_no_numbers_stand_side_by_side(tmp_path: Path) -> None:
    found = report(("$x$", "<b>&amp;", "10"), ("on",), names=("embedder", "gate"))
    root = drawn(found, tmp_path / "a.svg")
    assert {"$x$", "<b>&amp;", "10", "embedder"} <= set(texts(root))
    [(left, middle, right)] = (line for line in lines_of(root, COLOURS[0]) if len(line) == 3)
    assert middle - left == pytest.approx(right - middle, rel=0.01)


def test_no_line_leads_across_a_setting_that_failed(tmp_path: Path) -> None:
    root = drawn(report(failed=[("0.05", "off")]), tmp_path / "a.svg")
    # The other two lines are in the legend.
    assert sorted(map(len, lines_of(root, COLOURS[0]))) == [2, 3]
    assert sorted(map(len, lines_of(root, COLOURS[1]))) == [2]


def test_a_column_that_failed_throughout_is_no_matter(tmp_path: Path) -> None:
    found = report(failed=[(row, "off") for row in SHARES])
    assert "gate=on" in texts(drawn(found, tmp_path / "a.svg"))
    assert flat(shown(render(found), 100)).count("failed") == 3


def test_baselines_that_differ_are_drawn_one_by_one(tmp_path: Path) -> None:
    found = report()
    sides = [
        each.model_copy(update={"baseline": proportion([True] * (10 + n) + [False] * 30)})
        for n, each in enumerate(found.sides)
    ]
    root = drawn(found.model_copy(update={"sides": tuple(sides)}), tmp_path / "a.svg")
    for colour in COLOURS[:2]:
        assert [len(line) for line in lines_of(root, colour)].count(3) == 2


def test_values_too_near_to_be_named_leave_the_ticks_to_the_scale(tmp_path: Path) -> None:
    root = drawn(report(("0", "1", "1000"), ("on", "off")), tmp_path / "a.svg")
    assert "1" not in texts(root)
    assert "1000" in texts(root)


def test_a_single_row_and_many_columns_can_be_drawn_too(tmp_path: Path) -> None:
    found = report(("0.1",), [str(seed) for seed in range(9)], names=("noise", "seed"))
    names = texts(drawn(found, tmp_path / "a.svg"))
    assert {f"seed={seed}" for seed in range(9)} | {"0.1"} <= set(names)


def test_the_same_grid_gives_the_same_picture(tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg", "a.png", "b.png"):
        draw(report(), tmp_path / name)
    for kind in ("svg", "png"):
        first, second = ((tmp_path / f"{name}.{kind}").read_bytes() for name in "ab")
        assert first == second
    assert b"<dc:date>" not in (tmp_path / "a.svg").read_bytes()
