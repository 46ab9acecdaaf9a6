"""Freed memory is given back while records are written, where the C library would keep it."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from patchlab_agent import memory
from patchlab_agent.store import writes
from patchlab_agent.store.places import place_of
from patchlab_agent.store.writes import MOST_UNTIDIED, Writes


@pytest.fixture(autouse=True)
def _unknown_library() -> Iterator[None]:
    memory._glibc.cache_clear()
    yield
    memory._glibc.cache_clear()


def test_freed_memory_is_given_back_once_in_so_many_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[int] = []
    seen = Writes(place_of(tmp_path))
    monkeypatch.setattr(writes, "give_back", lambda: given.append(1))
    most = MOST_UNTIDIED
    for records, times in ((most - 1, 0), (0, 0), (1, 1), (most - 1, 1), (5 * most, 2), (0, 2)):
        with seen.one(records):
            pass
        assert len(given) == times


@pytest.mark.parametrize("library", [OSError("none"), TypeError("none"), SimpleNamespace()])
def test_another_c_library_is_left_alone(library: object, monkeypatch: pytest.MonkeyPatch) -> None:
    def loaded(_: object) -> object:
        if isinstance(library, Exception):
            raise library
        return library

    monkeypatch.setattr(ctypes, "CDLL", loaded)
    memory.share_heap()
    memory.give_back()


def test_glibc_is_told_to_keep_one_heap_and_nothing_free(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, ...]] = []
    glibc = SimpleNamespace(
        gnu_get_libc_version=None,
        mallopt=lambda *values: told.append(values),
        malloc_trim=lambda *values: told.append(values),
    )
    monkeypatch.setattr(ctypes, "CDLL", lambda _: glibc)
    memory.share_heap()
    memory.give_back()
    assert told == [(-8, 1), (0,)]
