"""`store backup`, `store restore` and `store repair`."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

from patchlab_agent.store.clients import open_client
from tests.cli.helpers import Cli, assert_refused, contents


def test_a_backup_brings_a_store_back(cli: Cli, store: Path, tmp_path: Path) -> None:
    before = contents(store)
    file = tmp_path / "monday.tar.gz"
    told = cli("store", "backup", file, "--store", store)
    assert (told.code, told.text) == (0, f"Copied {store} to {file}.")
    assert_refused(cli("store", "backup", file, "--store", store), 2, "--force")
    assert cli("patches", "disable", _active(cli, store), "--store", store).code == 0
    assert contents(store) != before
    assert_refused(cli("store", "restore", file, "--store", store), 2, "--force")
    told = cli("store", "restore", file, "--store", store, "--force")
    assert (told.code, told.text) == (0, f"Restored {store} from {file}.")
    assert contents(store) == before


def test_a_damaged_backup_is_not_restored(cli: Cli, store: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    assert cli("store", "backup", copy, "--store", store).code == 0
    (copy / "chroma.sqlite3").write_bytes(b"")
    assert_refused(cli("store", "restore", copy, "--store", tmp_path / "new"), 4, "chroma.sqlite3")
    assert not (tmp_path / "new").exists()
    assert_refused(
        cli("store", "restore", tmp_path / "none", "--store", tmp_path / "new"), 3, "none"
    )


def test_doctor_names_dangling_references_and_repair_mends_them(cli: Cli, store: Path) -> None:
    [born] = {patch["provenance"]["trace_id"] for patch in _patches(cli, store)[:1]}
    with closing(open_client(store)) as client:
        client.get_collection("traces").delete(ids=[born])
    sick = cli("doctor", "--store", store, "--offline")
    assert sick.code != 0
    assert f"was born of trace {born}, which is missing" in sick.text
    assert "patchlab-agent store repair --store" in sick.text
    report = cli("store", "repair", "--store", store, "--json").json
    assert any(f"names trace {born} no longer" in each for each in report["patches"])
    assert cli("doctor", "--store", store, "--offline").code == 0
    told = cli("store", "repair", "--store", store)
    assert (told.code, told.text) == (0, f"{store}: Nothing to mend.")


def test_there_must_be_a_store(cli: Cli, tmp_path: Path) -> None:
    for arguments in (("repair",), ("backup", tmp_path / "copy.zip")):
        result = cli("store", *arguments, "--store", tmp_path / "none")
        assert_refused(result, 4, "There is no store at")
    assert list(tmp_path.iterdir()) == []


def test_an_import_names_where_it_comes_from_and_no_trace(
    cli: Cli, store: Path, tmp_path: Path
) -> None:
    file, other = tmp_path / "lessons.jsonl", tmp_path / "other"
    assert cli("patches", "export", file, "--store", store).code == 0
    assert cli("patches", "import", file, "--store", other).code == 0
    for patch in _patches(cli, other):
        assert patch["provenance"]["source"] == "lessons.jsonl"
        assert patch["provenance"]["trace_id"] == ""
        assert {change["trace_id"] for change in patch["history"]} == {""}
    assert cli("doctor", "--store", other, "--offline").code == 0


def _patches(cli: Cli, store: Path) -> list[Any]:
    ids = [each["id"] for each in cli("patches", "list", "--store", store, "--json").json]
    return [cli("patches", "show", i, "--store", store, "--json").json for i in ids[:6]]


def _active(cli: Cli, store: Path) -> str:
    listed = cli("patches", "list", "--status", "active", "--store", store, "--json").json
    return str(listed[0]["id"])
