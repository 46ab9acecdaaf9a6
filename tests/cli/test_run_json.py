"""`run --json`: for machines, and the same whenever the run is the same."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from patchlab_agent.models.report import SCHEMA_VERSION, RunReport
from tests.cli.helpers import Cli, Result, assert_refused, called, without_times

RUN = ("run", "--runs", 30, "--golden", 12, "--json")


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> Result:
    return called(*RUN, "--store", tmp_path_factory.mktemp("json") / "store")


def test_stdout_is_one_json_document_and_nothing_else(printed: Result) -> None:
    assert (printed.code, printed.err) == (0, "")
    report = printed.json
    assert report["schema_version"] == SCHEMA_VERSION
    assert list(report) == list(RunReport.model_fields)
    assert RunReport.model_validate(report).runs == 30
    assert printed.out.isascii()


def test_the_kept_report_is_the_printed_one(printed: Result) -> None:
    kept = Path(printed.json["store"]) / "runs/run-0001.json"
    assert json.loads(kept.read_text("utf-8")) == printed.json


def test_the_settings_are_named_as_they_were_used(cli: Cli) -> None:
    options = ("--seed", 3, "--noise", 0.1, "--top-k", 2, "--examples", 1)
    report = cli("run", "--runs", 4, "--golden", 3, *options, "--store", "s", "--json").json
    assert report["settings"] == {
        "skill": "shipping",
        "backend": "simulated",
        "seed": 3,
        "noise": 0.1,
        "top_k": 2,
        "examples": 1,
        "context_tokens": 250,
        "holdout": 0.0,
        "embedder": "hashing",
        "shared": False,
        "patcher": "rules",
        "ask_names": False,
        "gate": "on",
        "gate_alpha": 0.05,
        "gate_max_calls": 400,
        "trust": "import,model,person",
        "drift": None,
        "false_feedback": 0.0,
        "concurrency": 1,
        "runs": 4,
        "golden": 3,
    }


def test_the_same_command_on_fresh_stores_gives_the_same_report(printed: Result, cli: Cli) -> None:
    one = printed.json
    other = cli(*RUN, "--store", "other").json
    assert one["store"] != other["store"]
    assert without_times(one) == without_times(other)


def test_figures_of_a_report_agree_with_each_other(printed: Result) -> None:
    report: dict[str, Any] = printed.json
    overall = report["overall"]
    gained, lost = (overall["difference"][name] for name in ("gained", "lost"))
    assert overall["patched"]["successes"] - overall["baseline"]["successes"] == gained - lost
    assert sum(c["patched"] for c in report["clusters"]) == 30 - overall["patched"]["successes"]
    assert sum(c["baseline"] for c in report["clusters"]) == 30 - overall["baseline"]["successes"]
    assert sum(c["share"] for c in report["clusters"]) == pytest.approx(1)
    assert report["curve"][-1]["last"] == 30
    assert report["curve"][-1]["patches"]["active"] == report["patches"]["in_store"]["active"]
    golden = report["golden"]
    assert golden["all"]["cases"] == 12
    assert sum(golden[part]["cases"] for part in ("covered", "known", "uncovered")) == 12


def test_what_became_of_patches_is_counted_as_the_traces_tell_it(cli: Cli) -> None:
    report = cli("run", "--runs", 200, "--golden", 0, "--store", "s", "--json").json
    traces = cli("traces", "list", "--limit", 1000, "--store", "s", "--json").json
    events = [event for trace in traces for event in trace["events"]]
    kinds = Counter(event["kind"] for event in events)
    patches = report["patches"]
    for name in ("known", "active_already", "proven", "convicted", "activated"):
        assert patches[name] == kinds[name], name
    assert patches["known"] > 0
    assert patches["proven"] > 0
    assert patches["created"] == sum(event["created"] for event in events)
    assert patches["created"] <= patches["proposed"] <= len(events)
    assert (
        patches["proven_in_store"] + patches["on_trial_in_store"] == patches["in_store"]["active"]
    )
    for name, standing in (("proven_in_store", "proven"), ("on_trial_in_store", "trial")):
        found = cli("patches", "list", "--standing", standing, "--store", "s", "--json").json
        assert len(found) == patches[name] > 0


@pytest.mark.parametrize("option", [("--verbose",), ("-v",), ("--trace", 1)])
def test_json_with_steps_is_refused_before_anything_starts(
    cli: Cli, option: tuple[object, ...]
) -> None:
    assert_refused(cli(*RUN, *option, "--store", "s"), 2, "--json", "--verbose", "--trace")
    assert not Path("s").exists()
