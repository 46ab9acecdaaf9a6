"""Readers beside a writer, who writes what belongs together one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from chromadb.errors import InternalError

from patchlab_agent.errors import StoreError
from patchlab_agent.store import check, chroma, layout
from patchlab_agent.store.check import Contents, contents
from patchlab_agent.store.chroma import Records
from patchlab_agent.store.folder import Folder
from patchlab_agent.store.info import StoreInfo
from tests.support.words_skill import parse_fix


@pytest.fixture
def writer(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Another process that writes; how long somebody waited for it."""
    waited: list[float] = []
    monkeypatch.setattr(layout, "is_locked", lambda _: True)
    for module in (check, chroma):
        monkeypatch.setattr(module.time, "sleep", waited.append)
    return waited


class Collection:
    """Cannot find its records so often."""

    name = "patches"

    def __init__(self, failures: int) -> None:
        self.failures = failures

    def count(self) -> int:
        if self.failures:
            self.failures -= 1
            raise InternalError("Error finding id")
        return 7


def records(failures: int, path: Path) -> Records:
    collection: Any = Collection(failures)
    return Records(collection, Folder(path), ())


@pytest.mark.parametrize("failures", [0, 1, 3])
def test_a_reader_looks_again_beside_a_writer(
    tmp_path: Path, writer: list[float], failures: int
) -> None:
    assert records(failures, tmp_path).count() == 7
    assert len(writer) == failures
    assert sum(writer) < 4


def test_what_lasts_is_a_fault(tmp_path: Path, writer: list[float]) -> None:
    with pytest.raises(StoreError, match="Chroma cannot read the patches of"):
        records(9, tmp_path).count()


def test_where_nobody_writes_nobody_waits(tmp_path: Path) -> None:
    found = records(1, tmp_path)
    assert found.count() == 7  # a first failure may still be a writer who has just ended
    with pytest.raises(StoreError):
        records(2, tmp_path).count()


def of(*found: Contents) -> Callable[..., Contents]:
    each: Iterator[Contents] = iter(found)
    return lambda *_: next(each)


def test_only_what_lasts_is_wrong_with_a_store_that_is_written_to(
    tmp_path: Path, writer: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = "trace t-1 names patch a", "trace t-2 names patch b"
    info = StoreInfo(skill="words")

    def wrong_in(*found: list[str]) -> list[str]:
        monkeypatch.setattr(check, "_contents", of(*(Contents(references=each) for each in found)))
        return contents(tmp_path, info, parse_fix).references

    assert wrong_in([one], [other]) == []
    assert wrong_in([one, other], [other], []) == []
    assert wrong_in([one], [one, other], [one], [one], [one]) == [one]
    assert wrong_in([]) == []
    monkeypatch.setattr(layout, "is_locked", lambda _: False)
    assert wrong_in([one]) == [one]
