"""`--holdout`: lessons left out of a share of their uses, from run to quote and feedback."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from patchlab_agent.models.trace import Trace
from tests.cli.helpers import Cli, assert_refused, without_times

RUN = ("run", "--runs", 60, "--golden", 4)


def traces(cli: Cli, store: str) -> list[Trace]:
    found = cli("traces", "list", "--limit", 1000, "--store", store, "--json").json
    return [Trace.model_validate(each) for each in found]


def test_a_run_holds_lessons_out_and_says_so(cli: Cli) -> None:
    report = cli(*RUN, "--holdout", 0.2, "--store", "s", "--json").json
    assert report["settings"]["holdout"] == 0.2
    stream = traces(cli, "s")
    uses = sum(len(trace.applied) + len(trace.held_out) for trace in stream)
    held_out = sum(len(trace.held_out) for trace in stream)
    assert 0.1 < held_out / uses < 0.3
    assert "Each lesson was held out of 20.0 % of its uses" in cli("report", "--store", "s").text
    # The baseline, which learns nothing, is still there to compare with.
    plain = cli(*RUN, "--store", "plain", "--json").json
    assert report["overall"]["baseline"] == plain["overall"]["baseline"]
    assert "held out of" not in cli("report", "--store", "plain").text
    # Of requests that turned right, only those count on which the gate decided.
    patches = cli("patches", "list", "--status", "active", "--store", "s", "--json").json
    assert max(len(patch["record"]["outcomes"]) for patch in patches) < 6
    assert any(patch["record"]["pairs"]["seen"] for patch in patches)
    everything = cli("patches", "list", "--store", "plain", "--json").json
    assert not any(patch["record"]["pairs"]["seen"] for patch in everything)


@pytest.mark.parametrize(
    ("one", "other"), [(("--holdout", 0.1), ("--holdout", 0.1)), (("--holdout", 0), ())]
)
def test_the_same_share_makes_the_same_run(
    cli: Cli, one: tuple[object, ...], other: tuple[object, ...]
) -> None:
    run = ("run", "--runs", 25, "--golden", 4, "--json")
    reports = [
        cli(*run, *given, "--store", name).json for name, given in (("a", one), ("b", other))
    ]
    assert without_times(reports[0]) == without_times(reports[1])


@pytest.fixture
def taught(store: Path, cli: Cli) -> dict[str, Any]:
    """An active patch of the store."""
    patches = cli("patches", "list", "--status", "active", "--store", store, "--json").json
    patch: dict[str, Any] = patches[0]
    return patch


def test_a_quote_tells_what_was_held_out_of_it_and_feedback_counts_it(
    cli: Cli, store: Path, taught: dict[str, Any]
) -> None:
    request = f"Ship 2 kg {taught['trigger']} box to US"
    options = ("--holdout", 0.999, "--store", store)
    result = cli("answer", request, *options)
    assert "held out of this answer by a draw" in result.out
    (trace,) = cli("traces", "list", "--limit", 1, "--store", store, "--json").json
    assert trace["holdout"] == 0.999
    assert [ref["held_out"] for ref in trace["retrieved"] if ref["trigger"] == taught["trigger"]]
    assert "held out of this answer" in cli("traces", "show", trace["id"], "--store", store).out
    told = cli("feedback", trace["id"], "--label", "OK", "--store", store)
    assert told.out.endswith("it may count for the lessons used or held out.\n")
    shown = cli("patches", "show", taught["id"], "--store", store).text
    assert "held out no decisive pair of uses yet" in shown


@pytest.mark.parametrize("command", [("quote", "Ship 2 kg tea box to US"), ("run",)])
@pytest.mark.parametrize("share", [1, -0.1, "nan", "abc"])
def test_a_share_that_cannot_be_used_is_refused(
    cli: Cli, own_folder: Path, command: tuple[str, ...], share: object
) -> None:
    result = cli(*command, "--holdout", share)
    assert_refused(result, 2, "holdout")
    assert list(own_folder.iterdir()) == []


def test_a_share_may_come_from_around_the_command_line(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATCHLAB_HOLDOUT", "0.25")
    found = {each["name"]: each["value"] for each in cli("config", "--json").json["settings"]}
    assert found["holdout"] == 0.25


def test_a_recording_from_before_there_was_a_holdout_plays(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What was recorded is what counts, not what is around the command line.
    monkeypatch.setenv("PATCHLAB_HOLDOUT", "0.5")
    report = cli("run", "--backend", "replay", "--runs", 12, "--golden", 0, "--json").json
    assert report["settings"]["holdout"] == 0
    assert report["stopped"] is None
    assert json.dumps(report)
