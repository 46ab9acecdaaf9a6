"""What a run prints and keeps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from patchlab_agent.models.report import RunReport
from tests.cli.conftest import RUNS, Learned
from tests.cli.helpers import Cli


@pytest.fixture
def report(learned: Learned) -> RunReport:
    return RunReport.model_validate_json((learned.store / "runs/run-0001.json").read_text("utf-8"))


def test_a_run_ends_well_and_says_nothing_on_stderr(learned: Learned) -> None:
    assert learned.result.code == 0
    assert learned.result.err == ""


@pytest.mark.parametrize(
    "words",
    [
        "PatchLab",
        f"run-0001: {RUNS} requests, toy(seed=7, noise=0.03), store",
        "It starts with nothing learned.",
        "patches took success from",
        "Success on the same requests under the same noise",
        "cases n baseline patched ceiling difference of gap",
        "golden set 12",
        "- covered ",
        "- known ",
        "- uncovered ",
        "95 % interval (Newcombe)",
        "Learning curve",
        "Failures by label",
        "label base patched share first last to fix to last",
        "Patches proposals of the run",
        "- activated",
        "- quarantined",
        "patches in the store",
        "Most useful patches",
        "Golden set by label: baseline → patched",
        "label support precision recall F1",
        "The latest requests to which patches made a difference",
        "Cost",
        "purpose calls cache hits tokens in tokens out cost per call",
        "s in total.",
    ],
)
def test_the_report_shows_all_that_a_run_shows(learned: Learned, words: str) -> None:
    assert words in learned.result.text


def test_the_figures_shown_are_those_of_the_kept_report(
    learned: Learned, report: RunReport
) -> None:
    overall = report.overall
    assert overall.baseline.rate is not None
    assert overall.patched.rate is not None
    assert overall.ceiling.rate is not None
    shown = " ".join(
        f"{100 * rate:.1f} %"
        for rate in (overall.baseline.rate, overall.patched.rate, overall.ceiling.rate)
    )
    assert f"all runs {RUNS} {shown} " in learned.result.text
    for cluster in report.clusters:
        assert f" {cluster.label} " in learned.result.text
    for label in report.golden.labels if report.golden else ():
        assert f" {label.label} {label.support} " in learned.result.text
    patches = report.patches
    told = f"proposals of the run {patches.proposed} {patches.created} of them new"
    assert told in learned.result.text
    assert f"patches in the store {patches.in_store.total} " in learned.result.text
    for cost in report.cost:
        assert f" {cost.purpose} {cost.calls:,} {cost.cache_hits:,} " in learned.result.text


def test_a_run_learns_something_that_helps(report: RunReport) -> None:
    assert report.runs == RUNS
    assert report.stopped is None
    assert report.patches.activated > 0
    assert report.patches.quarantined > 0
    assert report.patches.quarantine_reasons
    assert report.overall.difference.gained > report.overall.difference.lost
    assert report.clusters
    assert report.highlights
    assert {cost.purpose for cost in report.cost} == {"baseline", "ceiling", "gate", "patched"}


def test_the_store_holds_marker_report_and_prompt(learned: Learned, report: RunReport) -> None:
    marker = json.loads((learned.store / "patchlab.json").read_text("utf-8"))
    assert marker == {
        "format": 2,
        "skill": "shipping",
        "embedder": "hashing",
        "task": None,
        "is_given": False,
        "runs": 1,
    }
    assert report.store == str(learned.store)
    assert len(list((learned.store / "prompts").iterdir())) == 1


def test_a_second_run_says_that_it_continues(store: Path, report: RunReport, cli: Cli) -> None:
    second = cli("run", "--runs", 20, "--golden", 12, "--store", store)
    assert second.code == 0
    assert "run-0002: 20 requests" in second.text
    active = report.patches.in_store.active
    assert f"It continues with {active} active patches that were learned before." in second.text
    assert sorted(path.name for path in (store / "runs").iterdir()) == [
        f"run-000{number}.{kind}"
        for number in (1, 2)
        for kind in ("golden.jsonl", "json", "snapshot.jsonl")
    ]


def test_a_second_run_asks_for_other_shipments_than_the_first(store: Path, cli: Cli) -> None:
    cli("run", "--runs", 20, "--golden", 0, "--store", store)
    traces = cli("traces", "list", "--limit", RUNS + 20, "--store", store, "--json").json
    by_run = {
        run: {trace["request"] for trace in traces if trace["run"] == run}
        for run in ("run-0001", "run-0002")
    }
    assert len(by_run["run-0002"]) > 10
    assert len(by_run["run-0001"] & by_run["run-0002"]) < 5


def test_without_a_store_option_the_store_lies_in_the_working_folder(
    cli: Cli, tmp_path: Path
) -> None:
    assert cli("run", "--runs", 2, "--golden", 0).code == 0
    assert (tmp_path / ".patchlab/patchlab.json").exists()


def test_no_golden_set_shows_none(cli: Cli) -> None:
    result = cli("run", "--runs", 3, "--golden", 0, "--store", "s")
    assert result.code == 0
    assert "golden set" not in result.text.casefold()
    assert "all runs 3 " in result.text


@pytest.mark.parametrize(("runs", "show"), [(20, 0), (40, 1)])
def test_show_limits_the_requests_listed(store: Path, cli: Cli, runs: int, show: int) -> None:
    result = cli("run", "--runs", runs, "--golden", 0, "--show", show, "--store", store)
    assert result.code == 0
    kept = json.loads((store / "runs/run-0002.json").read_text("utf-8"))
    assert kept["overall"]["difference"]["gained"] > show
    assert len(kept["highlights"]) == show
    title = "The latest requests to which patches made a difference"
    assert (title in result.text) == bool(show)


def test_without_retrieval_patched_is_the_baseline_and_still_learns(cli: Cli) -> None:
    settings = ("--top-k", 0, "--examples", 0, "--golden", 12, "--runs", 30)
    report = cli("run", *settings, "--store", "s", "--json").json
    assert report["overall"]["patched"] == report["overall"]["baseline"]
    assert report["golden"]["all"]["patched"] == report["golden"]["all"]["baseline"]
    difference = report["overall"]["difference"]
    assert (difference["gained"], difference["lost"]) == (0, 0)
    assert report["golden"]["covered"]["cases"] == 0
    assert report["patches"]["most_useful"] == []
    assert report["patches"]["created"] > 0


def test_without_noise_perfect_context_is_always_right(cli: Cli) -> None:
    report = cli("run", "--noise", 0, "--runs", 30, "--golden", 12, "--store", "s", "--json").json
    assert report["backend"] == "toy(seed=7, noise=0)"
    assert report["overall"]["ceiling"]["rate"] == 1
    assert report["golden"]["all"]["ceiling"]["rate"] == 1
    assert report["overall"]["difference"]["lost"] == 0


def test_the_seed_decides_about_the_requests(cli: Cli) -> None:
    for seed, store in ((1, "a"), (2, "b")):
        assert cli("run", "--runs", 5, "--golden", 0, "--seed", seed, "--store", store).code == 0
    one, other = (
        [t["request"] for t in cli("traces", "list", "--store", store, "--json").json]
        for store in ("a", "b")
    )
    assert len(one) == len(other) == 5
    assert one != other
