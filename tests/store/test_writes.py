"""A store on a disk without room: nothing is begun, and nothing written after a failure."""

from __future__ import annotations

import errno
import resource
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from chromadb.errors import InternalError

from patchlab_agent.errors import StoreError
from patchlab_agent.store import folder
from patchlab_agent.store.room import PER_TRACE, ROOM, no_room_in
from patchlab_agent.store.store import Store
from tests.support.make import WRONG, make_patch, make_trace
from tests.support.words_skill import words_store


class Usage(NamedTuple):
    free: int


class Disk:
    """Says how much room the disk has, in bytes."""

    free = 10 * ROOM

    def usage(self, path: Path) -> Usage:
        return Usage(self.free)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk()
    monkeypatch.setattr(shutil, "disk_usage", disk.usage)
    return disk


@contextmanager
def limited() -> Iterator[None]:
    """No file of this process grows beyond 4 kB."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    """A store with three traces and a patch."""
    with words_store(tmp_path / "s") as store:
        for number in range(3):
            store.traces.add(make_trace(f"t-{number:07d}", f"a zok for word{number}"))
        store.patches.upsert(make_patch("now", "yes"))
    return tmp_path / "s"


def counts(path: Path) -> tuple[int, int, int]:
    with words_store(path, write=False) as store:
        return store.traces.count(), len(store.examples.all()), store.patches.count()


def test_nothing_is_begun_on_a_disk_without_room(filled: Path, disk: Disk) -> None:
    with words_store(filled) as store:
        disk.free = ROOM - 1
        for _ in range(2):
            with pytest.raises(StoreError, match=r"disk is full; make room and try again\.$"):
                store.patches.upsert(make_patch("salt", "grey"))
        assert (store.patches.count(), store.patches.active_count) == (1, 1)
        disk.free = 10 * ROOM
        store.patches.upsert(make_patch("salt", "grey"))
    assert counts(filled) == (3, 3, 2)


def test_a_full_disk_is_told_before_a_model_is_asked(filled: Path, disk: Disk) -> None:
    disk.free = 0
    with pytest.raises(StoreError, match="disk is full"):
        words_store(filled)


def test_a_store_that_a_full_disk_had_no_room_for_can_be_made_later(
    tmp_path: Path, disk: Disk
) -> None:
    disk.free = 0
    with pytest.raises(StoreError, match="disk is full"):
        words_store(tmp_path / "new")
    disk.free = 10 * ROOM
    words_store(tmp_path / "new").close()
    assert counts(tmp_path / "new") == (0, 0, 0)


def test_the_room_that_is_kept_is_for_what_waits(filled: Path, disk: Disk) -> None:
    with words_store(filled) as store:
        disk.free = ROOM // 2
        with pytest.raises(StoreError, match="disk is full"):
            store.traces.add(make_trace("t-0000003", "a zok for the last one"))
        assert store.rescue() == 0
    assert counts(filled) == (4, 4, 1)


def test_where_room_gets_scarce_nothing_waits(filled: Path, disk: Disk) -> None:
    index = max((file.stat().st_size for file in filled.glob("*/*.bin")), default=0)
    with words_store(filled) as store:
        disk.free = ROOM + index + 3 * PER_TRACE
        for number in range(3, 6):
            store.traces.add(make_trace(f"t-{number:07d}", f"a zok for word{number}"))
        assert len(list(store.traces.newest(10))) == 3
        store.traces.add(make_trace("t-0000006", "a zok for word6"))
        assert len(list(store.traces.newest(10))) == 7


def test_what_waits_is_written_on_closing(filled: Path, disk: Disk) -> None:
    with words_store(filled) as store:
        store.traces.add(make_trace("t-0000003", "a zok for the last one"))
        disk.free = ROOM // 2
    assert counts(filled) == (4, 4, 1)


def test_after_a_failed_write_none_is_tried_and_what_was_stored_is_there(
    filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "require_room", lambda path: None)
    told = set()
    store = words_store(filled)
    with limited():
        # Chroma would wait for itself at the third or fourth.
        for number in range(10):
            with pytest.raises(StoreError) as refused:
                store.patches.upsert(make_patch(f"word{number}", "grey"))
            told.add(str(refused.value).removeprefix(f"{filled} cannot be written, as "))
        with pytest.raises(StoreError, match="ulimit"):
            store.traces.add(make_trace("t-0000003", "a zok for the " + 3000 * "l"))
        assert store.rescue() == 1
        store.close()
    assert told == {"a limit on the size of files is reached; raise it (ulimit -f) and try again."}
    # The journal had room for the first patch, which waited there.
    assert counts(filled) == (3, 3, 2)


def failing(store: Store, collection: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let writes to one collection fail as they do on a full disk."""

    def refuse(**_: object) -> None:
        raise InternalError("Error in compaction: Failed to apply logs to the metadata segment")

    records = getattr(store, collection)._collection
    monkeypatch.setattr(records._collection, "upsert", refuse)


@pytest.mark.parametrize("collection", ["traces", "examples"])
def test_wherever_a_flush_ends_all_of_it_counts(
    filled: Path, monkeypatch: pytest.MonkeyPatch, collection: str
) -> None:
    store = words_store(filled)
    failing(store, collection, monkeypatch)
    store.traces.add(make_trace("t-0000003", "a zok for the last one"))
    store.traces.add(make_trace("t-0000001", "a zok for word1", feedback=WRONG))
    assert store.rescue() == 0
    store.close()
    monkeypatch.undo()
    with words_store(filled, write=False) as opened:
        known = {trace.id: trace.ok for trace in opened.traces.newest(10)}
        shown = {example.id for example in opened.examples.all()}
    assert known == {name: name != "t-0000001" for name in known}
    assert shown == known.keys() - {"t-0000001"} == {f"t-000000{n}" for n in (0, 2, 3)}


@pytest.mark.parametrize(
    ("text", "free", "is_room"),
    [
        ("error returned from database: (code: 13) database or disk is full", 10 * ROOM, False),
        ("Error in compaction: Failed to apply logs to the metadata segment", 0, False),
        ("Error in compaction: Failed to apply logs to the metadata segment", 10 * ROOM, True),
        ("error returned from database: (code: 778) disk I/O error", 0, False),
        ("error returned from database: (code: 778) disk I/O error", 10 * ROOM, True),
        ("error returned from database: (code: 8) attempt to write a readonly database", 0, True),
        ("error returned from database: (code: 5) database is locked", 0, True),
    ],
)
def test_the_cause_is_found_where_chroma_leaves_it_out(
    filled: Path, disk: Disk, text: str, free: int, is_room: bool
) -> None:
    disk.free = free
    assert (no_room_in(filled, InternalError(text)) is None) is is_room


def test_the_cause_is_found_in_what_sqlite_and_the_system_say(filled: Path) -> None:
    full = sqlite3.OperationalError("database or disk is full")
    full.sqlite_errorcode = sqlite3.SQLITE_FULL
    assert "disk is full" in str(no_room_in(filled, full))
    assert "disk is full" in str(no_room_in(filled, OSError(errno.ENOSPC, "")))
    assert no_room_in(filled, OSError(errno.EACCES, "")) is None
    assert no_room_in(filled, ValueError("full")) is None


def test_a_bug_while_writing_comes_through(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def bug(**_: object) -> None:
        raise TypeError("a bug")

    with words_store(filled) as store:
        monkeypatch.setattr(store.patches._collection._collection, "upsert", bug)
        with pytest.raises(TypeError, match="a bug"):
            store.patches.upsert(make_patch("salt", "grey"))
