"""Memory that was freed is given back while records are written."""

from __future__ import annotations

import ctypes
from pathlib import Path

import pytest

from patchlab_agent.store import memory, writes
from patchlab_agent.store.places import place_of
from patchlab_agent.store.writes import Writes


def test_freed_memory_is_given_back_once_in_a_thousand_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[int] = []
    seen = Writes(place_of(tmp_path))
    monkeypatch.setattr(writes, "give_back", lambda: given.append(1))
    for records, times in ((400, 0), (599, 0), (1, 1), (999, 1), (0, 1), (5000, 2), (999, 2)):
        with seen.one(records):
            pass
        assert len(given) == times


@pytest.mark.parametrize("library", [OSError("none"), TypeError("none"), object()])
def test_where_the_c_library_cannot_give_back_nothing_happens(
    library: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    def loaded(_: object) -> object:
        if isinstance(library, Exception):
            raise library
        return library

    monkeypatch.setattr(ctypes, "CDLL", loaded)
    memory._trim.cache_clear()
    try:
        memory.give_back()
    finally:
        memory._trim.cache_clear()


def test_glibc_is_told_to_keep_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[int] = []
    monkeypatch.setattr(memory, "_trim", lambda: kept.append)
    memory.give_back()
    assert kept == [0]
