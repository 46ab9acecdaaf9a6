"""`report`: a run's report again, on the terminal, as JSON and as a page."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from patchlab_agent.cli import page
from patchlab_agent.models.report import SCHEMA_VERSION
from tests.cli.conftest import RUNS, Learned
from tests.cli.helpers import Cli, assert_refused, contents
from tests.report.parsed import parsed


def stored(store: Path, run: str = "run-0001") -> Path:
    return store / "runs" / f"{run}.json"


def second_run(store: Path, **changes: Any) -> None:
    """A second report, told apart by its changes."""
    report = json.loads(stored(store).read_text("utf-8"))
    text = json.dumps({**report, "run": "run-0002", **changes})
    stored(store, "run-0002").write_text(text, "utf-8")


def test_the_last_run_is_shown_as_it_was_after_it(cli: Cli, store: Path, learned: Learned) -> None:
    result = cli("report", "--store", store)
    assert (result.code, result.err) == (0, "")
    assert result.out == learned.result.out


def test_json_is_the_stored_report(cli: Cli, store: Path) -> None:
    result = cli("report", "--store", store, "--json")
    assert (result.code, result.err) == (0, "")
    assert result.json == json.loads(stored(store).read_text("utf-8"))
    assert result.json["run"] == "run-0001"


@pytest.mark.parametrize(
    ("wanted", "runs"),
    [([], 7), (["run-0002"], 7), (["2"], 7), (["0002"], 7), (["1"], RUNS), (["run-0001"], RUNS)],
)
def test_a_run_is_named_in_full_or_by_its_number(
    cli: Cli, store: Path, wanted: list[str], runs: int
) -> None:
    second_run(store, runs=7)
    assert cli("report", *wanted, "--store", store, "--json").json["runs"] == runs


def test_the_last_run_is_the_one_of_the_highest_number(cli: Cli, store: Path) -> None:
    for number in (9999, 10000):
        shutil.copy(stored(store), stored(store, f"run-{number}"))
    second_run(store)
    stored(store, "run-10000").write_text("{}", "utf-8")
    assert_refused(cli("report", "--store", store), 4, "run-10000.json", "damaged")
    assert cli("report", "9999", "--store", store).code == 0


def test_a_page_is_written_and_nothing_else(cli: Cli, store: Path, own_folder: Path) -> None:
    before = contents(store)
    result = cli("report", "1", "--store", store, "--html", "page.html")
    assert (result.code, result.out) == (0, "")
    assert result.error == "The page is page.html."
    found = parsed((own_folder / "page.html").read_text("utf-8"))
    assert found.text.startswith("run-0001 – PatchLab")
    assert len([i for i in found.values("id") if i.startswith("t-")]) == RUNS
    assert contents(store) == before


def test_json_and_a_page_go_together(cli: Cli, store: Path, own_folder: Path) -> None:
    result = cli("report", "--store", store, "--json", "--html", "page.html")
    assert result.json["run"] == "run-0001"
    assert (own_folder / "page.html").exists()


def test_a_run_writes_the_page_that_report_would(cli: Cli, own_folder: Path) -> None:
    run = cli("run", "--runs", 30, "--golden", 0, "--store", "lab", "--html", "one.html")
    assert run.code == 0
    assert "PatchLab" in run.out
    assert cli("report", "--store", "lab", "--html", "two.html").code == 0
    one, two = ((own_folder / name).read_bytes() for name in ("one.html", "two.html"))
    assert one == two


@pytest.mark.parametrize("command", ["run", "report"])
@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("no/such/page.html", ("in a folder that does not exist",)),
        (".", ("is a folder",)),
    ],
)
def test_a_page_that_cannot_be_written_is_refused_before_any_work(
    cli: Cli, store: Path, command: str, path: str, words: tuple[str, ...]
) -> None:
    before = contents(store)
    result = cli(command, "--store", store, "--html", path)
    assert_refused(result, 2, "--html", *words)
    assert contents(store) == before


def test_a_page_that_cannot_be_written_after_all_is_told(
    cli: Cli, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(page, "write_whole", full)
    result = cli("report", "--store", store, "--html", "page.html")
    assert_refused(result, 4, "page.html cannot be written, as its disk is full; make room")


@pytest.mark.parametrize("wanted", ["run-0009", "9", "0", "run", "../run-0001", "", "²"])
def test_a_run_that_is_not_there_is_named_with_those_that_are(
    cli: Cli, store: Path, wanted: str
) -> None:
    second_run(store)
    result = cli("report", wanted, "--store", store)
    assert_refused(result, 3, f"{wanted!r}", "run-0001 to run-0002")


def test_a_store_without_a_run_says_how_to_get_one(cli: Cli) -> None:
    cli("answer", "Ship 1 kg tea box to EU", "--store", "lab")
    assert_refused(cli("report", "--store", "lab"), 3, "no report", "patchlab-agent run")


def test_without_a_store_there_is_no_report(cli: Cli, own_folder: Path) -> None:
    assert_refused(cli("report", "--html", "page.html"), 4, "There is no store at .patchlab")
    assert not (own_folder / "page.html").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", ("is damaged",)),
        (b"\xff\xfe", ("is damaged",)),
        (b"[]", ("is damaged",)),
        (b"{}", ("is damaged",)),
        (b'{"schema_version": "two"}', ("is damaged",)),
        (f'{{"schema_version": {SCHEMA_VERSION}}}'.encode(), ("is damaged",)),
        (b'{"schema_version": 1, "run": "run-0001"}', ("of version 1", "run again")),
        (b'{"schema_version": 99}', ("of version 99", f"reads version {SCHEMA_VERSION}")),
    ],
)
def test_a_report_that_cannot_be_read_is_said_to_be_so(
    cli: Cli, store: Path, text: bytes, words: tuple[str, ...]
) -> None:
    stored(store).write_bytes(text)
    assert_refused(cli("report", "--store", store), 4, "run-0001.json", *words)


def test_a_report_that_is_a_folder_is_no_report(cli: Cli, store: Path) -> None:
    stored(store).unlink()
    stored(store).mkdir()
    assert_refused(cli("report", "--store", store), 4, "run-0001.json", "cannot be read")
