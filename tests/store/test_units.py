"""Units of work: what they leave in the journal and in the parts of a store, however they end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from patchlab_agent.errors import InputError, StoreError
from patchlab_agent.models.base import JsonObject
from patchlab_agent.store.folder import Folder
from patchlab_agent.store.journal import Journal
from patchlab_agent.store.units import LATE, Units
from tests.support.parts import Words

pytestmark = pytest.mark.quick


class Bench:
    """Units of work over one part, with a clock and a disk of their own."""

    def __init__(self, folder: Path) -> None:
        self.now = 100.0
        self.is_full = False
        self.words = Words()
        self.journal = Journal(Folder(folder))
        self.units = Units(self.journal, self._again, self._require_room, lambda: self.now)
        self.units.parts = [self.words]

    def _again(self, kind: str, content: Any) -> Callable[[], object]:
        if kind != "patch":
            raise KeyError(kind)
        return lambda: self.add(content)

    def _require_room(self) -> None:
        if self.is_full:
            raise StoreError("full")

    def add(self, word: str) -> None:
        with self.units.unit():
            self.units.note("patch", f'"{word}"')
            self.words.memory.append(word)

    def committed(self) -> list[str]:
        """Words that count and may not be in the database."""
        return [change.content for change in Journal(self.journal._place).read()]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.journal.close()


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Bench]:
    """Another process that opens the same store."""
    made = Bench(tmp_path)
    yield made
    made.journal.close()


def where() -> JsonObject:
    return {"run": "run-0001"}


def test_a_change_outside_any_unit_is_written_out_at_once(bench: Bench) -> None:
    assert not bench.units.failed
    assert not bench.units.is_busy()
    bench.add("a")
    assert bench.words.database == ["a"]
    assert bench.committed() == []
    assert bench.journal.is_clean


def test_the_changes_of_a_unit_count_together_at_its_end(bench: Bench) -> None:
    with bench.units.unit():
        bench.add("a")
        bench.add("b")
        bench.units.write()
        assert (bench.words.database, bench.committed(), bench.words.commits) == ([], [], 0)
    assert bench.words.database == ["a", "b"]


@pytest.mark.parametrize("kind", ["late", "apart", "run"])
def test_one_of_many_counts_and_is_written_out_later(bench: Bench, kind: str) -> None:
    def unit(word: str) -> None:
        told: Any = {"run": where} if kind == "run" else {kind: True}
        with bench.units.unit(**told):
            bench.add(word)

    unit("a")
    assert (bench.words.database, bench.committed()) == ([], ["a"])
    bench.now += LATE
    unit("b")
    assert (bench.words.database, bench.committed()) == ([], ["a", "b"])
    assert bench.words.commits == 2
    # Readers are not left behind for longer than that.
    bench.now += 0.01
    unit("c")
    assert (bench.words.database, bench.committed()) == (["a", "b", "c"], [])
    # From then on it is counted anew.
    bench.now += LATE
    unit("d")
    assert (bench.words.database, bench.committed()) == (["a", "b", "c"], ["d"])


def test_what_was_asked_to_be_written_within_a_unit_is_at_its_end_and_then_no_more(
    bench: Bench,
) -> None:
    with bench.units.unit(late=True):
        bench.add("a")
        bench.units.write()
    assert bench.words.database == ["a"]
    with bench.units.unit(late=True):
        bench.add("b")
    assert bench.words.database == ["a"]
    bench.units.close()
    assert (bench.words.database, bench.committed()) == (["a", "b"], [])


def test_where_a_run_is_counts_at_the_end_of_its_unit(bench: Bench) -> None:
    with bench.units.unit(where):
        bench.add("a")
        assert bench.journal.run is None
    assert bench.journal.run == where()


def test_after_an_error_that_was_raised_on_purpose_what_came_before_it_counts(
    bench: Bench,
) -> None:

    def change() -> None:
        with bench.units.unit():
            bench.add("a")
            raise InputError("the rest cannot be used")

    with pytest.raises(InputError):
        change()
    assert bench.words.database == ["a"]


def test_after_anything_else_nothing_of_the_unit_does(bench: Bench) -> None:
    with bench.units.unit(late=True):
        bench.add("a")

    def change() -> None:
        with bench.units.unit():
            bench.add("b")
            with bench.units.unit():
                bench.add("c")
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        change()
    # What counted before it is made once more, in memory and in the database.
    assert (bench.words.memory, bench.words.database) == (["a"], ["a"])
    assert bench.committed() == []
    bench.add("d")
    assert bench.words.database == ["a", "d"]


@pytest.mark.parametrize("error", [InputError("no"), ValueError("no")])
def test_an_inner_unit_that_fails_and_is_caught_leaves_the_outer_one_whole(
    bench: Bench, error: Exception
) -> None:
    with bench.units.unit():
        bench.add("a")
        with pytest.raises(type(error)), bench.units.unit():
            raise error
        assert bench.committed() == []
        bench.add("b")
    assert bench.words.database == ["a", "b"]


def test_a_change_that_the_disk_has_no_room_for_is_taken_back(bench: Bench) -> None:
    bench.add("a")
    bench.is_full = True
    with pytest.raises(StoreError, match="full"):
        bench.add("b")
    assert (bench.words.memory, bench.committed()) == (["a"], [])
    # What changes nothing needs no room, and a run has asked for it before.
    with bench.units.unit():
        pass
    with bench.units.unit(where):
        bench.add("c")
    assert bench.committed() == ["c"]


def test_the_disk_keeps_the_journal_before_the_database_is_written(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[list[str]] = []
    monkeypatch.setattr(bench.journal, "sync", lambda: found.append(list(bench.words.database)))
    bench.add("a")
    assert (found, bench.words.database) == ([[]], ["a"])


def test_what_could_not_be_written_out_waits_in_the_journal(bench: Bench) -> None:
    bench.words.broken = StoreError("no")
    with pytest.raises(StoreError, match="no"):
        bench.add("a")
    assert bench.units.failed
    assert (bench.words.memory, bench.committed()) == (["a"], ["a"])
    bench.words.broken = None
    bench.units.write()
    assert not bench.units.failed
    assert (bench.words.database, bench.committed()) == (["a"], [])


def test_an_interruption_while_writing_out_leaves_in_memory_what_counts(bench: Bench) -> None:
    bench.words.broken = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        bench.add("a")
    assert bench.units.failed
    # Only the database lacks it.
    assert bench.words.memory == ["a"]
    bench.words.broken = None
    bench.units.write()
    assert bench.words.database == ["a"]


def test_while_memory_may_lack_what_counts_nothing_more_does(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as once_more:
        # The second Ctrl-C, while what the first one left is put in order.
        once_more.setattr(bench.words, "reload", interrupted)
        with pytest.raises(KeyboardInterrupt), bench.units.unit():
            raise KeyboardInterrupt
    with pytest.raises(StoreError, match="was interrupted; open it again to go on"):
        bench.add("a")
    assert (bench.words.database, bench.committed()) == ([], [])


def test_what_is_made_again_is_not_noted_again(bench: Bench, opened: Bench) -> None:
    with bench.units.unit(late=True):
        bench.add("a")
    opened.units.recover()
    assert (opened.words.memory, opened.words.database) == (["a"], ["a"])
    assert opened.committed() == []
    assert not opened.units.failed
    with opened.units.unit(late=True):
        opened.add("b")
    assert opened.committed() == ["b"]
    opened.units.close()
    assert opened.words.database == ["a", "b"]


def test_a_change_that_cannot_be_made_again_names_its_line(bench: Bench, opened: Bench) -> None:
    with bench.units.unit(late=True):
        bench.units.note("trace", '"a"')
    with pytest.raises(StoreError, match=r"line 1, is damaged"):
        opened.units.recover()


def test_what_there_is_is_rescued_in_the_journal_if_nowhere_else(bench: Bench) -> None:
    with bench.units.unit(late=True):
        bench.add("a")
    bench.words.broken = StoreError("no")
    assert bench.units.rescue()
    assert (bench.words.database, bench.committed()) == ([], ["a"])
    bench.words.broken = None
    assert bench.units.rescue()
    assert (bench.words.database, bench.committed()) == (["a"], [])


def test_the_journal_without_room_rescues_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(run: JsonObject | None = None) -> None:
        raise StoreError("full")

    monkeypatch.setattr(bench.journal, "commit", refuse)
    assert not bench.units.rescue()


def test_a_reader_changes_nothing_and_has_nothing_to_write() -> None:
    units = Units(None, lambda kind, content: list, lambda: None)
    units.write()
    units.close()
    with pytest.raises(StoreError, match="open for reading only; open it for writing"):
        units.note("patch", '"a"')


def test_the_database_holds_all_changes_while_it_is_kept_still(bench: Bench) -> None:
    with bench.units.unit(late=True):
        bench.add("a")
    with bench.units.still():
        assert (bench.words.database, bench.committed()) == (["a"], [])
