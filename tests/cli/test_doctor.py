"""`doctor`: every failure really caused, found, and given its remedy."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock

from patchlab_agent import open_lab, resources
from patchlab_agent.store.clients import open_client
from tests.cli.helpers import Cli, Result, change_marker, contents
from tests.cli.servers import serving

MODEL = ("--backend", "litellm", "--model", "openai/some", "--timeout", 5)


def checks(result: Result) -> dict[str, dict[str, str]]:
    """Each check by its name, of `--json`."""
    return {check["name"]: check for check in result.json["checks"]}


def assert_failed(result: Result, name: str, *words: str) -> None:
    """A check failed, says why, and what to do; it is the reason for the exit code."""
    check = checks(result)[name]
    assert check["status"] == "failed", check
    for word in words:
        assert word in f"{check['found']} {check['remedy']}"
    assert check["remedy"]
    assert "Traceback" not in result.err
    assert (result.code, result.json["ok"]) == (1, False)


def spoil(store: Path, collection: str, **changes: Any) -> str:
    """Change the metadata of a collection's first record from outside, and give its id."""
    with closing(open_client(store)) as client:
        records = client.get_collection(collection)
        [found] = records.get(limit=1)["ids"]
        records.update(ids=[found], metadatas=[changes])
    return found


def test_nothing_is_wrong_where_nothing_is_yet(cli: Cli, own_folder: Path) -> None:
    result = cli("doctor", "--json")
    assert (result.code, result.err) == (0, "")
    assert result.json["ok"] is True
    assert set(result.json) == {"ok", "checks"}
    for check in result.json["checks"]:
        assert set(check) == {"name", "status", "found", "remedy"}
        assert (check["status"], check["remedy"]) == ("ok", ""), check
    assert set(checks(result)) == {
        *("settings", "python", "patchlab-agent", "chromadb", "litellm", "pydantic", "tenacity"),
        *("typer", "rich", "skill shipping", "prompts", "embedder", "store", "disk"),
        *("cassette", "backend"),
    }
    assert list(own_folder.iterdir()) == []


def test_a_learned_store_is_whole(cli: Cli, store: Path) -> None:
    result = cli("doctor", "--store", store, "--json")
    assert result.code == 0
    assert "all intact" in checks(result)["store"]["found"]
    assert "60 traces" in checks(result)["store"]["found"]


def test_a_table_for_people_ends_with_the_sum(cli: Cli, store: Path) -> None:
    result = cli("doctor", "--store", store)
    assert (result.code, result.err) == (0, "")
    assert result.out.rstrip().endswith("Nothing is wrong.")
    (store / "patchlab.json").write_text("{", "utf-8")
    result = cli("doctor", "--store", store)
    assert result.code == 1
    assert "failed" in result.text
    assert result.out.rstrip().endswith("1 failed, 0 warnings, of 16 checks.")


def test_to_look_changes_nothing_but_chromas_own_files(cli: Cli, store: Path) -> None:
    before = contents(store)
    cli("doctor", "--store", store)
    assert contents(store) == before


def test_neither_litellm_nor_a_model_is_loaded(cli: Cli) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "litellm"]:
        del sys.modules[name]
    cli("doctor", *MODEL, "--offline")
    assert "litellm" not in sys.modules


def test_a_damaged_marker(cli: Cli, store: Path) -> None:
    (store / "patchlab.json").write_text("{", "utf-8")
    assert_failed(cli("doctor", "--store", store, "--json"), "store", "damaged", "Restore")


def test_a_store_of_another_format(cli: Cli, store: Path) -> None:
    change_marker(store, format=99)
    assert_failed(cli("doctor", "--store", store, "--json"), "store", "format 99")


def test_a_store_of_a_skill_that_is_not_installed(cli: Cli, store: Path) -> None:
    change_marker(store, skill="cooking")
    assert_failed(cli("doctor", "--store", store, "--json"), "store", "cooking", "shipping")


def test_a_folder_of_something_else(cli: Cli, own_folder: Path) -> None:
    (own_folder / "mine").mkdir()
    (own_folder / "mine" / "letter.txt").write_text("dear", "utf-8")
    assert_failed(cli("doctor", "--store", "mine", "--json"), "store", "not a store")


def test_a_patch_that_cannot_be_read(cli: Cli, store: Path) -> None:
    patch = spoil(store, "patches", patch="{no json")
    result = cli("doctor", "--store", store, "--json")
    assert_failed(result, "store", f"patches record {patch} cannot be read", "--fresh")


def test_a_patch_of_an_unknown_kind(cli: Cli, store: Path) -> None:
    with closing(open_client(store)) as client:
        metadatas = client.get_collection("patches").get(limit=1)["metadatas"]
    data = json.loads(str((metadatas or [{}])[0]["patch"]))
    patch = spoil(store, "patches", patch=json.dumps({**data, "fix": {"kind": "spell"}}))
    result = cli("doctor", "--store", store, "--json")
    assert_failed(result, "store", f"patches record {patch} cannot be read")


def test_a_patch_whose_parts_say_something_else(cli: Cli, store: Path) -> None:
    patch = spoil(store, "patches", status="active", trigger="nonsense")
    result = cli("doctor", "--store", store, "--json")
    assert_failed(result, "store", f"patches record {patch} disagrees", "trigger")


def test_a_trace_that_cannot_be_read(cli: Cli, store: Path) -> None:
    trace = spoil(store, "traces", trace="[]")
    assert_failed(cli("doctor", "--store", store, "--json"), "store", f"traces record {trace}")


def test_a_record_from_before_there_were_some_of_its_fields_is_whole(cli: Cli, store: Path) -> None:
    with closing(open_client(store)) as client:
        for name, whole in (("patches", "patch"), ("traces", "trace")):
            records = client.get_collection(name)
            found = records.get(include=["metadatas"])
            texts = [json.loads(str(each[whole])) for each in found["metadatas"] or []]
            for text in texts:
                parent, later = (
                    (text["record"], "pairs") if name == "patches" else (text, "holdout")
                )
                del parent[later]
            older = [{whole: json.dumps(text)} for text in texts]
            records.update(ids=found["ids"], metadatas=list(older))
    result = cli("doctor", "--store", store)
    assert (result.code, "all intact" in result.text) == (0, True)


def test_a_record_under_a_strange_id(cli: Cli, store: Path) -> None:
    with closing(open_client(store)) as client:
        records = client.get_collection("patches")
        found = records.get(limit=1, include=["metadatas", "documents", "embeddings"])
        records.add(
            ids=["strange"],
            metadatas=found["metadatas"],
            documents=found["documents"],
            embeddings=found["embeddings"],
        )
    result = cli("doctor", "--store", store, "--json")
    assert_failed(result, "store", "strange holds", found["ids"][0])


def test_a_vector_of_another_embedder(cli: Cli, store: Path) -> None:
    with closing(open_client(store)) as client:
        records = client.get_collection("patches")
        [found] = records.get(limit=1)["ids"]
        records.update(ids=[found], embeddings=[np.eye(512, dtype=np.float32)[0]])
    result = cli("doctor", "--store", store, "--json")
    assert_failed(result, "store", f"{found} has a vector of another embedder")


def test_an_example_whose_trace_is_gone(cli: Cli, store: Path) -> None:
    with closing(open_client(store)) as client:
        metadatas = client.get_collection("examples").get(limit=1)["metadatas"]
        trace = str((metadatas or [{}])[0]["trace_id"])
        client.get_collection("traces").delete(ids=[trace])
    assert_failed(cli("doctor", "--store", store, "--json"), "store", "is of no stored trace")


def test_a_collection_that_is_gone_and_many_problems_are_counted(cli: Cli, store: Path) -> None:
    with closing(open_client(store)) as client:
        client.delete_collection("traces")
        records = client.get_collection("patches")
        ids = records.get()["ids"]
        records.update(ids=ids, metadatas=[{"patch": ""} for _ in ids])
    result = cli("doctor", "--store", store, "--json")
    assert_failed(result, "store", "cannot be read", f"and {len(ids) + 1 - 3} more")


def test_a_damaged_database(cli: Cli, store: Path) -> None:
    (store / "chroma.sqlite3").write_bytes(b"this is no database" * 999)
    assert_failed(cli("doctor", "--store", store, "--json"), "store")


@pytest.mark.parametrize("damage", ["gone", "empty"])
def test_an_index_that_is_damaged(cli: Cli, own_folder: Path, damage: str) -> None:
    # Below a hundred records Chroma has them all in its log, and makes the index anew.
    with open_lab(store="s", noise=0, examples=0) as lab:
        for number in range(120):
            request = f"Ship {number + 1} kg books box to US"
            answer = lab.agent.answer(request, trace_id=f"t-{number:07d}", index=number)
            lab.store.traces.add(answer)
    assert cli("doctor", "--store", "s").code == 0
    for index in (own_folder / "s").rglob("*.bin"):
        if damage == "gone":
            index.unlink()
        else:
            index.write_bytes(b"")
    # Another path, as Chroma keeps what it has opened.
    shutil.move("s", "moved")
    result = cli("doctor", "--store", "moved", "--json")
    assert_failed(result, "store", "collection traces cannot be read")


def test_an_embedder_that_is_not_the_stores(cli: Cli, store: Path) -> None:
    result = cli("doctor", "--store", store, "--embedder", "wordllama", "--json")
    assert_failed(result, "store", "--embedder hashing")


def test_an_embedder_that_does_not_exist(cli: Cli) -> None:
    assert_failed(cli("doctor", "--embedder", "magic", "--json"), "embedder", "magic", "hashing")


def test_a_held_lock_is_a_warning(cli: Cli, store: Path) -> None:
    with FileLock(store / ".lock"):
        result = cli("doctor", "--store", store, "--json")
    assert result.code == 0
    check = checks(result)["store lock"]
    assert check["status"] == "warning"
    assert "Wait" in check["remedy"]
    assert "store lock" not in checks(cli("doctor", "--store", store, "--json"))


def test_a_template_that_is_missing(
    cli: Cli, own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("prompts", "fixtures"):
        shutil.copytree(resources.resource(name), own_folder / "_resources" / name)
    template = own_folder / "_resources" / "prompts" / "shipping" / "rule.j2"
    template.unlink()
    monkeypatch.setattr(resources, "_PACKAGE", own_folder)
    result = cli("doctor", "--json")
    assert_failed(result, "prompts", "rule.j2", "Restore")
    assert checks(result)["backend"]["status"] == "failed"


def test_a_template_without_words_for_a_rule(
    cli: Cli, own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("prompts", "fixtures"):
        shutil.copytree(resources.resource(name), own_folder / "_resources" / name)
    template = own_folder / "_resources" / "prompts" / "shipping" / "rule.j2"
    template.write_text("", "utf-8")
    monkeypatch.setattr(resources, "_PACKAGE", own_folder)
    assert_failed(cli("doctor", "--json"), "prompts", "rule.j2 must give one line")


def test_a_skill_that_is_not_installed(cli: Cli) -> None:
    assert_failed(cli("doctor", "--skill", "cooking", "--json"), "prompts", "cooking", "shipping")


def test_a_cassette_that_is_damaged(cli: Cli, own_folder: Path) -> None:
    (own_folder / "mine.jsonl").write_text("{", "utf-8")
    result = cli("doctor", "--replay", "mine.jsonl", "--json")
    assert_failed(result, "options", "Line 1 of mine.jsonl", "Record it again")


def test_a_backend_that_does_not_exist(cli: Cli) -> None:
    assert_failed(cli("doctor", "--backend", "oracle", "--json"), "backend", "oracle", "toy")


def test_a_server_that_is_not_there(cli: Cli) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        result = cli("doctor", *MODEL, "--api-base", base, "--json")
    assert_failed(result, "backend", base)


def test_offline_leaves_the_server_alone(cli: Cli) -> None:
    result = cli("doctor", *MODEL, "--api-base", "http://127.0.0.1:1/v1", "--offline", "--json")
    assert result.code == 0
    assert "--offline" in checks(result)["backend"]["found"]


@pytest.fixture
def server() -> Iterator[tuple[str, list[bytes]]]:
    with serving('{"ok": true}') as served:
        yield served


def test_a_server_that_answers_gets_one_small_call(
    cli: Cli, server: tuple[str, list[bytes]], own_folder: Path
) -> None:
    base, received = server
    result = cli("doctor", *MODEL, "--api-base", base, "--record", "new.jsonl", "--json")
    assert result.code == 0, result.out
    assert "answers after" in checks(result)["backend"]["found"]
    [call] = received
    assert len(call) < 2000
    assert list(own_folder.iterdir()) == []


def test_variables_that_cannot_be_used_are_findings_and_the_rest_holds(
    cli: Cli, own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (own_folder / "pyproject.toml").write_text('[tool.patchlab]\nstore = "mine"\n', "utf-8")
    values = {"TOP_K": "999", "GOLDEN": "many", "SEED": "8", "TIMEOUT": "0.05"}
    for name, value in values.items():
        monkeypatch.setenv(f"PATCHLAB_{name}", value)
    result = cli("doctor", "--offline", "--json")
    assert result.code == 1
    found = [check for check in result.json["checks"] if check["name"] == "settings"]
    failed = [check["found"] for check in found if check["status"] == "failed"]
    assert [text.split(" cannot be used")[0] for text in failed] == [
        "PATCHLAB_GOLDEN='many'",
        "PATCHLAB_TIMEOUT='0.05'",
        "PATCHLAB_TOP_K='999'",
    ]
    in_effect = next(check["found"] for check in found if check["status"] == "ok")
    assert in_effect.endswith("pyproject.toml (store); PATCHLAB_SEED")
    # They are still set for whoever comes next.
    assert {name: os.environ[f"PATCHLAB_{name}"] for name in values} == values


def test_a_broken_table_is_a_finding(cli: Cli, own_folder: Path) -> None:
    (own_folder / "pyproject.toml").write_text("[tool.patchlab]\ntopk = 1\n", "utf-8")
    assert_failed(cli("doctor", "--json"), "settings", "pyproject.toml", "top-k")


def test_what_is_in_effect_is_named(
    cli: Cli, own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (own_folder / "pyproject.toml").write_text("[tool.patchlab]\ntop-k = 1\n", "utf-8")
    monkeypatch.setenv("PATCHLAB_SEED", "8")
    found = checks(cli("doctor", "--json"))["settings"]["found"]
    assert "pyproject.toml (top-k)" in found
    assert "PATCHLAB_SEED" in found


def test_a_variable_that_nobody_reads_is_a_warning(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATCHLAB_SEEDS", "8")
    result = cli("doctor", "--json")
    assert (result.code, result.err) == (0, "")
    found = [c for c in result.json["checks"] if c["status"] == "warning"]
    assert [c["name"] for c in found] == ["settings"]
    assert "PATCHLAB_SEEDS" in found[0]["found"]


def test_a_replay_is_checked_with_its_cassette(cli: Cli) -> None:
    result = cli("doctor", "--backend", "replay", "--json")
    assert result.code == 0
    assert "replay of" in checks(result)["backend"]["found"]


def test_an_option_that_cannot_be_used_is_no_finding(cli: Cli) -> None:
    result = cli("doctor", "--top-k", "many")
    assert (result.code, result.out) == (2, "")
