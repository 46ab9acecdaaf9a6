"""Whatever the files of a store hold, they are read, or refused in a sentence."""

from __future__ import annotations

import io
import random
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given

from patchlab_agent.errors import InputError
from patchlab_agent.lab.resuming import started_run
from patchlab_agent.lab.upkeep import restore_store
from patchlab_agent.store.backup import back_up
from patchlab_agent.store.golden import read_golden
from patchlab_agent.store.layout import read_info
from patchlab_agent.store.reports import read_report
from patchlab_agent.store.snapshots import read_snapshot
from tests.runs.test_resume import opened, run
from tests.support.moments import moments
from tests.support.odd import FEW, MANY, Content, nearly_bytes, odd_json, odd_lines, refused
from tests.support.words_skill import install, parse_fix, words_skill

READERS: dict[str, Callable[[Path], Any]] = {
    "patchlab.json": lambda path: read_info(path.parent),
    "runs/run-0001.json": read_report,
    "runs/run-0001.golden.jsonl": read_golden,
    "runs/run-0001.snapshot.jsonl": lambda path: read_snapshot(path, parse_fix),
    "resume/run.json": lambda path: started_run(path.parent.parent),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a run."""
    folder = tmp_path_factory.mktemp("made")
    with opened(folder) as lab:
        run(lab)
    return folder / "store"


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a kill left of a store where its journal was longest."""
    folder, image = tmp_path_factory.mktemp("run"), tmp_path_factory.mktemp("left") / "store"
    journal, longest = folder / "store" / "journal.jsonl", 0

    def take() -> None:
        nonlocal longest
        if journal.exists() and journal.stat().st_size > longest:
            longest = journal.stat().st_size
            shutil.rmtree(image, ignore_errors=True)
            shutil.copytree(folder / "store", image)

    with opened(folder) as lab, moments(take):
        run(lab)
    return image


@pytest.mark.parametrize("name", READERS)
def test_files_that_a_store_keeps(made: Path, tmp_path: Path, name: str) -> None:
    data, file = (made / name).read_bytes(), tmp_path / name
    file.parent.mkdir(exist_ok=True)

    @MANY
    @given(odd_lines(data) if name.endswith(".jsonl") else odd_json(data))
    def check(content: Content) -> None:
        file.write_bytes(content)
        with refused():
            READERS[name](file)

    check()


def test_a_journal(left: Path) -> None:
    @FEW
    @given(odd_lines((left / "journal.jsonl").read_bytes()))
    def check(content: Content) -> None:
        with TemporaryDirectory() as folder:
            shutil.copytree(left, Path(folder) / "store")
            (Path(folder) / "store" / "journal.jsonl").write_bytes(content)
            with refused(), opened(Path(folder)) as lab:
                lab.answer("a zok")

    check()


def test_the_log_of_a_run(left: Path) -> None:
    (log,) = (left / "resume").glob("answers-*.jsonl")

    @FEW
    @given(odd_lines(log.read_bytes()))
    def check(content: Content) -> None:
        with TemporaryDirectory() as folder:
            shutil.copytree(left, Path(folder) / "store")
            (Path(folder) / "store" / "resume" / log.name).write_bytes(content)
            with refused(), opened(Path(folder)) as lab:
                run(lab, resume=True)

    check()


@pytest.mark.parametrize("name", ["copy.zip", "copy.tar", "copy.tgz"])
def test_a_backup(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    install(monkeypatch, words_skill(tmp_path / "prompts"))
    data = back_up(made, tmp_path / name).read_bytes()

    @FEW
    @given(nearly_bytes(data))
    def check(content: Content) -> None:
        with TemporaryDirectory() as folder:
            copy = Path(folder) / name
            copy.write_bytes(content)
            with refused():
                restore_store(copy, Path(folder) / "store")

    check()


def packed(kind: str, name: str = "patchlab.json") -> bytearray:
    """An archive with one file of that name, twice if it is also a folder's."""
    file = io.BytesIO()
    held = random.Random(7).randbytes(2000)
    if kind == "zip":
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name, held)
            archive.writestr(f"{name}/more", held)
    else:
        with tarfile.open(fileobj=file, mode="w:gz") as tar:
            for each in (name, f"{name}/more"):
                member = tarfile.TarInfo(each)
                member.size = len(held)
                tar.addfile(member, io.BytesIO(held))
    return bytearray(file.getvalue())


def with_flags(flags: int, method: int) -> bytes:
    """An archive of which both headers of its file say so."""
    data = packed("zip")
    central = data.index(b"PK\x01\x02")
    data[6], data[8], data[central + 8], data[central + 10] = flags, method, flags, method
    return bytes(data)


def flipped(data: bytearray, at: int) -> bytes:
    data[at] ^= 0xFF
    return bytes(data)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("encrypted.zip", with_flags(1, 8)),
        ("unknown-method.zip", with_flags(0, 99)),
        ("broken.zip", flipped(packed("zip"), 60)),
        ("long-name.zip", packed("zip", "a" * 300)),
        ("file-and-folder.zip", packed("zip")),
        ("file-and-folder.tgz", packed("tgz")),
        ("outside.tgz", packed("tgz", "../patchlab.json")),
        ("broken.tgz", flipped(packed("tgz"), 500)),
        ("other.tgz", flipped(packed("tgz"), 1)),
        ("half.tgz", packed("tgz")[:900]),
        ("empty.zip", b""),
        ("empty.tgz", b""),
    ],
)
def test_what_is_no_backup_is_told_as_the_fault_of_the_file(
    tmp_path: Path, name: str, data: bytes
) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(
        InputError, match=rf"{name}(/patchlab.json)? is (damaged|no backup)"
    ) as caught:
        restore_store(tmp_path / name, tmp_path / "store")
    assert "restoring" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == [name]
