"""`patches rollback`: what it says, what it refuses, and what other commands make of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from patchlab_agent.models.rollback import PutBack, RollbackReport
from tests.cli.helpers import Cli, assert_refused, contents, rows
from tests.cli.test_completion import SHELLS, asked, offered

NOTHING = "The store is as it was at the end of run-0001: nothing to do.\n"


@pytest.fixture
def moved_on(store: Path, cli: Cli) -> Path:
    """A store with a second run, after which a person has disabled a patch."""
    assert cli("run", "--runs", 15, "--golden", 0, "--store", store).code == 0
    active = cli("patches", "list", "--status", "active", "--store", store, "--json").json
    assert cli("patches", "disable", active[0]["id"], "--store", store).code == 0
    return store


def patches(cli: Cli, store: Path) -> dict[str, dict[str, Any]]:
    """Every patch without its history, and without the uses that traces tell of."""
    found = cli("patches", "list", "--store", store, "--json").json
    aside = ("id", "history", "uses", "saves", "harms")
    return {p["id"]: {name: p[name] for name in p if name not in aside} for p in found}


def _lesson(patch: dict[str, Any]) -> str:
    return json.dumps([patch["trigger"], patch["fix"]], sort_keys=True)


def test_a_run_is_gone_back_to_by_name_or_number(cli: Cli, moved_on: Path, store: Path) -> None:
    lines = (store / "runs" / "run-0001.snapshot.jsonl").read_text("utf-8").splitlines()
    then = {_lesson(p): p["status"] for p in map(json.loads, lines[1:]) if "trigger" in p}
    before = patches(cli, store)
    result = cli("patches", "rollback", "--to", "run-0001", "--store", store, "--json")
    assert (result.code, result.err) == (0, "")
    assert list(result.json) == list(RollbackReport.model_fields)
    after = patches(cli, store)
    told = {each["patch_id"]: each for each in result.json["patches"]}
    assert set(told) == {name for name, patch in after.items() if patch != before[name]}
    assert result.json["unchanged"] == len(after) - len(told)
    for name, each in told.items():
        assert list(each) == list(PutBack.model_fields)
        assert (each["before"], each["after"]) == (before[name]["status"], after[name]["status"])
        assert each["is_later"] == (_lesson(after[name]) not in then)
        if each["is_later"]:
            assert each["after"] == "retired"
    assert result.json["examples_removed"] > 0
    assert cli("patches", "rollback", "--to", "2", "--store", store).code == 0
    assert cli("patches", "rollback", "--to", "0001", "--store", store).code == 0
    assert patches(cli, store) == after


def test_it_says_what_it_did_and_then_that_there_is_nothing_to_do(
    cli: Cli, moved_on: Path, store: Path
) -> None:
    result = cli("patches", "rollback", "--to", "1", "--store", store)
    assert (result.code, result.err) == (0, "")
    assert "id teaches before after why" in result.text
    table = rows(result.out)
    why = [row[-1] for row in table]
    assert "differed in status" in why
    assert f"Rolled back to run-0001: {len(table)} patches changed, " in result.text
    assert " examples removed, 0 restored, " in result.text
    again = cli("patches", "rollback", "--to", "1", "--store", store)
    assert (again.code, again.err, again.out) == (0, "", NOTHING)
    as_json = cli("patches", "rollback", "--to", "1", "--store", store, "--json").json
    assert (as_json["patches"], as_json["examples_removed"]) == ([], 0)


def test_the_history_and_the_doctor_know_of_it(cli: Cli, moved_on: Path, store: Path) -> None:
    reports, traces = contents(store)[0], contents(store)[2]
    told = cli("patches", "rollback", "--to", "1", "--store", store, "--json").json["patches"]
    history = cli("patches", "history", "--store", store, "--json").json
    events = [change for change in history if change["cause"] == "rolled back to run-0001"]
    assert {e["patch_id"]: e["status"] for e in events} == {
        each["patch_id"]: each["after"] for each in told
    }
    assert {event["trace_id"] for event in events} == {""}
    assert contents(store)[0] == reports
    assert contents(store)[2] == traces
    doctor = cli("doctor", "--store", store, "--json")
    assert doctor.code == 0
    assert cli("run", "--runs", 5, "--golden", 0, "--store", store).code == 0


@pytest.mark.parametrize("wanted", ["2", "run-0002", "x", "", "../runs/run-0001", "[/]"])
def test_an_unknown_run_is_refused(cli: Cli, store: Path, wanted: str) -> None:
    before = contents(store)
    result = cli("patches", "rollback", "--to", wanted, "--store", store)
    assert_refused(result, 3, repr(wanted), "name run-0001")
    assert contents(store) == before


def test_a_run_without_a_snapshot_is_refused(cli: Cli, moved_on: Path, store: Path) -> None:
    (store / "runs" / "run-0002.snapshot.jsonl").unlink()
    before = contents(store)
    result = cli("patches", "rollback", "--to", "2", "--store", store)
    assert_refused(result, 4, "run-0002 left no snapshot", "roll back to run-0001")
    (store / "runs" / "run-0001.snapshot.jsonl").write_text("{}\n", "utf-8")
    result = cli("patches", "rollback", "--to", "1", "--store", store)
    assert_refused(result, 4, "run-0001.snapshot.jsonl is damaged")
    assert contents(store)[1:] == before[1:]


def test_where_there_is_no_store_none_is_made(cli: Cli) -> None:
    result = cli("patches", "rollback", "--to", "1", "--store", "nowhere")
    assert_refused(result, 4, "There is no store at nowhere")
    assert not Path("nowhere").exists()
    assert_refused(cli("patches", "rollback"), 2, "--to")


@pytest.mark.parametrize("shell", SHELLS)
def test_runs_are_offered_by_the_shell(cli: Cli, store: Path, shell: str) -> None:
    line = f"patchlab-agent patches rollback --store {store} --to "
    assert offered(shell, line) == {"run-0001"}
    if shell == "bash":
        assert offered(shell, f"{line}run-0002") == set()
        assert offered(shell, "patchlab-agent patches rollback --to r") == set()
    else:
        assert "active patches" in asked(shell, line)
    assert offered(shell, f"patchlab-agent report --store {store} run-") == {"run-0001"}
