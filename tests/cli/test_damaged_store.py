"""Every command on a store that lost something: one sentence, exit code 4, and nothing is made."""

from __future__ import annotations

import json
import os
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from patchlab_agent.store import database as database_module
from patchlab_agent.store.clients import open_client
from patchlab_agent.store.database import DATABASE
from tests.cli.helpers import Cli, assert_refused, change_marker, digests

READING = [
    ("patches", "list"),
    ("patches", "search", "battery"),
    ("patches", "show", "3"),
    ("patches", "history", "3"),
    ("patches", "export", "-"),
    ("patches", "effect"),
    ("traces", "list"),
    ("traces", "show", "0"),
    ("traces", "export", "-"),
    ("report",),
    ("report", "--html", "page.html"),
    ("compare", "1", "1"),
]
WRITING = [
    ("quote", "Ship 2 kg tea box to US"),
    ("run", "--runs", "1", "--golden", "0"),
    ("feedback", "0", "--label", "OK"),
    ("patches", "enable", "3"),
    ("patches", "rollback", "--to", "1"),
    ("patches", "regate", "3"),
]
EVERY = pytest.mark.parametrize("command", [*READING, *WRITING], ids=" ".join)


def outcome(cli: Cli, store: Path) -> tuple[str, str]:
    """What `doctor` says of a store: the check's status, and all its words."""
    result = cli("doctor", "--store", store, "--json")
    [check] = [each for each in result.json["checks"] if each["name"] == "store"]
    assert (result.code == 1) == (check["status"] == "failed")
    return check["status"], f"{check['found']} {check['remedy']}"


@EVERY
def test_a_database_that_is_gone_is_missed_by_every_command(
    cli: Cli, store: Path, command: tuple[str, ...]
) -> None:
    (store / DATABASE).unlink()
    before = digests(store)
    result = cli(*command, "--store", store)
    assert_refused(result, 4, "1 run", "lost its database", "run --fresh")
    assert {**digests(store), ".lock": ""} == {**before, ".lock": ""}
    assert not Path("page.html").exists()


@pytest.mark.parametrize(
    ("kept", "words"),
    [
        ("runs/run-0001.json", "run-0001.json is damaged"),
        ("runs/run-0001.snapshot.jsonl", "run-0001.snapshot.jsonl is damaged"),
    ],
)
def test_a_report_that_was_cut_off_is_found(cli: Cli, store: Path, kept: str, words: str) -> None:
    content = (store / kept).read_bytes()
    (store / kept).write_bytes(content[: len(content) // 2])
    status, told = outcome(cli, store)
    assert (status, words in told) == ("failed", True)


def no_collection(store: Path) -> None:
    with closing(open_client(store)) as client:
        client.delete_collection("examples")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda store: (store / DATABASE).unlink(), "lost its database"),
        (lambda store: (store / DATABASE).write_bytes(b""), "lost its database"),
        (no_collection, "no collection examples"),
    ],
    ids=["no database", "an empty one", "no collection"],
)
def test_what_is_lost_is_lost_before_and_after_other_commands(
    cli: Cli, store: Path, damage: Callable[[Path], object], words: str
) -> None:
    damage(store)
    for _ in range(2):
        status, told = outcome(cli, store)
        assert (status, words in told, "Restore" in told) == ("failed", True, True)
        assert_refused(cli("traces", "list", "--store", store), 4, words)
        assert_refused(cli("answer", "Ship 2 kg tea box to US", "--store", store), 4, words)


def test_starting_over_is_the_way_out(cli: Cli, store: Path) -> None:
    run = ("run", "--runs", 1, "--golden", 0, "--store", store)
    (store / DATABASE).unlink()
    assert_refused(cli(*run, "--fresh"), 2, "cannot be opened", "--yes")
    assert cli(*run, "--fresh", "--yes").code == 0
    assert len(cli("traces", "list", "--store", store, "--json").json) == 1


@EVERY
def test_a_database_that_is_locked_is_told_by_every_command(
    cli: Cli, store: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.setattr(database_module, "PATIENCE", 0.05)
    with closing(sqlite3.connect(store / DATABASE, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert_refused(cli(*command, "--store", store), 4, "locked by another program")


def test_a_locked_database_fails_the_check(
    cli: Cli, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "PATIENCE", 0.05)
    with closing(sqlite3.connect(store / DATABASE, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        status, told = outcome(cli, store)
    assert (status, "locked by another program" in told) == ("failed", True)


def test_a_store_that_may_only_be_read_says_permissions(
    cli: Cli, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A test that runs as root may write everywhere, whatever the folder's mode is.
    def access(path: str | Path, mode: int) -> bool:
        return mode != os.W_OK or not Path(path).is_relative_to(store)

    monkeypatch.setattr(os, "access", access)
    for command in READING:
        assert_refused(cli(*command, "--store", store), 4, "cannot be written", "permissions")
    status, told = outcome(cli, store)
    assert status == "warning"
    assert "cannot be written" in told
    assert "Change its permissions." in told


def test_an_unknown_embedder_in_the_marker_is_the_stores_fault(cli: Cli, store: Path) -> None:
    change_marker(store, embedder="magic")
    for command in (("patches", "list"), ("quote", "Ship 2 kg tea box to US")):
        assert_refused(cli(*command, "--store", store), 4, "patchlab.json", "'magic'")
    checks = {c["name"]: c for c in cli("doctor", "--store", store, "--json").json["checks"]}
    assert (checks["embedder"]["status"], checks["store"]["status"]) == ("ok", "failed")
    assert "'magic'" in checks["store"]["found"]


@pytest.mark.parametrize(
    ("collection", "command"),
    [
        ("patches", ("patches", "list")),
        ("patches", ("patches", "search", "battery")),
        ("patches", ("patches", "export", "-")),
        ("traces", ("traces", "list")),
        ("traces", ("traces", "search", "Ship 2 kg tea box to US")),
        ("traces", ("traces", "export", "-")),
        ("patches", ("report", "--html", "page.html")),
        ("examples", ("quote", "Ship 2 kg tea box to US")),
    ],
)
def test_a_record_without_metadata_is_no_traceback(
    cli: Cli, store: Path, collection: str, command: tuple[str, ...]
) -> None:
    with closing(open_client(store)) as client:
        records = client.get_collection(collection)
        found: Any = records.get(limit=1, include=["embeddings"])["embeddings"]
        records.add(ids=["bare"], embeddings=found, documents=["Ship 2 kg tea box to US"])
    result = cli(*command, "--store", store)
    assert result.code == 4
    assert re.search(f"^Error: Record bare of the {collection} of .*doctor", result.err)
    assert len(result.err.splitlines()) == 1
    status, told = outcome(cli, store)
    assert (status, f"{collection} record bare" in told) == ("failed", True)


def test_a_store_that_is_whole_stays_readable_beside_damage_elsewhere(
    cli: Cli, store: Path
) -> None:
    (store / "runs" / "run-0001.json").write_text(json.dumps({"schema_version": 1}), "utf-8")
    assert cli("traces", "list", "--store", store).code == 0
    assert_refused(cli("report", "--store", store), 4, "version 1")
    assert outcome(cli, store)[0] == "ok"
