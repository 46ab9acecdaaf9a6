"""Which examples are found, whatever is written yet, withdrawn or changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from patchlab_agent.models.evidence import Record
from patchlab_agent.models.example import StoredExample
from patchlab_agent.store.check import contents
from patchlab_agent.store.store import Store
from tests.support.make import WRONG, make_trace
from tests.support.words_skill import parse_fix, words_store

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
        stored.upsert(
            ids=["x"],
            documents=["zok alone"],
            embeddings=[stored.kept(store.examples._distances.vector("zok alone"))],
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
        quil = StoredExample(id="t-9", request="a quil", answer={"quil": "x"})
        store.examples.replace([*kept, quil])
        assert shown(store, "a zok and quil") == ["a quil"]


# How many are kept

FEW = 2


@pytest.fixture
def few_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("patchlab_agent.store.coverage.ENOUGH", FEW)


def kept(store: Store) -> list[str]:
    store.traces.flush()
    return [example.request for example in store.examples.all()]


def add(store: Store, number: int, request: str, **changes: Any) -> None:
    store.traces.add(make_trace(f"t-{number:07d}", request, **changes))


@pytest.mark.usefixtures("few_are_enough")
@pytest.mark.parametrize("is_reopened", [False, True])
def test_an_answer_is_kept_if_one_of_its_words_has_too_few(
    tmp_path: Path, is_reopened: bool
) -> None:
    with words_store(tmp_path) as store:
        add(store, 0, "zok blim")
        add(store, 1, "zok quil")
        assert kept(store) == ["zok blim", "zok quil"]
    with words_store(tmp_path) as store:
        if not is_reopened:
            shown(store, "zok")
        add(store, 2, "zok")
        add(store, 3, "7 zok 8")
        add(store, 4, "zok quil blim")
        add(store, 5, "blim quil")
        assert kept(store) == ["zok blim", "zok quil", "zok quil blim"]


@pytest.mark.usefixtures("few_are_enough")
def test_what_is_wrong_or_withdrawn_makes_room(tmp_path: Path) -> None:
    with words_store(tmp_path) as store:
        for number, request in enumerate(["zok a", "zok b", "zok"]):
            add(store, number, request)
        assert kept(store) == ["zok a", "zok b"]
        withdraw(store, "t-0000000")
        add(store, 3, "zok c")
        add(store, 4, "zok")
        assert kept(store) == ["zok a", "zok b", "zok c"]
        add(store, 1, "zok b", feedback=WRONG)
        add(store, 5, "zok")
        assert kept(store) == ["zok a", "zok c", "zok"]
        add(store, 6, "a b c zok")
        assert "a b c zok" in kept(store)


def test_of_several_with_the_same_words_the_first_one_that_is_right_stays(tmp_path: Path) -> None:
    with words_store(tmp_path) as store:
        add(store, 0, "zok blim")
        add(store, 1, "blim zok")
        add(store, 1, "blim zok", feedback=WRONG)
        assert shown(store, "zok") == kept(store) == ["zok blim"]
        add(store, 2, "blim, zok")
        add(store, 0, "zok blim", feedback=WRONG)
        assert shown(store, "zok") == kept(store) == []
        add(store, 3, "zok, blim")
        assert shown(store, "zok") == kept(store) == ["zok, blim"]


def test_an_answer_that_was_given_up_is_kept_when_it_comes_again(tmp_path: Path) -> None:
    with words_store(tmp_path) as store:
        shown(store, "zok")
        add(store, 0, "a zok")
        store.traces.give_up()
        add(store, 0, "a zok")
        assert shown(store, "zok") == kept(store) == ["a zok"]


# Evidence, and what is withdrawn

REASON = "it turned 1 request wrong"


def known(store: Store, trace_id: str) -> StoredExample:
    return store.examples.of_traces([trace_id])[trace_id]


def withdraw(store: Store, trace_id: str) -> StoredExample:
    example = known(store, trace_id)
    record = example.record.with_outcome(False, "asked")
    withdrawn = example.model_copy(update={"record": record, "withdrawn": REASON})
    store.examples.update([withdrawn])
    return withdrawn


@pytest.mark.parametrize("is_written", [True, False])
def test_evidence_is_kept_with_an_example(tmp_path: Path, is_written: bool) -> None:
    with words_store(tmp_path) as store:
        store.traces.add(make_trace("t-0000001", "a zok"))
        if is_written:
            store.traces.flush()
        before = store.examples.similar("zok", 3)
        record = Record().with_outcome(True, "one zok").with_outcome(False, "two zok")
        changed = known(store, "t-0000001").model_copy(update={"record": record})
        store.examples.update([changed])
        assert known(store, "t-0000001") == changed
        assert store.examples.similar("zok", 3) == before
    with words_store(tmp_path) as store:
        assert store.examples.all() == [changed]
        assert store.examples.similar("zok", 3) == before


@pytest.mark.parametrize("is_written", [True, False])
def test_one_that_is_withdrawn_is_kept_and_not_found(tmp_path: Path, is_written: bool) -> None:
    with words_store(tmp_path) as store:
        filled(store, "a zok", "zok alone")
        if is_written:
            store.traces.flush()
            assert shown(store, "zok alone", n=1) == ["zok alone"]
        withdrawn = withdraw(store, "t-0000021")
        for _ in range(2):
            assert [each.id for each in store.examples.similar("zok alone", 1)] == ["t-0000020"]
            assert shown(store, "zok alone") == ["a zok"]
            assert known(store, "t-0000021") == withdrawn
            store.traces.flush()
    with words_store(tmp_path) as store:
        assert [each.id for each in store.examples.similar("zok alone", 1)] == ["t-0000020"]
        assert shown(store, "zok alone") == ["a zok"]
        assert withdrawn in store.examples.all()


@pytest.mark.parametrize("is_open_anew", [True, False])
@pytest.mark.parametrize("is_written", [True, False])
def test_nothing_of_the_same_words_takes_the_place_of_one_that_is_withdrawn(
    tmp_path: Path, is_written: bool, is_open_anew: bool
) -> None:
    def again(store: Store) -> None:
        store.traces.add(make_trace("t-0000002", "zok a"))
        # Nor does its own trace bring it back, judged again or not.
        store.traces.add(make_trace("t-0000001", "a zok"))
        for _ in range(2):
            assert store.examples.similar("zok", 3) == ()
            assert shown(store, "zok") == []
            store.traces.flush()
        assert store.examples.all() == [withdrawn]

    with words_store(tmp_path) as store:
        store.traces.add(make_trace("t-0000001", "a zok"))
        if is_written:
            store.traces.flush()
        withdrawn = withdraw(store, "t-0000001")
        if not is_open_anew:
            again(store)
    if is_open_anew:
        with words_store(tmp_path) as store:
            again(store)


def test_many_that_are_withdrawn_hide_none_of_the_others(tmp_path: Path) -> None:
    with words_store(tmp_path) as store:
        filled(store, "a zok far off")
        store.traces.flush()
        for number in range(len(COMMON)):
            withdraw(store, f"t-{number:07d}")
        assert [each.id for each in store.examples.similar("salt a", 2)] == ["t-0000020"]


def test_an_answer_that_is_right_again_keeps_its_record(tmp_path: Path) -> None:
    with words_store(tmp_path) as store:
        store.traces.add(make_trace("t-0000001", "a zok"))
        store.traces.flush()
        record = Record().with_outcome(True, "one zok")
        changed = known(store, "t-0000001").model_copy(update={"record": record})
        store.examples.update([changed])
        store.traces.add(make_trace("t-0000001", "a zok"))
        store.traces.flush()
        assert store.examples.all() == [changed]
        # Another answer is another example.
        store.traces.add(make_trace("t-0000001", "a zok", answer={"zok": "blue"}))
        store.traces.flush()
        assert [each.record for each in store.examples.all()] == [Record()]


def test_a_record_of_an_older_version_has_no_evidence_yet(tmp_path: Path) -> None:
    with words_store(tmp_path) as store:
        store.traces.add(make_trace("t-0000001", "a zok"))
        store.traces.flush()
        collection = store.examples._collection
        [key] = collection.get()["ids"]
        collection.delete(ids=[key])
        collection.upsert(
            ids=[key],
            documents=["a zok"],
            embeddings=[collection.kept(store.examples._distances.vector("a zok"))],
            metadatas=[{"trace_id": "t-0000001", "answer": '{"zok": "red"}'}],
        )
    with words_store(tmp_path) as store:
        old = StoredExample(id="t-0000001", request="a zok", answer={"zok": "red"})
        assert store.examples.all() == [old]
        assert store.examples.similar("zok", 1) == (old.shown,)
        assert problems(store) == []
        withdraw(store, "t-0000001")
        assert store.examples.similar("zok", 1) == ()
        assert problems(store) == []


def problems(store: Store) -> list[str]:
    return contents(store.path, store.info, parse_fix).problems


@pytest.mark.parametrize(
    ("metadata", "problem"),
    [
        ({"record": '{"outcomes": "?"}'}, "cannot be read"),
        ({"answer": "{"}, "cannot be read"),
        ({"shown": False}, "disagrees with its own shown"),
    ],
)
def test_evidence_that_is_damaged_is_found(
    tmp_path: Path, metadata: dict[str, str | bool], problem: str
) -> None:
    with words_store(tmp_path) as store:
        store.traces.add(make_trace("t-0000001", "a zok"))
        store.traces.flush()
        assert problems(store) == []
        collection = store.examples._collection
        collection.update(ids=collection.get()["ids"], metadatas=[metadata])
        [found] = problems(store)
        assert problem in found


def test_a_replacement_puts_back_what_was_known_and_what_was_withdrawn(tmp_path: Path) -> None:
    with words_store(tmp_path) as store:
        for number, request in enumerate(("a zok", "a blim", "a tarn")):
            store.traces.add(make_trace(f"t-{number:07d}", request))
        store.traces.flush()
        withdraw(store, "t-0000000")
        then = store.examples.all()
        # One is withdrawn, one is shown again, and of one more is known.
        withdraw(store, "t-0000001")
        again = then[0].model_copy(update={"withdrawn": "", "record": Record()})
        more = then[2].model_copy(update={"record": Record().with_outcome(True, "x")})
        others = [again, store.examples.all()[1], more]
        assert store.examples.replace(others) == (0, 1, 1)
        assert {e.id for e in store.examples.similar("a", 3)} == {"t-0000000", "t-0000002"}
        assert store.examples.replace(then) == (1, 1, 1)
        assert store.examples.replace(then) == (0, 0, 0)
        assert store.examples.all() == then
        assert {e.id for e in store.examples.similar("a", 3)} == {"t-0000001", "t-0000002"}
        store.traces.add(make_trace("t-0000009", "zok a"))
        assert {e.id for e in store.examples.similar("a", 3)} == {"t-0000001", "t-0000002"}
        # One that came later goes, even if prompts did not show it any more.
        store.traces.add(make_trace("t-0000010", "a quil"))
        withdraw(store, "t-0000010")
        store.traces.flush()
        assert store.examples.replace(then) == (0, 0, 1)
