"""Opening a store: what it keeps in memory is read without reading whole records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from patchlab_agent.models.patch import Status
from patchlab_agent.models.trace import trace_name
from patchlab_agent.models.trigger import Always, Similar, Trigger
from patchlab_agent.store.chroma import Records
from patchlab_agent.store.opening import read_known
from tests.support.make import make_patch, make_trace
from tests.support.words_skill import words_store

TRIGGERS: dict[str, Trigger] = {"tarn": Similar(requests=("a tarn of salt",)), "quil": Always()}
OTHERS = [
    make_patch(word).model_copy(update={"trigger": trigger}) for word, trigger in TRIGGERS.items()
]


def fill(path: Path, *traces: str) -> None:
    with words_store(path) as store:
        for word, status in (("zok", Status.ACTIVE), ("blim", Status.QUARANTINED)):
            store.patches.upsert(make_patch(word, status=status))
        for patch in OTHERS:
            store.patches.upsert(patch)
        for name in traces:
            store.traces.add(make_trace(name, "a zok"))


def test_what_is_read_at_opening_is_what_chroma_has(tmp_path: Path) -> None:
    fill(tmp_path, "t-0000001", "q-abc", "t-0000007")
    known = read_known(tmp_path)
    assert known is not None
    with words_store(tmp_path) as store:
        active = dict(store.patches._collection.all({"status": "active"}))
    assert {patch_id: told["trigger"] for patch_id, told in known.active} == {
        patch_id: metadata["trigger"] for patch_id, metadata in active.items()
    }
    # Only what is no phrase is read whole.
    assert {i for i, told in known.active if "patch" in told} == {each.id for each in OTHERS}
    assert known.next_index == 8


def test_opening_asks_chroma_for_no_whole_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, "t-0000000")
    asked: list[dict[str, Any]] = []
    get = Records.get

    def noting(self: Records, **wanted: Any) -> Any:
        asked.append(wanted)
        return get(self, **wanted)

    monkeypatch.setattr(Records, "get", noting)
    with words_store(tmp_path) as store:
        assert [each.get("include") for each in asked if each.get("include") != []] == []
        assert store.traces.next_index() == 1
        assert len(store.patches._active) == 3
        for request, words in (("a zok", {"zok", "quil"}), ("a tarn of salt", {"tarn", "quil"})):
            found = store.patches.search(request, 5)
            assert {hit.patch.fix.subject_key[1] for hit in found if hit.occurs} == words


@pytest.mark.parametrize(
    ("names", "following"),
    [
        ((), 0),
        (("q-1",), 0),
        ((trace_name(9_999_999), trace_name(10_000_000)), 10_000_001),
        ((trace_name(3), "t-12", "t-0000009x", "t-"), 4),
    ],
)
def test_the_next_trace_follows_the_highest_whatever_else_is_there(
    tmp_path: Path, names: tuple[str, ...], following: int
) -> None:
    fill(tmp_path, *names)
    known = read_known(tmp_path)
    assert known is not None
    assert known.next_index == following


def test_where_there_is_no_database_nothing_is_known(tmp_path: Path) -> None:
    assert read_known(tmp_path) is None
