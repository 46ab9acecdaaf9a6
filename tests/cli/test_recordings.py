"""The recordings of real models that come with the package, played to their ends.

`docs/real-models.md` tells their figures.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from patchlab_agent.models.report import ArmRates, PairedDifference, RunReport
from patchlab_agent.resources import resource
from tests.cli.helpers import Result, called

PAGE = " ".join((Path(__file__).parents[2] / "docs/real-models.md").read_text("utf-8").split())
SMALLER = resource("fixtures", "cassettes", "qwen2.5-coder-0.5b.jsonl")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("recordings") / "store"


@pytest.fixture(scope="module")
def larger(store: Path) -> RunReport:
    return _played("--backend", "replay", "--store", store)


def _played(*arguments: object) -> RunReport:
    result: Result = called("run", *arguments, "--json")
    assert (result.code, result.err) == (0, "")
    return RunReport.model_validate(result.json)


def _losing_recall(report: RunReport) -> list[str]:
    assert report.golden is not None
    return [
        label.label
        for label in report.golden.labels
        if label.support >= 5 and (label.patched.recall or 0) < (label.baseline.recall or 0)
    ]


def _shares(found: ArmRates) -> str:
    assert found.baseline.rate is not None
    assert found.patched.rate is not None
    return f"{100 * found.baseline.rate:.1f} % to {100 * found.patched.rate:.1f} %"


def _points(found: PairedDifference) -> str:
    assert found.mean is not None
    assert found.low is not None
    assert found.high is not None
    return f"{100 * found.mean:+.1f} points"


def test_the_default_recording_is_the_larger_model_and_plays_whole(larger: RunReport) -> None:
    assert "qwen15b" in larger.backend
    assert (larger.runs, larger.stopped) == (480, None)
    assert f"on {larger.runs} requests" in PAGE


def test_what_patches_were_worth_on_requests_before_they_taught_anything(larger: RunReport) -> None:
    assert larger.recent.difference.low is not None
    assert larger.recent.difference.low > 0
    for told in (_shares(larger.recent), _points(larger.recent.difference)):
        assert told in PAGE


def test_what_patches_were_worth_on_golden_cases(larger: RunReport) -> None:
    assert larger.golden is not None
    found = larger.golden.all
    assert found.difference.mean is not None
    assert found.difference.mean >= 0.3
    assert found.difference.low is not None
    assert found.difference.low > 0
    assert f"{found.difference.gained} cases were gained and {found.difference.lost} lost" in PAGE
    assert f"Of {found.cases} golden cases" in PAGE
    for told in (_shares(found), _points(found.difference)):
        assert told in PAGE
    assert found.difference.lost <= 0.01 * found.cases
    assert not _losing_recall(larger)


def test_prompts_do_not_grow_and_the_gate_asks_little(larger: RunReport) -> None:
    assert larger.prompt_tokens is not None
    assert larger.prompt_tokens.patched <= 1.6 * larger.prompt_tokens.baseline
    assert larger.gate_calls.asked <= 0.25 * larger.gate_calls.full
    asked = round(100 * larger.gate_calls.asked / larger.gate_calls.full)
    growth = larger.prompt_tokens.patched / larger.prompt_tokens.baseline - 1
    assert f"grew by {100 * growth:.0f} %, and the gate asked {asked} % of" in PAGE


def test_the_curve_on_the_page_is_the_recordings(larger: RunReport, store: Path) -> None:
    shown = called("report", larger.run, "--store", store).out
    curve = shown[shown.index("Learning curve") : shown.index("Failures by label")]
    assert " ".join(curve.split()) in PAGE


def test_the_smaller_model_plays_whole_and_gains_what_the_page_says(store: Path) -> None:
    found = _played("--replay", SMALLER, "--store", store.with_name("smaller"))
    assert found.stopped is None
    assert found.golden is not None
    assert _shares(found.golden.all) in PAGE
    assert _points(found.golden.all.difference) in PAGE
    assert f"{found.runs} requests) goes from" in PAGE
    difference = found.golden.all.difference
    assert f"with {difference.gained} gained and {difference.lost} lost" in PAGE
    assert difference.lost <= 0.01 * found.golden.all.cases
    assert not _losing_recall(found)
    assert "neither model loses recall on any" in PAGE
