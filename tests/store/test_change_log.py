"""The log of a shared store: a queue of writers, and what each of them changed, in one order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from chromadb.api.models.Collection import Collection

from patchlab_agent.errors import StoreError
from patchlab_agent.store import change_log
from patchlab_agent.store.change_log import CHANGES, LONGEST, PATIENCE, ChangeLog, unpacked
from patchlab_agent.store.clients import open_client
from tests.support.leases import Leases


@pytest.fixture
def collection(tmp_path: Path) -> Iterator[Collection]:
    client = open_client(tmp_path)
    yield client.get_or_create_collection("kept", embedding_function=None)
    client.close()


@pytest.fixture
def leases(collection: Collection) -> Leases:
    return Leases(collection)


def add(log: ChangeLog, text: str, *, is_written: bool = False) -> None:
    log.take_turn()
    log.end_turn(text, is_written=is_written)


def texts(log: ChangeLog) -> list[str]:
    return [unpacked(entry.packed) for entry in log.news()]


def test_what_one_changes_the_others_read_once_and_in_order(leases: Leases) -> None:
    one, other = leases.log("one"), leases.log("other")
    for number in range(20):
        add(one, f"change {number}", is_written=number == 7)
    assert one.news() == []
    entries = other.news()
    assert [entry.number for entry in entries] == list(range(1, 21))
    assert [unpacked(entry.packed) for entry in entries] == [f"change {n}" for n in range(20)]
    assert [entry.number for entry in entries if entry.is_written] == [8]
    assert other.news() == []
    assert (one.seen, other.seen) == (20, 20)


def test_a_turn_begins_with_what_came_before_it_and_ends_with_its_entry(leases: Leases) -> None:
    one, other = leases.log("one"), leases.log("other")
    assert one.is_free
    add(one, "a")
    assert [unpacked(entry.packed) for entry in other.take_turn()] == ["a"]
    assert (other.has_turn, other.another_has_turn, other.is_free) == (True, False, False)
    one.news()
    assert (one.has_turn, one.another_has_turn, one.is_free) == (False, True, False)
    other.end_turn("", is_written=False)
    assert not other.has_turn
    assert other.is_free
    assert texts(one) == [""]
    assert (one.another_has_turn, one.is_free) == (False, True)


def test_nothing_is_changed_out_of_turn(leases: Leases) -> None:
    one = leases.log("one")
    with pytest.raises(RuntimeError, match="out of turn"):
        one.end_turn("a", is_written=False)
    one.take_turn()
    leases.lost.add("one")
    with pytest.raises(StoreError, match="too late"):
        one.end_turn("a", is_written=False)
    assert texts(leases.log("other")) == []


def test_who_waits_gets_the_turn_once_the_other_has_ended_its_own(leases: Leases) -> None:
    one, other = leases.log("one"), leases.log("other")
    one.take_turn()
    wait: list[Callable[[], object]] = [lambda: None] * 3
    leases.meanwhile = [*wait, lambda: one.end_turn("a", is_written=False)]
    assert [unpacked(entry.packed) for entry in other.take_turn()] == ["a"]
    assert other.has_turn
    assert leases.pauses[0] == change_log.PAUSE
    # Each look comes later than the one before it.
    assert len(leases.pauses) == 4
    assert leases.pauses == sorted(set(leases.pauses))
    assert leases.pauses[1] == pytest.approx(change_log.PAUSE * change_log.LONGER)


def test_who_is_further_behind_looks_less_often_and_all_get_their_turn(leases: Leases) -> None:
    one, other, third = (leases.log(name) for name in ("one", "other", "third"))
    one.take_turn()

    def queue() -> None:
        # While the second waits, the third joins the queue, and the first ends.
        leases.meanwhile = [
            lambda: one.end_turn("a", is_written=False),
            other.news,
            lambda: other.end_turn("b", is_written=False),
        ]
        third.take_turn()

    other._claim()
    queue()
    assert third.has_turn
    assert leases.pauses[0] == 2 * change_log.PAUSE
    assert max(leases.pauses) <= LONGEST
    third.end_turn("c", is_written=False)
    assert texts(leases.log("late")) == []
    assert texts(one) == ["b", "c"]


def test_one_that_lives_is_waited_for_however_long_and_not_asked_for_all_the_time(
    leases: Leases,
) -> None:
    one, other = leases.log("one"), leases.log("other")
    one.take_turn()
    wait: list[Callable[[], object]] = [lambda: None] * 40
    leases.meanwhile = [*wait, lambda: one.end_turn("a", is_written=False)]
    assert [unpacked(entry.packed) for entry in other.take_turn()] == ["a"]
    assert leases.now > 3 * PATIENCE
    assert max(leases.pauses) == LONGEST


def test_one_that_is_gone_is_passed_over_and_changed_nothing(leases: Leases) -> None:
    gone, other = leases.log("gone"), leases.log("other")
    gone.take_turn()
    leases.live.remove("gone")
    other.news()
    assert other.is_free
    assert [entry.packed for entry in other.take_turn()] == [""]
    assert other.has_turn
    assert PATIENCE < leases.now < 2 * PATIENCE
    other.end_turn("b", is_written=False)
    # Should it come back, it has no turn any more.
    assert texts(gone) == ["", "b"]
    assert not gone.has_turn
    add(gone, "c")
    assert texts(other) == ["c"]


def test_who_gives_up_leaves_the_queue_with_nothing_changed(leases: Leases) -> None:
    one, other = leases.log("one"), leases.log("other")
    one.give_up()
    one.take_turn()
    one.give_up()
    assert not one.has_turn
    assert [entry.packed for entry in other.take_turn()] == [""]
    other.end_turn("a", is_written=False)
    add(one, "b")
    assert texts(other) == ["b"]


def test_giving_up_undoes_nothing_that_counts_already(leases: Leases) -> None:
    one, other = leases.log("one"), leases.log("other")
    one.take_turn()
    # Interrupted after its entry was filled in.
    one._fill_in(1, change_log._packed("a"), is_written=True)
    one.give_up()
    [entry] = other.news()
    assert (unpacked(entry.packed), entry.is_written) == ("a", True)


@pytest.mark.parametrize("claimed_by_other", [True, False])
def test_giving_up_a_claim_that_was_not_made_leaves_no_number_out(
    leases: Leases, claimed_by_other: bool
) -> None:
    one, other = leases.log("one"), leases.log("other")
    one._claimed = one._last = 1
    if claimed_by_other:
        other.take_turn()
    one.give_up()
    if claimed_by_other:
        other.end_turn("a", is_written=False)
    add(one, "b")
    assert one.seen == 1 + claimed_by_other
    assert texts(other) == ["b"]


def test_an_entry_of_many_pieces_arrives_whole(
    leases: Leases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(change_log, "PART_BYTES", 8)
    monkeypatch.setattr(change_log, "AT_A_TIME", 3)
    one, other = leases.log("one"), leases.log("other")
    long = " ".join(f"{n * 7919 % 9973:x}" for n in range(60))
    add(one, long)
    add(one, "short")
    add(one, long[:40])
    assert texts(other) == [long, "short", long[:40]]


def test_what_is_damaged_is_refused_as_such() -> None:
    assert unpacked("") == ""
    assert unpacked("".join(change_log._packed("ü"))) == "ü"
    for damaged in ("!", "00000", '"'):
        with pytest.raises(ValueError, match=r".") as told:
            unpacked(damaged)
        assert not isinstance(told.value, UnicodeDecodeError)


def test_whoever_begins_reads_from_what_the_collections_may_lack(leases: Leases) -> None:
    one = leases.log("one")
    add(one, "a")
    add(one, "b")
    add(one, "c", is_written=True)
    add(one, "d")
    other = leases.log("other")
    assert other.seen == 4
    other.rewind()
    # The third tells that all before it is written; what it changed itself may not be.
    assert (other.seen, texts(other)) == (2, ["c", "d"])
    other.begin()
    assert texts(other) == ["c", "d"]


def test_what_the_collections_lack_is_left_over(leases: Leases) -> None:
    one = leases.log("one")
    assert not one.is_left_over()
    add(one, "a")
    assert leases.log("other").is_left_over()
    add(one, "", is_written=True)
    assert not leases.log("other").is_left_over()


def test_old_entries_are_deleted_and_whoever_is_further_behind_is_told(
    leases: Leases, collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(change_log, "KEPT_ENTRIES", 3)
    one, near, far = (leases.log(name) for name in ("one", "near", "far"))
    add(one, "a")
    add(one, "b")
    near.news()
    for text in "cde":
        add(one, text, is_written=True)
    one.delete_old()
    found: Any = collection.get(where={"file": CHANGES}, include=["metadatas"])
    assert sorted({each["number"] for each in found["metadatas"]}) == [2, 3, 4, 5]
    assert texts(near) == ["c", "d", "e"]
    assert not near.is_behind
    # A hole is told of, and no turn taken before the collections were read.
    assert far.news() == []
    assert far.is_behind
    assert far.take_turn() == []
    assert not far.has_turn
    far.rewind()
    assert not far.is_behind
    assert texts(far) == ["e"]
