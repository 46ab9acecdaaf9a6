"""Answers that are right in part, in comparisons of runs and in the effect of each patch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from patchlab_agent import Lab, RunSettings, open_lab
from patchlab_agent.models.report import CaseOutcome, CaseScores, MeanDifference
from patchlab_agent.report.comparison import render
from patchlab_agent.report.effects import render as render_effects
from patchlab_agent.report.html.comparison_page import comparison_page
from patchlab_agent.statistics import mean_difference
from patchlab_agent.studies.comparison import Entrant, Rules, compare_runs
from patchlab_agent.studies.effects import counted
from tests.report.make import flat, shown
from tests.studies.test_comparison import ONE, TWO, report
from tests.tasks.folders import row, write_task

BILLING: dict[str, Any] = {"team": "billing", "topics": ["invoice"]}
ROWS = [
    *(row(f"invoice {n}", **BILLING) for n in ("one", "two", "three")),
    *(row(f"invoice {n}", "regression", **BILLING) for n in ("four", "five")),
    *(row(f"hello {n}", "regression") for n in ("one", "two", "three")),
    *(row(f"invoice {n}", "golden", **BILLING) for n in ("six", "seven")),
    row("good day", "golden"),
]


def case(request: str, patched: float, baseline: float = 0.0) -> CaseOutcome:
    return CaseOutcome(
        request=request,
        baseline=None if baseline == 1 else "wrong_team",
        patched=None if patched == 1 else "wrong_team",
        ceiling=None,
        has_ceiling=False,
        applied=(),
        scores=CaseScores(baseline=baseline, patched=patched, ceiling=None),
    )


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab of a task with three fields, of which lessons give some, after two runs."""
    home = tmp_path_factory.mktemp("graded")
    with open_lab(task=write_task(home / "task", ROWS), store=home / "lab", noise=0) as opened:
        opened.run(RunSettings(runs=1, golden=3))
        opened.run(RunSettings(runs=3, golden=3))
        yield opened


def test_scores_of_each_case_are_in_the_report_where_some_are_right_in_part(lab: Lab) -> None:
    golden = lab.report(2).golden
    assert golden is not None
    found = {each.request: each.scores for each in golden.cases}
    assert found["good day"] == CaseScores(baseline=1.0, patched=1.0, ceiling=None)
    invoice = found["invoice six"]
    assert invoice is not None
    assert invoice.baseline == pytest.approx(1 / 3)
    assert invoice.patched > invoice.baseline


def test_runs_are_compared_by_their_mean_scores_too(lab: Lab) -> None:
    found = lab.compare(1, 2)
    first, second = found.sides
    assert first.scores is not None
    assert second.scores is not None
    assert first.scores.difference is None
    assert second.scores.difference is not None
    golden = lab.report(2).golden
    assert golden is not None
    assert golden.all.scores is not None
    means = (golden.all.scores.baseline, golden.all.scores.patched)
    assert (second.scores.baseline, second.scores.patched) == means
    text = flat(shown(render(found), 100))
    assert "Mean score, where answers that are right in part count in part" in text
    assert "Mean scores of all sides" in comparison_page(found)


def test_a_run_without_parts_counts_as_right_or_wrong_beside_one_with() -> None:
    graded = report(case("a", 0.5), case("b", 1.0), case("c", 0.25, 0.75))
    first, second = compare_runs([Entrant("one", ONE), Entrant("two", graded)], Rules()).sides
    assert first.scores is not None
    assert second.scores is not None
    assert (first.scores.baseline, first.scores.patched) == pytest.approx((1 / 3, 2 / 3))
    assert first.scores.ceiling == pytest.approx(2 / 3)
    assert second.scores.patched == pytest.approx(1.75 / 3)
    assert second.scores.ceiling is None
    assert second.scores.difference == mean_difference([1.0, 0.0, 1.0], [0.5, 1.0, 0.25])


def test_where_all_is_right_or_wrong_there_are_no_scores() -> None:
    found = compare_runs([Entrant("one", ONE), Entrant("two", TWO)], Rules())
    assert [side.scores for side in found.sides] == [None, None]
    assert "Mean score" not in shown(render(found))
    assert "Mean score" not in comparison_page(found)
    assert counted([(0, 1), (1, 1)]).scores is None


def test_what_a_patch_adds_in_part_is_its_effect(lab: Lab) -> None:
    found = lab.effects(golden=3, traces=4)
    assert found.is_graded
    by_teaching = {each.teaches: each for each in found.patches}
    told = next(each for name, each in by_teaching.items() if "field=team" in name)
    assert told.golden.scores is not None
    assert told.golden.scores.mean == pytest.approx(1 / 3)
    text = flat(shown(render_effects(found), 140))
    assert "golden score" in text
    assert "+33.3" in text


def test_a_pair_counts_by_its_scores() -> None:
    found = counted([(0.5, 1.0), (1.0, 0.5), (0.25, 0.75), (1.0, 1.0)], is_graded=True)
    assert (found.cases, found.saves, found.spoils) == (4, 1, 1)
    assert found.scores is not None
    assert found.scores.mean == 0.125
    assert counted([], is_graded=True).scores is None
    assert counted([(0.5, 0.5)], is_graded=True).scores == MeanDifference(
        mean=0.0, low=None, high=None
    )
