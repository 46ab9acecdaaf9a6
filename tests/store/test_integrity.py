"""A store that lost something says so, changes nothing, and says so again."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest

from patchlab_agent.embedding import HashingEmbedder, SketchEmbedder
from patchlab_agent.errors import StoreError
from patchlab_agent.store import chroma as chroma_module
from patchlab_agent.store import database as database_module
from patchlab_agent.store import integrity as integrity_module
from patchlab_agent.store.check import Contents, contents
from patchlab_agent.store.chroma import embedders_of, is_sketched
from patchlab_agent.store.clients import LocalClient, open_client
from patchlab_agent.store.copying import copy_up
from patchlab_agent.store.database import DATABASE
from patchlab_agent.store.index import HEADER, IDS, LEVEL0, LINKS
from patchlab_agent.store.info import StoreInfo
from patchlab_agent.store.layout import read_info, take_lock
from patchlab_agent.store.server_files import ServerFiles
from tests.cli.helpers import digests
from tests.support.make import WRONG, make_patch, make_trace, write_info
from tests.support.words_skill import parse_fix, words_store

Damage = Callable[[Path], object]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store after a run, with an index of its traces, and all else in Chroma's queue."""
    path = tmp_path_factory.mktemp("integrity") / "whole"
    with words_store(path) as store:
        store.keep_prompt("Say.")
        store.patches.upsert(make_patch("zok"))
        for number in range(230):
            store.traces.add(make_trace(f"t-{number:07d}", "a zok", feedback=WRONG))
        store.keep_snapshot(store.start_run())
    return path


@pytest.fixture
def path(whole: Path, tmp_path: Path) -> Path:
    """A copy of the store, for this test alone."""
    return Path(shutil.copytree(whole, tmp_path / "s"))


def looked_into(path: Path) -> Contents:
    """What `doctor` finds."""
    info = read_info(path)
    assert info is not None
    return contents(path, info, parse_fix)


def index_of(path: Path) -> Path:
    [synced] = path.glob(f"*/{IDS}")
    return synced.parent


def cut(file: Path, size: int = 50) -> None:
    file.write_bytes(file.read_bytes()[:size])


@contextmanager
def chroma(path: Path) -> Iterator[LocalClient]:
    with closing(open_client(path)) as client:
        yield client


def without_collection(path: Path) -> None:
    with chroma(path) as client:
        client.delete_collection("examples")


def without_any_collection(path: Path) -> None:
    with chroma(path) as client:
        for name in ("patches", "examples", "traces"):
            client.delete_collection(name)


def of_another_dimension(path: Path) -> None:
    with chroma(path) as client:
        client.delete_collection("patches")
        made = client.create_collection("patches", embedding_function=None)
        made.add(ids=["p"], embeddings=[np.array([1.0, 0.0])], documents=["p"])


def of_another_embedder(path: Path) -> None:
    with chroma(path) as client:
        client.delete_collection("patches")
        client.create_collection("patches")


def of_no_embedder(path: Path) -> None:
    with chroma(path) as client:
        client.delete_collection("patches")
        client.create_collection("patches", embedding_function=None)


def older_index(path: Path) -> None:
    with words_store(path.with_name("older")) as store:
        for number in range(100):
            store.traces.add(make_trace(f"t-{number:07d}", "a zok", feedback=WRONG))
    target = index_of(path)
    shutil.rmtree(target)
    shutil.copytree(index_of(path.with_name("older")), target)


LOSSES: dict[str, tuple[Damage, str]] = {
    "no database": (lambda p: (p / DATABASE).unlink(), f"1 run.* {DATABASE} is missing"),
    "an empty one": (lambda p: (p / DATABASE).write_bytes(b""), f"{DATABASE} holds nothing"),
    "half of one": (
        lambda p: cut(p / DATABASE, (p / DATABASE).stat().st_size // 2),
        "database .* is damaged",
    ),
    "the first page": (lambda p: cut(p / DATABASE, 4096), "database .* is damaged"),
    "no database but a text": (
        lambda p: (p / DATABASE).write_text("no database " * 999, "utf-8"),
        "database .* is damaged",
    ),
    "no collection": (without_collection, "there is no collection examples"),
    "no collections": (without_any_collection, f"{DATABASE} holds nothing"),
    "another dimension": (of_another_dimension, "2 dimensions instead of 512"),
    "another embedder": (of_another_embedder, "another embedder than patchlab_hashing"),
    "no embedder": (of_no_embedder, "another embedder than patchlab_hashing"),
    "no index": (
        lambda p: shutil.rmtree(index_of(p)),
        f"traces .*{HEADER} .* is missing",
    ),
    "no ids": (lambda p: (index_of(p) / IDS).unlink(), f"{IDS} of its index is missing"),
    "half the vectors": (lambda p: cut(index_of(p) / LEVEL0), f"{LEVEL0} of its index is cut"),
    "half the header": (lambda p: cut(index_of(p) / HEADER), f"{HEADER} of its index is damaged"),
    "half the links": (lambda p: cut(index_of(p) / LINKS), f"{LINKS} of its index is cut"),
    "half the ids": (lambda p: cut(index_of(p) / IDS), f"{IDS} of its index is cut"),
    "an older index": (older_index, "100 of 200 vectors"),
}


def refusal(path: Path, *, write: bool) -> str:
    with pytest.raises(StoreError) as caught:
        words_store(path, write=write)
    return str(caught.value)


@pytest.mark.parametrize(("damage", "words"), LOSSES.values(), ids=list(LOSSES))
def test_a_loss_is_told_and_nothing_is_made_in_its_place(
    path: Path, damage: Damage, words: str
) -> None:
    damage(path)
    before = digests(path)
    for write in (False, True, False):
        message = refusal(path, write=write)
        assert re.search(words, message)
        assert str(path) in message
        assert "; " in message
    take_lock(path).release()
    after = digests(path)
    # Chroma itself notes in its database that it was opened.
    assert {**after, ".lock": "", DATABASE: ""} == {**before, ".lock": "", DATABASE: ""}
    try:
        found = "; ".join(looked_into(path).problems)
    except StoreError as error:
        found = str(error)
    assert re.search(words, found)
    assert re.search(words, refusal(path, write=False))
    assert digests(path).keys() == after.keys()


def test_what_chroma_makes_anew_from_its_queue_is_no_loss(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with words_store(path) as store:
        store.keep_prompt("Say.")
        store.patches.upsert(make_patch("zok"))
        store.traces.add(make_trace("t-1", "a zok"))
    for folder in path.glob("*-*-*-*-*"):
        shutil.rmtree(folder)
    with words_store(path, write=False) as store:
        assert [hit.patch.trigger for hit in store.patches.look_up("zok", 1)] == ["zok"]
        assert store.examples.similar("a zok", 1)
    assert looked_into(path).problems == []


@pytest.mark.parametrize("text", [None, b""])
def test_a_store_that_was_only_named_is_filled_by_writing_and_not_by_reading(
    tmp_path: Path, text: bytes | None
) -> None:
    write_info(tmp_path, StoreInfo(skill="words", embedder="hashing"))
    if text is not None:
        (tmp_path / DATABASE).write_bytes(text)
    before = digests(tmp_path)
    assert "holds nothing yet" in refusal(tmp_path, write=False)
    assert looked_into(tmp_path).problems == []
    assert digests(tmp_path) == before
    with words_store(tmp_path) as store:
        store.patches.upsert(make_patch("zok"))
    with words_store(tmp_path, write=False) as store:
        assert store.patches.count() == 1


def test_a_store_whose_maker_was_stopped_between_two_collections_is_completed(
    tmp_path: Path,
) -> None:
    words_store(tmp_path).close()
    with chroma(tmp_path) as client:
        client.delete_collection("traces")
    words_store(tmp_path).close()
    with words_store(tmp_path, write=False) as store:
        assert store.traces.count() == 0


@contextmanager
def locked(path: Path, how: str) -> Iterator[None]:
    with closing(sqlite3.connect(path / DATABASE, isolation_level=None)) as other:
        other.execute(how)
        other.execute("SELECT count(*) FROM collections").fetchone()
        yield
        other.execute("ROLLBACK")


@pytest.mark.parametrize("how", ["BEGIN EXCLUSIVE", "BEGIN IMMEDIATE", "BEGIN"])
@pytest.mark.parametrize("write", [True, False])
def test_a_database_that_another_program_has_locked_is_told_soon(
    path: Path, monkeypatch: pytest.MonkeyPatch, how: str, write: bool
) -> None:
    monkeypatch.setattr(database_module, "PATIENCE", 0.1)
    with locked(path, how):
        begun = time.monotonic()
        assert "locked by another program" in refusal(path, write=write)
        with pytest.raises(StoreError, match="locked by another program"):
            looked_into(path)
        assert time.monotonic() - begun < 5
    words_store(path, write=write).close()


def test_patience_is_a_matter_of_seconds() -> None:
    assert 1 <= database_module.PATIENCE <= 10


def test_a_store_that_cannot_be_written_says_so_and_is_looked_into_as_far_as_can_be(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = digests(path)
    monkeypatch.setattr(os, "access", lambda name, mode: mode != os.W_OK)
    assert "change its permissions" in refusal(path, write=False)
    found = looked_into(path)
    assert (found.is_read, found.problems) == (False, [])
    assert found.counts == {"patches": 1, "examples": 0, "traces": 230}
    assert digests(path) == before
    shutil.rmtree(index_of(path))
    assert "of its index is missing" in looked_into(path).problems[0]


def test_an_unknown_embedder_in_the_marker_is_the_stores_fault(path: Path) -> None:
    write_info(path, StoreInfo(skill="words", embedder="magic", runs=1))
    assert "names an embedder 'magic', which is not installed" in refusal(path, write=False)
    with pytest.raises(StoreError, match="'magic'"):
        looked_into(path)


def test_an_index_that_is_being_written_is_looked_at_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors = index_of(path) / LEVEL0
    content = vectors.read_bytes()
    cut(vectors)
    monkeypatch.setattr(integrity_module, "is_locked", lambda path: True)
    monkeypatch.setattr(time, "sleep", lambda seconds: vectors.write_bytes(content))
    words_store(path, write=False).close()


def test_a_store_with_whole_vectors_of_traces_goes_on_with_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = ["a zok", "a blim", "a zok and a blim"]
    old, new = tmp_path / "old", tmp_path / "new"
    with monkeypatch.context() as before:
        before.setattr(chroma_module, "SKETCHED", frozenset())
        with words_store(old) as store:
            for number, request in enumerate(requests):
                store.traces.add(make_trace(f"t-{number:07d}", request))
    with words_store(old) as store:
        store.traces.add(make_trace("t-0000003", "another blim"))
        store.traces.flush()
        assert [t.request for t, _ in store.traces.look_up("a zok", 2)] == [
            "a zok",
            "a zok and a blim",
        ]
    assert looked_into(old).problems == []
    new.mkdir()
    with chroma(new) as client:
        copy_up(
            old, ServerFiles(client.create_collection("files", embedding_function=None)), client
        )
        copied = client.get_collection("traces")
        assert is_sketched(copied)
        found = copied.get(include=["documents", "embeddings"])
        own = SketchEmbedder(HashingEmbedder())(found["documents"] or [])
        assert np.allclose(np.asarray(found["embeddings"]), np.asarray(own), atol=1e-6)


@pytest.mark.parametrize("name", ["patches", "traces", "examples"])
def test_a_record_without_metadata_is_named(path: Path, name: str) -> None:
    with chroma(path) as client:
        [vector] = embedders_of(name, HashingEmbedder())[0]([""])
        client.get_collection(name).add(ids=["bare"], embeddings=[vector])
    with words_store(path) as store:
        reads: dict[str, Callable[[], object]] = {
            "patches": lambda: list(store.patches.all()),
            "traces": lambda: list(store.traces.select()),
            "examples": store.examples.all,
        }
        with pytest.raises(StoreError, match=rf"Record bare of the {name} .*doctor"):
            reads[name]()
    assert any(f"{name} record bare" in problem for problem in looked_into(path).problems)


@pytest.mark.parametrize(
    ("name", "metadata", "read"),
    [("patches", "patch", "all"), ("traces", "trace", "select"), ("examples", "answer", "all")],
)
def test_a_record_that_is_no_json_is_a_store_error(
    path: Path, name: str, metadata: str, read: str
) -> None:
    with words_store(path) as store:
        store.traces.add(make_trace("t-9", "a blim"))
    with chroma(path) as client:
        records = client.get_collection(name)
        records.update(ids=records.get(limit=1)["ids"], metadatas=[{metadata: "{"}])
    with words_store(path) as store, pytest.raises(StoreError, match=r"cannot be read; .*doctor"):
        list(getattr(getattr(store, name), read)())


@pytest.mark.parametrize(
    ("kept", "words"),
    [
        ("runs/run-0001.snapshot.jsonl", r"run-0001\.snapshot\.jsonl is damaged"),
        ("runs/run-0001.json", r"run-0001\.json is damaged"),
        ("runs/run-0002.json", "does not count"),
        ("prompts/0123456789abcdef.txt", r"0123456789abcdef\.txt is damaged"),
    ],
)
def test_what_is_kept_beside_the_database_is_looked_into(path: Path, kept: str, words: str) -> None:
    (path / kept).write_text('{"format":', "utf-8")
    assert any(re.search(words, problem) for problem in looked_into(path).problems)


def test_an_emptied_collection_is_found(path: Path) -> None:
    with words_store(path) as store:
        store.patches._collection.delete(ids=store.patches.find(""))
    words_store(path).close()
    assert looked_into(path).problems == ["collection patches is empty, though the last run left 1"]


def test_a_report_of_another_version_is_no_damage(path: Path) -> None:
    (path / "runs" / "run-0001.json").write_text('{"schema_version": 1}', "utf-8")
    assert looked_into(path).problems == []
