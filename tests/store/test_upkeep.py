"""A store that a process left midway, copies of it, and repairs of what older versions left."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from patchlab_agent.errors import InputError, StoreError, UsageError
from patchlab_agent.models.patch import Provenance, Status
from patchlab_agent.models.trace import RetrievedRef
from patchlab_agent.store import layout
from patchlab_agent.store.backup import ARCHIVES, back_up, restore
from patchlab_agent.store.check import contents
from patchlab_agent.store.folder import Folder
from patchlab_agent.store.info import DELETED, MARKER, StoreInfo
from patchlab_agent.store.journal import JOURNAL, Journal, is_left_over
from patchlab_agent.store.layout import LOCK, delete_store, read_info
from patchlab_agent.store.repair import repair
from patchlab_agent.store.store import Store
from tests.support.make import WRONG, make_patch, make_trace
from tests.support.words_skill import parse_fix, words_store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store with two traces, and the patch that the first one bore."""
    with words_store(tmp_path / "s") as store, store.unit():
        store.traces.add(make_trace("t-0000000", "a zok", feedback=WRONG))
        store.traces.add(make_trace("t-0000001", "a salt"))
        born = Provenance(trace_id="t-0000000", request="a zok", label="word_unknown")
        store.patches.upsert(make_patch("zok").model_copy(update={"provenance": born}))
    return tmp_path / "s"


def info_of(path: Path) -> StoreInfo:
    info = read_info(path)
    assert info is not None
    return info


def wrong_in(path: Path) -> list[str]:
    found = contents(path, info_of(path), parse_fix)
    return [*found.problems, *found.references]


def counts(store: Store) -> tuple[int, int]:
    return store.traces.count(), store.patches.count()


def commit(path: Path) -> None:
    """Let a store's journal say more than its database, as after a kill."""
    with words_store(path) as store:
        journal = store._units.journal
        trace = make_trace("t-0000002", "a blim", feedback=WRONG)
        with store.unit(lambda: {"run": "run-0001"}):
            store.traces.add(trace)
            store.patches.upsert(make_patch("blim", "green"))
        shutil.copytree(path, path.with_name("killed"))
        assert not journal.is_clean


def test_what_was_committed_counts_for_whoever_opens_the_store(path: Path) -> None:
    commit(path)
    killed = path.with_name("killed")
    assert is_left_over(Folder(killed))
    with words_store(killed, write=False) as reader:
        assert counts(reader) == (3, 2)
    assert not is_left_over(Folder(killed))
    with words_store(killed) as store:
        assert counts(store) == (3, 2)
        assert store.run_state == {"run": "run-0001"}


def test_half_a_line_never_was(path: Path) -> None:
    commit(path)
    journal = path.with_name("killed") / JOURNAL
    whole = journal.read_bytes()
    for size in (0, 1, len(whole) // 2, len(whole) - 1):
        journal.write_bytes(whole[:size])
        assert Journal(Folder(journal.parent)).read() == []
    with words_store(journal.parent) as store:
        assert counts(store) == (2, 1)


def test_a_damaged_line_is_told_and_readers_do_without(path: Path) -> None:
    commit(path)
    killed = path.with_name("killed")
    (killed / JOURNAL).write_bytes(b"nonsense\n" + (killed / JOURNAL).read_bytes())
    with pytest.raises(StoreError, match=r"journal.jsonl, line 1, is damaged; restore"):
        words_store(killed)
    with words_store(killed, write=False) as reader:
        assert counts(reader) == (2, 1)


def test_an_error_leaves_what_came_before_it_and_any_other_end_nothing(path: Path) -> None:

    def change(store: Store, error: BaseException, *words: str) -> None:
        with store.unit():
            for word in words:
                store.patches.upsert(make_patch(word, "grey"))
            store.patches.upsert(make_patch("zok").model_copy(update={"status": Status.RETIRED}))
            store.patches.upsert(make_patch("zok"))
            raise error

    with words_store(path) as store:
        with pytest.raises(InputError):
            change(store, InputError("the rest cannot be used"), "blim")
        assert store.patches.count() == 2
        with pytest.raises(KeyboardInterrupt):
            change(store, KeyboardInterrupt(), "tarn", "lome")
        assert counts(store) == (2, 2)
        assert store.patches.active_count == 2
        assert store.traces.next_index() == 2
    with words_store(path, write=False) as reader:
        assert counts(reader) == (2, 2)


def test_within_a_unit_all_of_it_is_found(path: Path) -> None:
    with words_store(path) as store, store.unit():
        store.patches.upsert(make_patch("blim", "green"))
        other = make_patch("blim", "grey").model_copy(update={"status": Status.QUARANTINED})
        store.patches.upsert(other)
        assert store.patches.count() == 3
        assert [patch.id for patch in store.patches.all(Status.QUARANTINED)] == [other.id]
        assert [each.id for each in store.patches.rivals(other)] == [make_patch("blim", "green").id]
        assert store.patches.statuses()[other.id] is Status.QUARANTINED
        assert store.patches.find(other.id) == [other.id]
        assert [hit.patch.trigger for hit in store.patches.search("a blim", 1)] == ["blim"]


def test_the_lock_names_who_holds_it(path: Path) -> None:
    with words_store(path), pytest.raises(StoreError) as refused:
        words_store(path)
    told = str(refused.value)
    assert f"{path} is in use by another patchlab-agent: process {os.getpid()} (" in told
    assert "), since 20" in told
    assert told.endswith("; wait for it or use another --store.")
    assert not (path / layout.WRITER).exists()


def test_the_lock_repeats_no_secret(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "sk-abcdefghijklmnop1234567890abcdef"
    monkeypatch.setattr("sys.argv", ["/bin/patchlab-agent", "run", "--record-note", secret])
    with words_store(path), pytest.raises(StoreError, match=r"\(patchlab-agent run") as refused:
        words_store(path)
    assert secret not in str(refused.value)


def test_somebody_who_looks_at_the_lock_is_no_writer(path: Path) -> None:
    # What `is_locked` does holds the lock for a moment.
    for _ in range(20):
        assert not layout.is_locked(path)
    with words_store(path):
        assert layout.is_locked(path)


@pytest.mark.parametrize("left", ["all", "some", "nothing"])
def test_a_deletion_that_was_cut_off_is_completed(path: Path, left: str) -> None:
    (path / MARKER).replace(path / DELETED)
    for each in path.iterdir():
        if each.name not in {DELETED, LOCK} and left != "all":
            shutil.rmtree(each) if each.is_dir() else each.unlink()
            if left == "some":
                break
    assert read_info(path) is None
    with pytest.raises(StoreError, match="There is no store"):
        words_store(path, write=False)
    with words_store(path) as store:
        assert counts(store) == (0, 0)
    delete_store(path)
    assert not path.exists()


@pytest.mark.parametrize("name", [f"copy{end}" for end in ARCHIVES] + ["copy", "a/b"])
def test_a_backup_can_be_restored(path: Path, tmp_path: Path, name: str) -> None:
    target = back_up(path, tmp_path / "copies" / name)
    assert target.exists()
    with words_store(path) as store:
        store.patches.upsert(make_patch("later", "grey"))
    restore(target, path, lambda *_: None, force=True)
    assert wrong_in(path) == []
    with words_store(path) as store:
        assert counts(store) == (2, 1)
    assert sorted(each.name for each in path.parent.iterdir()) == ["copies", "s"]
    restore(target, tmp_path / "new", lambda *_: None)
    with words_store(tmp_path / "new", write=False) as store:
        assert counts(store) == (2, 1)


def test_what_is_there_is_not_overwritten_unasked(path: Path, tmp_path: Path) -> None:
    target = back_up(path, tmp_path / "copy.zip")
    with pytest.raises(UsageError, match=r"copy.zip is there already; add --force"):
        back_up(path, target)
    back_up(path, target, force=True)
    with pytest.raises(UsageError, match="is a store already; add --force to replace it"):
        restore(target, path, lambda *_: None)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear", "utf-8")
    with pytest.raises(StoreError, match="holds files but no"):
        restore(target, tmp_path / "mine", lambda *_: None, force=True)
    with pytest.raises(UsageError, match="is there already"):
        back_up(path, tmp_path / "mine")
    with pytest.raises(UsageError, match="is within the store"):
        back_up(path, path / "copy")


def test_a_backup_waits_for_no_writer(path: Path, tmp_path: Path) -> None:
    target = back_up(path, tmp_path / "copy.tgz")
    with words_store(path):
        with pytest.raises(StoreError, match="in use by another patchlab-agent: process"):
            back_up(path, tmp_path / "other.tgz")
        with pytest.raises(StoreError, match="in use by another patchlab-agent: process"):
            restore(target, path, lambda *_: None, force=True)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["copy.tgz", "s"]


def test_what_is_no_backup_changes_nothing(path: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.zip").write_bytes(b"PK nonsense")
    whole = back_up(path, tmp_path / "copy.tar.gz").read_bytes()
    (tmp_path / "cut.tar.gz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.txt").write_text("dear", "utf-8")
    for name in ("empty", "broken.zip", "cut.tar.gz", "text.txt", "missing.zip"):
        with pytest.raises(InputError, match=name):
            restore(tmp_path / name, path, lambda *_: None, force=True)
    with words_store(path) as store:
        assert counts(store) == (2, 1)
    with pytest.raises(StoreError, match=r"There is no store at"):
        back_up(tmp_path / "nowhere", tmp_path / "copy.zip")


def test_dangling_references_are_named_and_mended(path: Path) -> None:
    shown = RetrievedRef(patch_id="0" * 16, trigger="gone", distance=0.5, applied=True)
    with words_store(path) as store:
        for word, born in (("blim", "t-0000001"), ("tarn", "t-0000009")):
            provenance = Provenance(trace_id=born, request=f"a {word}", label="word_unknown")
            patch = make_patch(word, "grey").model_copy(update={"provenance": provenance})
            store.patches.upsert(patch.moved(Status.ACTIVE, "new", born, "2026-01-01"))
        trace = make_trace("t-0000002", "two salt")
        lost = {"retrieved": (shown,), "examples": ("t-0000001", "t-0000008")}
        store.traces.add(trace.model_copy(update=lost))
        store.traces.flush()
        [example] = [each for each in store.examples.all() if each.id == "t-0000001"]
        other = example.model_copy(update={"id": "t-0000000", "request": "a quite other salt"})
        store.examples.replace([*store.examples.all(), other])
    wrong = "\n".join(wrong_in(path))
    assert len(wrong.splitlines()) == 6
    for told in (
        "was born of trace t-0000001, which is of another request",
        "was born of trace t-0000009, which is missing",
        "names trace t-0000009, which is missing",
        f"trace t-0000002 names patch {'0' * 16}, which is missing",
        "trace t-0000002 was shown the answer of trace t-0000008, which is missing",
        "is of trace t-0000000, which is of another request",
    ):
        assert told in wrong
    with words_store(path) as store:
        report = repair(store)
        assert [len(each) for each in (report.patches, report.traces, report.examples)] == [2, 1, 1]
        mended = store.traces.get("t-0000002")
        assert mended is not None
        assert (mended.retrieved, mended.examples) == ((), ("t-0000001",))
        assert repair(store).changes == ()
        assert counts(store) == (3, 3)
    assert wrong_in(path) == []


def test_the_journal_of_a_store_at_rest_is_gone(path: Path) -> None:
    assert not (path / JOURNAL).exists()
    with words_store(path) as store, store.unit(lambda: {"run": "run-0001"}):
        store.patches.upsert(make_patch("blim", "green"))
    [line] = (path / JOURNAL).read_text("utf-8").splitlines()
    assert json.loads(line) == {"changes": [], "run": {"run": "run-0001"}}
