"""A full disk is one sentence and exit code 4 in every command, and nothing is lost to it."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from patchlab_agent.store.room import ROOM
from tests.cli.helpers import Cli, assert_refused, contents

REQUEST = "Ship 2 kg books box to US"
RUN = ("run", "--runs", 30, "--golden", 2)
FULL = "cannot be written, as its disk is full; make room and try again."


class Usage(NamedTuple):
    free: int


class Disk:
    """Says that it has room so many times, and has too little from then on."""

    asked = 0

    def __init__(self, times: int) -> None:
        self._times = times

    def usage(self, path: Path) -> Usage:
        self.asked += 1
        return Usage(10**9 if self.asked <= self._times else ROOM // 2)


def fill(monkeypatch: pytest.MonkeyPatch, times: int = 0) -> None:
    monkeypatch.setattr(shutil, "disk_usage", Disk(times).usage)


def fill_for_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only files of the program's own find no room."""

    def refuse(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)


@pytest.fixture
def export(cli: Cli, store: Path) -> Path:
    assert cli("patches", "export", "lessons.jsonl", "--store", store).code == 0
    return Path("lessons.jsonl")


@pytest.mark.parametrize(
    "command",
    [
        RUN,
        ("answer", REQUEST),
        ("feedback", 0, "--label", "item_unknown", "--field", "item", "--detail", "toys"),
        ("patches", "disable", "ID"),
        ("patches", "retire", "ID"),
        ("patches", "enable", "ID"),
        ("patches", "regate", "ID"),
        ("patches", "rollback", "--to", 1),
        ("patches", "import", "lessons.jsonl"),
    ],
    ids=lambda command: "-".join(map(str, command[:2])),
)
def test_what_writes_to_a_store_says_so_and_changes_nothing(
    cli: Cli,
    store: Path,
    export: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[object, ...],
) -> None:
    patch = cli("patches", "list", "--status", "active", "--store", store, "--json").json[0]["id"]
    named = [patch if word == "ID" else word for word in command]
    before = contents(store)
    with monkeypatch.context() as full:
        fill(full)
        assert_refused(cli(*named, "--store", store), 4, f"{store} {FULL}")
    assert contents(store) == before


def test_a_new_store_that_there_is_no_room_for_can_be_made_later(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as full:
        fill(full)
        assert_refused(cli(*RUN, "--store", "new"), 4, f"new {FULL}")
    with monkeypatch.context() as full:
        fill_for_files(full)
        assert_refused(cli(*RUN, "--store", "new"), 4, f"new {FULL}")
    assert cli(*RUN, "--store", "new").code == 0


@pytest.mark.parametrize(
    "command",
    [
        ("report", "--html", "kept"),
        ("patches", "export", "kept", "--force"),
        ("traces", "export", "kept", "--force"),
    ],
    ids=lambda command: "-".join(command[:2]),
)
def test_a_file_that_there_is_no_room_for_leaves_the_old_one(
    cli: Cli, store: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    Path("kept").write_text("good")
    fill_for_files(monkeypatch)
    assert_refused(cli(*command, "--store", store), 4, f"kept {FULL}")
    assert Path("kept").read_text() == "good"
    assert not Path("kept.new").exists()


def test_a_plot_that_there_is_no_room_for_leaves_the_old_one(
    cli: Cli, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("kept.svg").write_text("good")
    fill_for_files(monkeypatch)
    assert_refused(
        cli("compare", 1, 1, "--plot", "kept.svg", "--store", store), 4, f"kept.svg {FULL}"
    )
    assert Path("kept.svg").read_text() == "good"


def test_a_sweep_ends_where_the_next_store_has_no_room_either(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(monkeypatch, times=8)
    sweep = ("compare", "--vary", "top-k=1,5", "--runs", 20, "--golden", 2, "--keep", "kept")
    assert_refused(cli(*sweep), 4, FULL)


def test_a_run_whose_disk_fills_up_keeps_and_reports_what_it_did(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as full:
        fill(full, times=8)
        result = cli(*RUN, "--store", "s", "--json")
    assert (result.code, result.err) == (4, f"Error: s {FULL}\n")
    report = result.json
    assert 0 < report["runs"] < 30
    assert report["stopped"] == {"kind": "store", "reason": f"s {FULL}"}
    assert json.loads(Path("s/runs/run-0001.json").read_text("utf-8")) == report
    traces = cli("traces", "list", "--limit", 1000, "--store", "s", "--json").json
    assert len(traces) == report["runs"]
    assert cli("doctor", "--store", "s").code == 0
    assert cli("patches", "rollback", "--to", 1, "--store", "s").code == 0


def test_a_run_whose_report_finds_no_room_says_so_and_prints_it(
    cli: Cli, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeps = {path.name for path in (store / "runs").iterdir()}
    written = []

    def refuse_the_report(number: int) -> None:
        written.append(number)
        if len(written) > 1:  # the first counts the run
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse_the_report)
    result = cli(*RUN, "--store", store)
    lost = "this report, the answers to the golden set, the snapshot for a rollback"
    assert result.err == f"Error: {store} {FULL} Not stored: {lost}.\n"
    assert result.code == 4
    assert "run-0002: 30 requests" in result.text
    assert {path.name for path in (store / "runs").iterdir()} == keeps


def test_what_no_command_expects_is_told_as_well(
    cli: Cli, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/tmp/x")

    monkeypatch.setattr("patchlab_agent.lab.stored_lab.open_store", refuse)
    assert_refused(cli("patches", "list", "--store", store), 4, f"/tmp/x {FULL}")
