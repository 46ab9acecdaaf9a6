"""A report on a terminal: every figure at its place, and nothing where there is nothing."""

from __future__ import annotations

import re

import pytest

from patchlab_agent.models.report import GateCalls, MeanDifference, MeanScores, RunReport
from patchlab_agent.report.html.page import page
from patchlab_agent.report.terminal import BAR_WIDTH, render
from tests.report.make import (
    MARKUP,
    comparison,
    curve_point,
    empty_report,
    flat,
    full_report,
    shown,
    stop,
    without_ceiling,
)

WIDE = 160


def text_of(report: RunReport, width: int = WIDE, *, unicode: bool = True) -> str:
    return flat(shown(render(report, unicode=unicode), width))


FIGURES = [
    "40.0 % to 75.0 %, 70.0 % of the way to perfect context.",
    "cases n baseline patched ceiling difference of gap",
    "all runs 1,234 40.5 % 64.8 % 89.1 % +24.3 [+23.2, +25.5] 50.0 %",
    "last 200 200 40.0 % 75.0 % 90.0 % +35.0 [+33.9, +36.2] 70.0 %",
    "golden set 40 50.0 % 77.5 % 90.0 % +27.5 [+26.4, +28.7] 68.8 %",
    "- covered 16 18.8 % 87.5 % 93.8 % +68.8 [+67.7, +70.0] 91.7 %",
    "- known 18 94.4 % 94.4 % 94.4 % +0.0 [-1.1, +1.2] –",
    "- uncovered 0 – – – – –",
    "requests baseline patched ceiling active",
    "1–617 ██████▒▒▒▒▒▒······ 25.0 % 50.0 % 75.0 % 11",
    "618–1234 ███████▒▒▒▒▒▒▒▒▒······· 30.0 % 65.0 % 95.0 % 21",
    "label base patched share first last to fix to last",
    "unit_unknown 321 123 45.6 % 5 999 7 994 Ship 2 lb tea box",
    "proposals of the run 54 29 of them new",
    "- activated 23 unit 14, restriction 9",
    "- quarantined 6",
    "- known, gate skipped 13",
    "- already active 12",
    "failures without a lesson 11",
    "proven by their uses 8",
    "convicted by their uses 1",
    "superseded by newer ones 2",
    "patches in the store 37",
    "- active 21 16 proven, 5 on trial",
    "- quarantined 7 outweighed 4, not_reproduced 3",
    "- retired 8",
    "- disabled 1",
    "patch teaches uses saves harms",
    "abcdef01 battery → restriction: item=battery, demand=hazmat 47 41 3",
    "example request uses gains harms now",
    "t-0000012 Ship 2 kg t-0000012 box to US 1,234 17 2 shown",
    "t-0000034 Ship 2 kg t-0000034 box to US 1,234 1 1 withdrawn",
    "Examples: 812 stored, 2.9 shown per request, 3 withdrawn in the run.",
    "label support precision recall F1",
    "embargo_destination 17 0.51 → 0.91 0.52 → 0.92 0.53 → 0.93",
    "liquid_restricted 0 – → – – → – – → –",
    "trace request baseline patched applied",
    "1201 Send 3 lb tea box to Spain weight_mismatch OK lb, tea",
    "purpose calls cache hits tokens in tokens out cost per call",
    "patched 4,321 876 7,654,321 54,321 $1.2500 12.3 ms",
    "gate 11 12 13 14 – –",
    "98.8 s in total.",
    "Median prompt: 1,204 tokens with nothing learned, 1,504 with patches (+25%).",
    "Prompt tokens from the server's prefix cache: 80.0 % (patched).",
    "Gate: 1,122 calls of 9,911 that a test of fixed size with the same error rates",
    "would take (11%).",
    "The model is held to the answer's form by: json_schema.",
]


@pytest.mark.parametrize("width", [80, 100, 160])
@pytest.mark.parametrize("figures", FIGURES)
def test_every_figure_is_shown_from_80_columns_on(figures: str, width: int) -> None:
    assert figures in text_of(full_report(), width)


def test_the_headline_names_run_model_store_and_start() -> None:
    text = text_of(full_report())
    assert "run-0042: 1,234 requests, toy(seed=7, noise=0.03), store /lab/store" in text
    assert "It starts with nothing learned. The model is held to the answer's form by" in text
    plain = text_of(full_report(structure=None))
    assert "It starts with nothing learned. In the last 200 runs patches took success" in plain


def test_every_figure_of_a_huge_run_fits_into_80_columns() -> None:
    huge = comparison(0, 100_000, 100_000, 100_000)
    point = full_report().curve[0].model_copy(update={"first": 90_001, "last": 100_000})
    cluster = (
        full_report()
        .clusters[0]
        .model_copy(
            update={
                "label": "temperature_uncontrolled",
                "baseline": 100_000,
                "patched": 100_000,
                "share": 1.0,
                "first_seen": 100_000,
                "last_seen": 100_000,
                "runs_to_patch": 100_000,
                "runs_to_last": 100_000,
            }
        )
    )
    report = full_report(overall=huge, curve=(point,), clusters=(cluster,))
    text = text_of(report, 80)
    assert "100,000 0.0 % 100.0 % 100.0 % +100.0 [+98.9, +101.2] 100.0 %" in text
    assert "100,000 100,000 100.0 % 100000 100000 100,000 100,000" in text
    assert "90001–100000" in text


def test_the_parts_come_from_the_answer_down_to_the_cost() -> None:
    text = text_of(full_report())
    titles = [
        "PatchLab",
        "Success on the same requests",
        "Learning curve",
        "Failures by label",
        "proposals of the run",
        "Most useful patches",
        "Examples that made a difference",
        "Golden set by label",
        "The latest requests",
        "Cost",
    ]
    places = [text.index(title) for title in titles]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("changes", "title"),
    [
        ({"curve": ()}, "Learning curve"),
        ({"clusters": ()}, "Failures by label"),
        ({"golden": None}, "golden set"),
        ({"golden": None}, "Golden set by label"),
        ({"highlights": ()}, "The latest requests"),
        ({"patches": empty_report().patches}, "Most useful patches"),
        ({"examples": None}, "Examples that made a difference"),
        ({"examples": None}, "Examples: "),
    ],
)
def test_a_part_without_content_is_left_out(changes: dict[str, object], title: str) -> None:
    assert title in text_of(full_report())
    assert title not in text_of(full_report(**changes))


def test_a_run_of_nothing_says_so() -> None:
    text = text_of(empty_report())
    assert "run-0042: 0 requests" in text
    assert "No request was run." in text
    assert "all runs 0 – – – – –" in text
    assert "proposals of the run 0 0 of them new" in text
    assert "- activated 0 –" in text
    assert "- quarantined 0 –" in text


def test_a_run_that_continues_says_from_what() -> None:
    text = text_of(full_report(continued_from=19))
    assert "It continues with 19 active patches that were learned before." in text
    assert "It starts with nothing learned." not in text


def test_a_run_that_was_stopped_says_why() -> None:
    stopped = "The model cannot be reached; try again later."
    text = text_of(full_report(stopped=stop(stopped)))
    assert f"It ended early: {stopped} What was learned is kept." in text
    assert "It ended early" not in text_of(full_report())


def test_where_there_is_no_gap_none_is_said_to_be_closed() -> None:
    report = full_report()
    recent = report.recent.model_copy(update={"gap_closed": None})
    text = text_of(report.model_copy(update={"recent": recent}))
    assert "patches took success from 40.0 % to 75.0 %. " in text
    assert "of the way to perfect context" not in text


def test_a_failure_that_no_patch_mends_has_no_time_to_a_patch() -> None:
    report = full_report()
    cluster = report.clusters[0].model_copy(update={"runs_to_patch": None})
    text = text_of(report.model_copy(update={"clusters": (cluster,)}))
    assert "45.6 % 5 999 – 994" in text


@pytest.mark.parametrize("width", [80, 160])
def test_a_long_example_of_many_lines_takes_one_line(width: int) -> None:
    report = full_report()
    long = "Ship\n2 lb tea " + "box " * 99
    cluster = report.clusters[0].model_copy(update={"example": long})
    text = shown(render(report.model_copy(update={"clusters": (cluster,)})), width)
    (line,) = [line for line in text.splitlines() if "Ship 2 lb tea box" in line]
    assert line.rstrip().endswith("…")


@pytest.mark.parametrize("width", [60, 100, 160])
def test_markup_in_a_request_is_shown_as_it_is(width: int) -> None:
    report = full_report()
    changes = {
        "store": MARKUP,
        "clusters": (report.clusters[0].model_copy(update={"example": "[/] [red]x[/red]"}),),
        "highlights": (
            report.highlights[0].model_copy(
                update={"request": "[/b] [red]y[/red]", "applied": ("[/i]",)}
            ),
        ),
    }
    shown_text = shown(render(report.model_copy(update=changes)), width)
    words = "".join(flat(shown_text).split())
    assert "".join(MARKUP.split()) in words
    if width > 60:
        for word in ("[red]x[/red]", "[red]y[/red]", "[/i]"):
            assert word in words


def test_a_plain_terminal_gets_a_plain_curve() -> None:
    text = shown(render(full_report(), unicode=False))
    assert "######++++++......|" in text
    assert "# baseline, + won, | ceiling" in text
    assert not set("█▒·") & set(text)


def test_a_ceiling_that_nobody_knows_is_a_dash() -> None:
    text = shown(render(without_ceiling(full_report()), unicode=True))
    curve = text[text.index("Learning curve") :].splitlines()
    [last] = [each for each in curve if each.startswith("618–1234")]
    assert re.search(r"30\.0 % +65\.0 % +– ", last)
    assert "│" not in last
    assert "█ baseline, ▒ won by patches\n" in re.sub(" +\n", "\n", text)


@pytest.mark.parametrize("width", [60, 100, 160])
@pytest.mark.parametrize("unicode", [True, False])
@pytest.mark.parametrize(
    "report",
    [
        full_report(),
        full_report(stopped=stop("Out."), continued_from=3),
        empty_report(),
        empty_report(stopped=stop("Out.")),
    ],
    ids=["full", "stopped", "empty", "stopped at once"],
)
def test_any_report_fits_any_terminal(report: RunReport, unicode: bool, width: int) -> None:
    text = text_of(report, width, unicode=unicode)
    assert f"run-0042: {report.runs:,} requests" in text
    if report.runs:
        assert "from 40.0 % to 75.0 %" in text
        assert "70.0 % of the way to perfect context" in text
        assert "- active 21 16 proven, 5 on trial" in text
        assert "0.51 → 0.91" in text
        assert "abcdef01" in text
    else:
        assert "No request was run." in text
    assert "98.8 s in total." in text


def test_the_bar_is_as_wide_as_it_says() -> None:
    curve = (curve_point(1, 100, 1.0, 1.0, 1.0),)
    assert "█" * BAR_WIDTH + "│" in shown(render(full_report(curve=curve)))


def test_what_nobody_counted_is_not_told() -> None:
    text = text_of(
        full_report(
            prompt_tokens=None,
            gate_calls=GateCalls(asked=0, full=0),
            structure=None,
            examples=None,
            cost=(),
        )
    )
    assert text.endswith("98.8 s in total.")
    assert "held to the answer" not in text


SCORES = MeanScores(
    baseline=0.25,
    patched=0.5,
    ceiling=None,
    difference=MeanDifference(mean=0.25, low=0.125, high=0.375),
)
EQUAL = MeanDifference(mean=0.0, low=None, high=None)


def graded_report() -> RunReport:
    report = full_report()
    overall = report.overall.model_copy(update={"scores": SCORES})
    recent = report.recent.model_copy(
        update={"scores": SCORES.model_copy(update={"difference": EQUAL})}
    )
    return report.model_copy(update={"overall": overall, "recent": recent, "golden": None})


def test_mean_scores_are_shown_where_answers_are_right_in_part() -> None:
    text = text_of(graded_report())
    assert "all runs 1,234 25.0 % 50.0 % – +25.0 [+12.5, +37.5]" in text
    assert "last 200 200 25.0 % 50.0 % – +0.0" in text
    assert "and the mean score from 25.0 % to 50.0 %." in text
    assert "Mean score" not in text_of(full_report())


def test_the_page_shows_them_as_well() -> None:
    assert "+25.0 [+12.5, +37.5]" in page(graded_report(), (), ())
    assert "Mean score" not in page(full_report(), (), ())
