"""Examples that together cover what is uncommon, whatever is written yet and whatever changes."""

from __future__ import annotations

from pathlib import Path

from patchlab_agent.models.trace import Example
from patchlab_agent.store.store import Store
from tests.core.make import WRONG, make_trace
from tests.core.words_skill import words_store

COMMON = [f"salt {chr(97 + n)}" for n in range(20)]


def filled(store: Store, *requests: str) -> None:
    """Twenty alike, then these."""
    for number, request in enumerate([*COMMON, *requests]):
        store.traces.add(make_trace(f"t-{number:07d}", request))


def shown(store: Store, request: str, *covered: str, n: int = 3) -> list[str]:
    return [example.request for example in store.examples.covering(request, covered, n)]


def test_what_is_not_written_yet_is_found_like_what_is(tmp_path: Path) -> None:
    with words_store(tmp_path) as store:
        filled(store, "a zok", "a blim")
        asked = "one zok two blim"
        before = shown(store, asked)
        assert sorted(before) == ["a blim", "a zok"]
        store.traces.flush()
        assert shown(store, asked) == before
        store.traces.add(make_trace("t-0000099", "a quil"))
        assert shown(store, "quil") == ["a quil"]
    with words_store(tmp_path) as store:
        assert shown(store, asked) == before
        assert shown(store, "quil and zok", "zok") == ["a quil"]
        assert shown(store, "quil and zok", n=0) == []


def test_an_answer_that_is_judged_otherwise_covers_nothing_any_more(tmp_path: Path) -> None:
    with words_store(tmp_path) as store:
        filled(store, "a zok")
        store.traces.flush()
        assert shown(store, "zok") == ["a zok"]
        store.traces.add(make_trace("t-0000020", "a zok", feedback=WRONG))
        assert shown(store, "zok") == []
        store.traces.flush()
        assert shown(store, "zok") == []
        store.traces.add(make_trace("t-0000020", "a zok"))
        assert shown(store, "zok") == ["a zok"]


def test_one_that_may_not_be_shown_makes_room_for_another(tmp_path: Path) -> None:
    with words_store(tmp_path) as store:
        filled(store, "a zok")
        store.traces.flush()
        stored = store.examples._collection
        stored.update(ids=stored.get()["ids"][-1:], documents=["a secret zok"])
        stored.add(
            ids=["x"],
            documents=["zok alone"],
            embeddings=[store.examples._distances.vector("zok alone").tolist()],
            metadatas=[{"trace_id": "t-x", "answer": '{"zok":"red"}'}],
        )
    with words_store(tmp_path) as store:
        assert shown(store, "secret zok") == ["zok alone"]


def test_what_takes_the_place_of_all_is_what_covers(tmp_path: Path) -> None:
    with words_store(tmp_path) as store:
        filled(store, "a zok")
        store.traces.flush()
        assert shown(store, "a zok and quil") == ["a zok"]
        kept = [e for e in store.examples.all() if e.request != "a zok"]
        store.examples.replace([*kept, Example(id="t-9", request="a quil", answer={"quil": "x"})])
        assert shown(store, "a zok and quil") == ["a quil"]
