"""The page of a comparison: whole, alone, and always the same."""

from __future__ import annotations

import itertools
import re

import pytest

from patchlab_agent.models.comparison import ComparisonReport
from patchlab_agent.report.html.comparison_page import comparison_page
from tests.report.parsed import parsed
from tests.report.test_comparison import FIRST, REPORT, SECOND, side
from tests.report.test_comparison_grid import report as grid
from tests.report.test_html_hostile import HOSTILE
from tests.report.test_html_plots import bands

UNKNOWN = side("c", 20).model_copy(update={"lessons": None, "prompt_tokens": None})


def figures(html: str) -> list[str]:
    return re.findall(r"<svg.*?</svg>", html, re.DOTALL)


@pytest.mark.parametrize(
    "told",
    [
        "gate=on · gate=off",
        "2 sides on the same 40 golden cases",
        "The reference is gate=on, 50.0 % right with patches.",
        "gate=off: 62.5 %, +12.5 [-2.4, +26.4] points: the interval includes no difference at all.",
        "side baseline patched ceiling",
        ("gate=off 25.0 % 14.2 % to 40.2 % 62.5 % 47.0 % to 75.8 % 90.0 % 76.9 % to 96.0 %"),
        "gate=on reference – – – 65.0 % 400",
        "gate=off +12.5 [-2.4, +26.4] 7 2 0.180 65.0 % 400",
        "gate=on 75 12 3 4 of 17 32.5 % 2 6 2,304 4,985",
        "gate=off 75 12 – – – 2 6 – 4,985",
    ],
)
def test_every_figure_of_a_comparison_is_on_the_page(told: str) -> None:
    assert told in parsed(comparison_page(REPORT)).text


def test_the_plot_says_each_side_with_its_intervals() -> None:
    wide, narrow = figures(comparison_page(REPORT))
    for svg in (wide, narrow):
        assert [said for said, _ in bands(svg)] == [
            (
                "gate=on\nbaseline 25.0 % (14.2 to 40.2 %)\npatched 50.0 % (35.2 to 64.8 %)\n"
                "ceiling 90.0 % (76.9 to 96.0 %)"
            ),
            (
                "gate=off\nbaseline 25.0 % (14.2 to 40.2 %)\npatched 62.5 % (47.0 to 75.8 %)\n"
                "ceiling 90.0 % (76.9 to 96.0 %)"
            ),
        ]


@pytest.mark.parametrize(
    "told",
    [
        "Comparison of 6 settings",
        "6 sides on the same 40 golden cases · false-feedback: 0, 0.05, 0.2 · gate: on, off",
        "false-feedback gate=on gate=off",
        "0 50.0 % 35.2 % to 64.8 % reference 52.5 % 37.5 % to 67.1 %",
        "3 gained, 12 lost",
    ],
)
def test_two_varied_settings_are_a_grid(told: str) -> None:
    assert told in parsed(comparison_page(grid())).text


def test_the_lines_of_a_grid_say_their_values_from_left_to_right() -> None:
    html = comparison_page(grid(("10", "0", "1")))
    for svg in figures(html):
        said = [tip.split("\n") for tip, _ in bands(svg)]
        assert [each[0] for each in said] == [f"false-feedback={n}" for n in ("0", "1", "10")]
        assert said[2][1] == "gate=on 50.0 % (35.2 to 64.8 %)"
        starts = [place["x"] for _, place in bands(svg)]
        assert starts == sorted(starts)


def test_a_setting_that_failed_is_told_and_leaves_its_cell() -> None:
    html = comparison_page(grid(failed=[("0.05", "off")]))
    text = parsed(html).text
    assert "false-feedback=0.05, gate=off is left out. No such model; look." in text
    assert "lost failed" in text
    assert "gate=off failed" in bands(figures(html)[0])[1][0]


def test_settings_in_which_sides_differ_are_listed() -> None:
    sides = [
        each.model_copy(update={"settings": {"gate": value, "seed": 7}})
        for each, value in ((FIRST, True), (SECOND, False))
    ]
    text = parsed(comparison_page(ComparisonReport(cases=40, sides=tuple(sides)))).text
    assert "side gate seed gate=on true 7 gate=off false 7" in text


@pytest.mark.parametrize(
    "report",
    [
        REPORT,
        ComparisonReport(cases=40, sides=(FIRST,)),
        ComparisonReport(cases=40, sides=(FIRST, UNKNOWN)),
        grid(),
        grid(("0",), ("on",)),
        grid(("a", "b"), [str(number) for number in range(9)]),
    ],
    ids=["two", "one", "unknown", "grid", "one cell", "many columns"],
)
def test_it_is_alone_well_formed_and_always_the_same(report: ComparisonReport) -> None:
    html = comparison_page(report)
    assert html == comparison_page(report)
    assert not re.search(r"https?:|//[a-z]|@import|url\((?!#)", html)
    found = parsed(html)
    ids = found.values("id")
    assert len(ids) == len(set(ids))
    assert all(link.startswith("#") and link[1:] in ids for link in found.values("href"))
    levels = [int(tag.name[1]) for tag in found.tags if re.fullmatch(r"h\d", tag.name)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert len(found.named("caption")) == len(found.named("table"))
    assert all("scope" in tag.attributes for tag in found.named("th"))
    assert len(html) < 200_000


def hostile_page(text: str) -> str:
    """A grid's page with the text wherever somebody else's text may stand."""
    found = grid((text, "b"), ("on", text), names=(text, "gate"), failed=[("b", "on")])
    sides = [
        each.model_copy(update={"label": text, "settings": {text: text}}) for each in found.sides
    ]
    return comparison_page(found.model_copy(update={"sides": tuple(sides)}))


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_becomes_a_tag_an_attribute_or_a_script(text: str) -> None:
    plain, hostile = (parsed(hostile_page(each)) for each in ("harmless", text))
    assert [tag.name for tag in hostile.tags] == [tag.name for tag in plain.tags]
    assert [sorted(tag.attributes) for tag in hostile.tags] == [
        sorted(tag.attributes) for tag in plain.tags
    ]
    assert len(hostile.named("script")) == 1


@pytest.mark.parametrize("is_grid", [True, False])
def test_control_characters_are_shown_and_not_sent(is_grid: bool) -> None:
    text = "a\x1b[31m\u202ec"
    dots = ComparisonReport(cases=40, sides=(FIRST.model_copy(update={"label": text}), SECOND))
    html = hostile_page(text) if is_grid else comparison_page(dots)
    assert not set(html) & {"\x1b", "\u202e"}
    assert r"a\x1b[31m\u202ec" in parsed(html).text
