"""A store's folder: whose it is, and who may write to it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from patchlab_agent.errors import MissingExtra, StoreError, UsageError
from patchlab_agent.store.info import FORMAT, MARKER, StoreInfo
from patchlab_agent.store.layout import delete_store, read_info, take_lock
from tests.support.make import listing, make_patch, write_info
from tests.support.moments import moments
from tests.support.words_skill import words_store

INFO = StoreInfo(skill="words", embedder="hashing", runs=3)
HOLDER = """
import sys
from filelock import FileLock
with FileLock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_process_writes(path: Path) -> Iterator[None]:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path / ".lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        yield
        holder.communicate("")


def write_marker(path: Path, text: str) -> None:
    path.mkdir()
    (path / MARKER).write_text(text, "utf-8")


def test_what_a_store_says_of_itself_is_read_again(tmp_path: Path) -> None:
    write_info(tmp_path, INFO)
    assert read_info(tmp_path) == INFO
    assert listing(tmp_path) == [MARKER]


@pytest.mark.parametrize("exists", [True, False])
def test_an_empty_or_absent_folder_is_no_store_yet(tmp_path: Path, exists: bool) -> None:
    path = tmp_path / "s"
    if exists:
        path.mkdir()
    assert read_info(path) is None


def test_a_file_is_no_store(tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.write_text("mine")
    for write in (True, False):
        with pytest.raises(StoreError, match="is a file, not a store"):
            words_store(path, write=write)
    assert path.read_text() == "mine"


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(StoreError, match=rf"holds files but no {MARKER}"):
        words_store(tmp_path)
    with pytest.raises(StoreError):
        delete_store(tmp_path)
    assert listing(tmp_path) == ["thesis.txt"]


def test_a_path_below_a_file_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(StoreError):
        words_store(tmp_path / "file" / "s")
    assert listing(tmp_path) == ["file"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            f'{{"format": {FORMAT + 1}, "skill": "words", "embedder": "hashing"}}',
            f"store format {FORMAT + 1}",
        ),
        (f'{{"format": {FORMAT + 1}, "layout": "new"}}', f"reads format {FORMAT}"),
        ("{", "damaged"),
        ("", "damaged"),
        ("[]", "damaged"),
        ('{"format": "one"}', "damaged"),
        (f'{{"format": {FORMAT}}}', "damaged"),
        (f'{{"format": {FORMAT}, "skill": "words", "embedder": "h", "x": 1}}', "damaged"),
        (
            f'{{"format": {FORMAT}, "skill": "shipping", "embedder": "hashing"}}',
            "of the skill 'shipping'",
        ),
        (
            f'{{"format": {FORMAT}, "skill": "words", "embedder": "wordllama"}}',
            "--embedder wordllama",
        ),
    ],
)
@pytest.mark.parametrize("write", [True, False])
def test_what_cannot_be_opened_says_why_and_stays_untouched(
    tmp_path: Path, text: str, problem: str, write: bool
) -> None:
    path = tmp_path / "s"
    write_marker(path, text)
    with pytest.raises(StoreError, match=problem):
        words_store(path, embedder_name="hashing", write=write)
    assert listing(path) == [MARKER]
    assert (path / MARKER).read_text("utf-8") == text


def test_a_marker_that_is_no_text_is_damaged(tmp_path: Path) -> None:
    (tmp_path / MARKER).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(StoreError, match="damaged; restore it or use another --store"):
        read_info(tmp_path)


def test_a_marker_that_cannot_be_read_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / MARKER).mkdir()
    with pytest.raises(StoreError, match=r"cannot be read .*; check its permissions"):
        read_info(tmp_path)


def test_a_folder_that_cannot_be_deleted_is_a_store_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(1, "not permitted")

    write_info(tmp_path, INFO)
    monkeypatch.setattr(shutil, "rmtree", refuse)
    with pytest.raises(StoreError, match=r"cannot be deleted \(not permitted\)"):
        delete_store(tmp_path)
    take_lock(tmp_path).release()


def test_a_store_that_is_not_there_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="There is no store at"):
        words_store(tmp_path / "s", write=False)
    assert listing(tmp_path) == []


def test_an_unknown_or_missing_embedder_leaves_no_folder_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("patchlab_agent.embedding.find_spec", lambda name: None)
    with pytest.raises(UsageError):
        words_store(tmp_path / "s", embedder_name="magic")
    with pytest.raises(MissingExtra):
        words_store(tmp_path / "s", embedder_name="wordllama")
    assert listing(tmp_path) == []


def test_damaged_chroma_files_are_a_store_error_and_let_go_of_the_lock(tmp_path: Path) -> None:
    write_info(tmp_path, INFO)
    (tmp_path / "chroma.sqlite3").write_bytes(b"no database" * 500)
    with pytest.raises(StoreError, match="Chroma cannot open"):
        words_store(tmp_path)
    assert read_info(tmp_path) == INFO
    take_lock(tmp_path).release()


def test_one_process_writes_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with words_store(path) as store:
        store.patches.upsert(make_patch("zok"))
    before = listing(path)
    with another_process_writes(path):
        with pytest.raises(StoreError, match="in use by another"):
            words_store(path)
        with pytest.raises(StoreError, match="in use by another"):
            delete_store(path)
        with words_store(path, write=False) as beside:
            assert [patch.trigger for patch in beside.patches.all()] == ["zok"]
    assert listing(path) == before
    with words_store(path) as again:
        assert again.patches.count() == 1


def test_a_reader_sees_what_a_writer_in_this_process_wrote(tmp_path: Path) -> None:
    with words_store(tmp_path) as writer:
        writer.patches.upsert(make_patch("zok"))
        with words_store(tmp_path, write=False) as reader:
            assert reader.patches.count() == 1
        writer.patches.upsert(make_patch("blim"))
        assert writer.patches.count() == 2
        with pytest.raises(StoreError, match="in use"):
            words_store(tmp_path)


def test_deleting_takes_the_whole_folder_and_a_new_store_starts_empty(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with words_store(path) as store:
        store.patches.upsert(make_patch("zok"))
        store.start_run()
    delete_store(path)
    assert not path.exists()
    delete_store(path)
    with words_store(path) as fresh:
        assert (fresh.patches.count(), fresh.info.runs) == (0, 0)
        fresh.patches.upsert(make_patch("blim"))
        assert [patch.trigger for patch in fresh.patches.all()] == ["blim"]


def test_a_marker_that_names_another_embedder_than_chroma_does_is_a_store_error(
    tmp_path: Path,
) -> None:
    pytest.importorskip("wordllama")
    words_store(tmp_path).close()
    write_info(tmp_path, StoreInfo(skill="words", embedder="wordllama"))
    with pytest.raises(StoreError, match="Chroma cannot open collection"):
        words_store(tmp_path)
    take_lock(tmp_path).release()


def test_what_a_kill_leaves_before_there_is_a_marker_becomes_a_store(tmp_path: Path) -> None:
    images: list[Path] = []

    def take() -> None:
        images.append(tmp_path / f"image-{len(images)}")
        shutil.copytree(tmp_path / "whole", images[-1])

    with moments(take):
        words_store(tmp_path / "whole").close()
    left = {tuple(listing(image)): image for image in images if not (image / MARKER).exists()}
    assert (".lock", ".writer.json.new") in left
    assert (".lock", ".writer.json", "patchlab.json.new") in left
    for image in left.values():
        assert read_info(image) is None
        with words_store(image) as store:
            store.patches.upsert(make_patch("zok"))
        assert not [name for name in listing(image) if name.endswith(".new")]
