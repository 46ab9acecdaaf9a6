"""Units of work of several writers: each has its turn, and all see the same in the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest
from chromadb.api.models.Collection import Collection

from patchlab_agent.errors import InputError, StoreError
from patchlab_agent.store import change_log
from patchlab_agent.store.change_log import ChangeLog
from patchlab_agent.store.clients import open_client
from patchlab_agent.store.shared_journal import SharedJournal
from patchlab_agent.store.shared_units import SharedUnits
from patchlab_agent.store.units import LATE
from tests.support.leases import Leases
from tests.support.parts import Words

NO_ANSWER = StoreError("no answer")


class Writer:
    """One of several writers over one database of words."""

    def __init__(self, log: ChangeLog, leases: Leases, database: list[str]) -> None:
        self.words = Words(database)
        self.journal = SharedJournal(log, "the store", nullcontext)
        self.units = SharedUnits(self.journal, self._again, lambda: None, lambda: leases.now)
        self.units.parts = [self.words]
        self.journal.begin()
        self.units.recover()

    def _again(self, kind: str, content: Any) -> Callable[[], object]:
        if kind != "patch":
            raise KeyError(kind)
        return lambda: self._change(content)

    def _change(self, word: str) -> None:
        with self.units.unit():
            self.units.note("patch", f'"{word}"')
            if word not in self.words.memory:
                self.words.memory.append(word)

    def add(self, *words: str, late: bool = False) -> None:
        with self.units.unit(late=late):
            for word in words:
                self._change(word)

    def sees(self) -> list[str]:
        self.units.follow()
        return self.words.memory


class Shop:
    """What they share."""

    def __init__(self, collection: Collection) -> None:
        self.collection = collection
        self.leases = Leases(collection)
        self.database: list[str] = []

    def writer(self, owner: str) -> Writer:
        return Writer(self.leases.unread(owner), self.leases, self.database)

    def entries(self) -> list[int]:
        """The numbers of the entries that the log still has."""
        found: Any = self.collection.get(include=["metadatas"])
        return sorted({each["number"] for each in found["metadatas"]})


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    client = open_client(tmp_path)
    yield Shop(client.get_or_create_collection("kept", embedding_function=None))
    client.close()


def test_each_sees_what_the_others_changed(shop: Shop) -> None:
    one, other = shop.writer("one"), shop.writer("other")
    one.add("a", "b")
    assert other.sees() == ["a", "b"]
    other.add("c")
    assert one.sees() == other.sees() == ["a", "b", "c"]
    # A turn begins with what came before it, without a look.
    one.add("d")
    other.add("e")
    assert other.words.memory == ["a", "b", "c", "d", "e"]
    assert not one.units.is_busy()


def test_a_unit_without_changes_lets_the_next_one_have_its_turn(shop: Shop) -> None:
    one, other = shop.writer("one"), shop.writer("other")
    with one.units.unit():
        assert one.journal.has_turn
        assert other.units.is_busy()
        assert not one.units.is_busy()
    assert not one.journal.has_turn
    assert not other.units.is_busy()
    with one.units.unit(apart=True):
        # What takes long and changes nothing comes before the turn.
        assert not one.journal.has_turn
        one.units.turn()
        assert one.journal.has_turn
        one.add("a")
        assert one.journal.has_turn
    assert not one.journal.has_turn


def test_what_is_late_counts_at_once_and_is_written_out_when_it_is_due(shop: Shop) -> None:
    one, other = shop.writer("one"), shop.writer("other")
    one.add("a", late=True)
    assert (shop.database, other.sees()) == ([], ["a"])
    assert not one.journal.is_clean
    assert not other.journal.is_clean
    # It counts for whoever opens the store next, too.
    assert shop.writer("late").words.commits == 1
    shop.leases.now += LATE + 0.1
    # Whoever has the turn next does it for all.
    other.add("b", late=True)
    assert shop.database == ["a"]
    assert one.words.told == 0
    one.units.follow()
    assert one.words.told == 1
    assert one.sees() == ["a", "b"]
    # From then on it is counted anew, for all of them.
    shop.leases.now += LATE - 0.1
    one.add("c", late=True)
    assert shop.database == ["a"]


def test_what_one_wrote_out_the_others_need_not(shop: Shop) -> None:
    one, other = shop.writer("one"), shop.writer("other")
    one.add("a", late=True)
    one.units.write()
    assert shop.database == ["a"]
    assert one.journal.is_clean
    other.units.follow()
    assert (other.words.told, other.journal.is_clean) == (1, True)
    # It begins with what is written, whatever the log still says.
    assert shop.writer("late").journal.is_clean


def test_while_it_is_kept_still_the_database_has_all_and_nobody_changes_it(shop: Shop) -> None:
    one, other = shop.writer("one"), shop.writer("other")
    one.add("a", late=True)
    with other.units.still():
        assert shop.database == ["a"]
        assert one.units.is_busy()
    assert not one.units.is_busy()


def test_on_closing_all_is_written_out_unless_another_one_will(shop: Shop) -> None:
    one, other = shop.writer("one"), shop.writer("other")
    one.add("a", late=True)
    one.units.close()
    assert shop.database == ["a"]
    one.add("b", late=True)
    with other.units.unit(late=True):
        one.units.close()
        assert shop.database == ["a"]


def test_an_error_on_purpose_keeps_what_came_before_and_any_other_end_nothing(shop: Shop) -> None:
    one, other = shop.writer("one"), shop.writer("other")

    def change(word: str, error: BaseException) -> None:
        with one.units.unit():
            one.add(word)
            raise error

    with pytest.raises(InputError):
        change("a", InputError("no"))
    assert other.sees() == ["a"]
    with pytest.raises(KeyboardInterrupt):
        change("b", KeyboardInterrupt())
    assert one.words.memory == ["a"]
    # Nobody has to wait for whom an interruption took out of its turn.
    other.add("c")
    assert one.sees() == other.sees() == ["a", "c"]
    assert shop.leases.pauses == []


def test_what_cannot_be_read_is_told_and_nothing_is_changed_from_then_on(shop: Shop) -> None:
    one, odd = shop.writer("one"), shop.leases.log("odd")
    odd.take_turn()
    odd.end_turn('[{"odd": 1}]', is_written=False)
    with pytest.raises(StoreError, match=r"^Change 1 of the store is damaged; restore the store"):
        one.units.follow()
    for change in (one.units.follow, lambda: one.add("a"), one.units.turn):
        with pytest.raises(StoreError, match="was interrupted; open it again to go on"):
            change()


@pytest.mark.parametrize("text", ["[3]", "{", "3", '["patch"]'])
def test_an_entry_that_is_no_list_of_changes_is_damaged(shop: Shop, text: str) -> None:
    one, odd = shop.writer("one"), shop.leases.log("odd")
    odd.take_turn()
    odd.end_turn(text, is_written=False)
    with pytest.raises(StoreError, match="Change 1 of the store is damaged"):
        one.units.follow()


def test_whoever_is_far_behind_starts_over_from_the_database(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(change_log, "KEPT_ENTRIES", 1)
    one, other = shop.writer("one"), shop.writer("other")
    for word in "abcd":
        one.add(word)
    assert other.sees() == one.words.memory == list("abcd")
    assert not other.journal.is_behind
    other.add("e")
    assert one.sees() == list("abcde")


def test_what_is_rescued_is_in_the_log(shop: Shop) -> None:
    one, other = shop.writer("one"), shop.writer("other")
    one.add("a", late=True)
    assert one.units.rescue()
    with one.units.unit():
        one.units.note("patch", '"b"')
        shop.leases.lost.add("one")
        assert not one.units.rescue()
        shop.leases.lost.remove("one")
    assert other.sees() == ["a", "b"]


def test_what_was_noted_and_given_up_never_was(shop: Shop) -> None:
    one, other = shop.writer("one"), shop.writer("other")
    one.units.turn()
    one.journal.note("patch", '"a"')
    one.journal.reset()
    one.journal.give_up_turn()
    assert not one.journal.has_noted
    assert not one.journal.has_turn
    one.add("b", late=True)
    assert other.sees() == ["b"]
    assert other.words.told == 0


def test_the_log_loses_only_what_the_database_has(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(change_log, "KEPT_ENTRIES", 1)
    one, other = shop.writer("one"), shop.writer("other")
    for word in "abcd":
        one.add(word, late=True)
    assert shop.entries() == [0, 1, 2, 3, 4]
    one.units.write()
    assert shop.entries() == [4, 5]
    for word in "ef":
        one.add(word, late=True)
    assert shop.entries() == [4, 5, 6, 7]
    assert other.sees() == list("abcd") + list("ef")
    # It was written out once, and nobody is told of more.
    late = shop.writer("late")
    one.add("g", late=True)
    assert late.sees() == list("abcdefg")
    assert late.words.told == 0


@contextmanager
def failing(
    writer: Writer,
    monkeypatch: pytest.MonkeyPatch,
    *names: str,
    error: BaseException = NO_ANSWER,
) -> Iterator[pytest.MonkeyPatch]:
    """Have the server fail at these calls of a writer's log."""

    def fail(*_: Any, **__: Any) -> None:
        raise error

    with monkeypatch.context() as down:
        for name in names:
            down.setattr(writer.journal._log, name, fail)
        yield down


def test_what_a_run_could_not_commit_waits_for_its_rescue_and_nothing_else_is_changed(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = shop.writer("one"), shop.writer("other")
    with (
        failing(one, monkeypatch, "end_turn"),
        pytest.raises(StoreError, match="no answer"),
    ):
        one.add("a", late=True)
    assert one.units.failed
    with pytest.raises(StoreError, match="open it again"):
        one.add("b")
    assert one.units.rescue()
    assert not one.units.failed
    assert other.sees() == ["a"]
    # From then on all is as before, with nothing counted twice.
    other.add("c")
    one.add("d")
    assert one.sees() == other.sees() == ["a", "c", "d"]


def test_where_the_rescue_fails_the_others_go_on_once_the_lease_has_ended(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = shop.writer("one"), shop.writer("other")
    with failing(one, monkeypatch, "end_turn"):
        with pytest.raises(StoreError, match="no answer"):
            one.add("a", late=True)
        assert not one.units.rescue()
    assert "one" not in shop.leases.live
    other.add("b")
    assert other.sees() == ["b"]
    with pytest.raises(StoreError):
        one.add("c")


@pytest.mark.parametrize("error", [NO_ANSWER, KeyboardInterrupt("no answer")])
@pytest.mark.parametrize("call", ["end_turn", "take_turn", "news"])
def test_a_unit_that_fails_or_is_interrupted_at_the_server_is_undone_and_keeps_no_turn(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, call: str, error: BaseException
) -> None:
    one, other = shop.writer("one"), shop.writer("other")
    one.add("a")
    log = one.journal._log
    with failing(one, monkeypatch, call, error=error) as down:
        # Once, so that what follows reaches the server again.
        give_up = log.give_up

        def up_again() -> None:
            down.undo()
            give_up()

        down.setattr(log, "give_up", up_again)
        with pytest.raises(type(error), match="no answer"):
            one.add("b")
    assert one.words.memory == ["a"]
    other.add("c")
    assert not one.units.failed
    one.add("d")
    assert one.sees() == other.sees() == ["a", "c", "d"]


def test_who_cannot_give_up_its_turn_lets_the_lease_end(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = shop.writer("one"), shop.writer("other")
    with (
        failing(one, monkeypatch, "end_turn", "give_up"),
        pytest.raises(StoreError, match="no answer"),
    ):
        one.add("a")
    assert one.units.failed
    assert "one" not in shop.leases.live
    other.add("b")
    assert other.sees() == ["b"]


def test_what_counted_although_the_old_could_not_be_deleted_is_not_committed_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = shop.writer("one"), shop.writer("other")
    with failing(one, monkeypatch, "delete_old"):
        one.add("a")
    assert not one.journal.has_noted
    other.add("b")
    one.add("c")
    assert one.sees() == other.sees() == ["a", "b", "c"]
