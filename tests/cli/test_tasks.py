"""A task of one's own: `init`, `check`, `run --task`, and the commands after it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from patchlab_agent.models.report import RunReport
from tests.cli.helpers import Cli, assert_refused, called
from tests.tasks.folders import ROWS, row, write_task


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sample task, and a store that a run on it has left."""
    home = tmp_path_factory.mktemp("task")
    assert called("init", home / "tickets").code == 0
    run = called("run", "--task", home / "tickets", "--store", home / "store", "--json")
    assert run.code == 0
    (home / "report.json").write_text(run.out, "utf-8")
    return home


def test_a_task_is_learned_without_a_model_or_an_oracle(learned: Path) -> None:
    report = RunReport.model_validate_json((learned / "report.json").read_text("utf-8"))
    assert report.runs == 35
    assert report.golden is not None
    assert report.golden.all.difference.low is not None
    assert report.golden.all.difference.low > 0.3
    assert report.golden.all.ceiling.rate is report.golden.all.gap_closed is None
    assert {cost.purpose for cost in report.cost} == {"baseline", "gate", "patched"}
    scores = {each.label: each for each in report.golden.labels}
    assert scores["topics:invoice"].patched.recall == 1.0


def test_the_store_remembers_its_task(learned: Path, cli: Cli, tmp_path: Path) -> None:
    store = tmp_path / "store"
    shutil.copytree(learned / "store", store)
    answered = cli("answer", "the router is broken", "--noise", 0, "--store", store, "--json")
    assert answered.code == 0
    told = ("feedback", "last", "--label", "wrong_team", "--field", "team", "--detail", "hardware")
    assert cli(*told, "--store", store).code == 0
    assert "router" in cli("patches", "list", "router", "--store", store).out
    assert cli("traces", "show", "last", "--store", store).code == 0
    assert cli("report", "--store", store).code == 0
    assert cli("patches", "effect", "--golden", 5, "--store", store).code == 0
    again = cli("run", "--runs", 3, "--golden", 3, "--fresh", "--yes", "--store", store, "--json")
    assert (again.code, again.json["runs"]) == (0, 3)
    assert json.loads((store / "patchlab.json").read_text("utf-8"))["skill"] == "tickets"


def test_a_store_of_another_task_is_refused(learned: Path, cli: Cli, tmp_path: Path) -> None:
    other = write_task(tmp_path / "other")
    refused = cli("run", "--task", other, "--store", learned / "store")
    assert_refused(refused, 4, "holds patches of the task", "tickets", "other")


def test_a_store_whose_task_is_gone_says_so(learned: Path, cli: Cli, tmp_path: Path) -> None:
    shutil.copytree(learned / "store", tmp_path / "store")
    marker = tmp_path / "store" / "patchlab.json"
    info = {**json.loads(marker.read_text("utf-8")), "task": str(tmp_path / "gone")}
    marker.write_text(json.dumps(info), "utf-8")
    refused = cli("patches", "list", "--store", tmp_path / "store")
    assert_refused(refused, 4, "The store is of the task in", "There is no folder")


def test_check_lists_what_is_wrong_and_a_run_does_not_start(cli: Cli, tmp_path: Path) -> None:
    folder = write_task(tmp_path / "task", [*ROWS, row("x", team="sales")])
    found = cli("check", folder)
    assert found.code == 3
    assert "error  line 5: team: " in found.out
    assert "note   golden has 1 rows; fewer than 10 say little" in found.out
    assert found.err.startswith("Error: ")
    listed = cli("check", folder, "--json")
    assert (listed.code, [f["line"] for f in listed.json["findings"] if f["is_fatal"]]) == (3, [5])
    refused = cli("run", "--task", folder, "--store", tmp_path / "store")
    assert_refused(refused, 3, "line 5: team: ")
    assert not (tmp_path / "store").exists()


def test_init_from_rows_and_check_say_what_comes_next(cli: Cli, tmp_path: Path) -> None:
    rows = tmp_path / "mine.csv"
    rows.write_text(
        "request,team\n" + "".join(f"r {n},{'ab'[n % 2]}\n" for n in range(60)), "utf-8"
    )
    made = cli("init", tmp_path / "mine", "--from", rows)
    assert (made.code, made.err) == (0, "")
    assert "with 60 rows" in made.out
    checked = cli("check", tmp_path / "mine")
    assert (checked.code, checked.err) == (0, "")
    assert "It can be run: patchlab-agent run --task" in checked.out
    assert_refused(cli("init", tmp_path / "mine"), 3, "is not empty")
    assert_refused(cli("init", tmp_path / "no", "--from", tmp_path / "none.csv"), 3, "none.csv")
