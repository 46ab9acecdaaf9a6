"""The journal of a store: whole lines count, and only what may not be in the database is read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from patchlab_agent.errors import StoreError
from patchlab_agent.models.base import JsonObject
from patchlab_agent.store.folder import Folder
from patchlab_agent.store.journal import JOURNAL, Journal, is_left_over
from patchlab_agent.store.notes import Change

pytestmark = pytest.mark.quick

RUN: JsonObject = {"run": "run-0001"}


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal(Folder(tmp_path))
    yield opened
    opened.close()


def reread(folder: Path) -> Journal:
    """The journal as whoever opens the store next reads it, with nothing of its own."""
    found = Journal(Folder(folder))
    found.read()
    return found


def lines(folder: Path) -> list[str]:
    return (folder / JOURNAL).read_text("utf-8").splitlines()


def test_what_is_noted_counts_once_it_is_committed_and_then_is_read_once(
    journal: Journal, tmp_path: Path
) -> None:
    journal.note("patch", '"a"')
    assert journal.has_noted
    assert journal.is_clean
    assert Journal(Folder(tmp_path)).read() == []
    journal.commit()
    assert not journal.has_noted
    assert not journal.is_clean
    journal.note("trace", '"b"')
    journal.note("example", '"c"')
    journal.commit()
    assert Journal(Folder(tmp_path)).read() == [
        Change("patch", "a", 1),
        Change("trace", "b", 2),
        Change("example", "c", 2),
    ]
    assert not reread(tmp_path).is_clean


def test_what_is_forgotten_was_never_noted(journal: Journal, tmp_path: Path) -> None:
    journal.note("patch", '"a"')
    journal.forget()
    journal.commit()
    assert not (tmp_path / JOURNAL).exists()
    assert journal.is_clean


def test_where_the_run_is_counts_without_changes_too(journal: Journal, tmp_path: Path) -> None:
    journal.commit(RUN)
    assert lines(tmp_path) == ['{"changes":[],"run":{"run": "run-0001"}}']
    # The database lacks nothing.
    assert journal.is_clean
    found = reread(tmp_path)
    assert (found.run, found.is_clean) == (RUN, True)
    # Nothing was noted, and the run went no further.
    journal.commit()
    assert len(lines(tmp_path)) == 1


def test_a_change_by_somebody_else_touches_a_run_if_it_could_change_an_answer(
    journal: Journal, tmp_path: Path
) -> None:
    journal.commit(RUN)
    journal.close()
    # Whoever comes next knows of the run by reading.
    journal = reread(tmp_path)
    journal.note("trace", '"a"', touches=False)
    journal.commit()
    assert reread(tmp_path).run == RUN
    # The run's own changes do not, nor does what they leave behind.
    journal.note("patch", '"b"')
    journal.commit(RUN)
    journal.note("trace", '"c"', touches=False)
    journal.commit()
    assert reread(tmp_path).run == RUN
    journal.note("patch", '"d"')
    journal.note("trace", '"e"', touches=False)
    journal.commit()
    assert reread(tmp_path).run == {**RUN, "touched": True}
    journal.close()


def test_the_disk_is_asked_to_keep_all_lines(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[int] = []
    monkeypatch.setattr(os, "fsync", kept.append)
    journal.sync()
    assert kept == []
    journal.note("patch", '"a"')
    journal.commit(RUN)
    journal.sync()
    assert len(kept) == 1
    # What is kept after that is in the database, too, so the disk is not waited for again.
    journal.reset()
    assert len(kept) == 1


def test_without_a_run_there_is_none_to_touch(journal: Journal, tmp_path: Path) -> None:
    journal.note("patch", '"a"')
    journal.commit()
    assert reread(tmp_path).run is None


def test_once_the_database_has_all_only_where_the_run_is_stays(
    journal: Journal, tmp_path: Path
) -> None:
    journal.note("patch", '"a"')
    journal.commit(RUN)
    journal.reset()
    assert journal.is_clean
    assert Journal(Folder(tmp_path)).read() == []
    assert reread(tmp_path).run == RUN
    journal.note("patch", '"b"')
    journal.commit(RUN)
    assert Journal(Folder(tmp_path)).read() == [Change("patch", "b", 2)]


def test_without_a_run_nothing_stays(journal: Journal, tmp_path: Path) -> None:
    journal.reset()
    journal.note("patch", '"a"')
    journal.commit()
    journal.reset()
    assert not (tmp_path / JOURNAL).exists()
    assert journal.is_clean


def test_what_is_read_replaces_where_the_run_was(journal: Journal, tmp_path: Path) -> None:
    journal.commit(RUN)
    (tmp_path / JOURNAL).unlink()
    assert journal.read() == []
    assert journal.run is None


@pytest.mark.parametrize(
    "line",
    [
        "nonsense",
        "[" * 100_000,
        "[]",
        '{"changes":[]}',
        '{"changes":[],"run":null,"more":1}',
        '{"changes":{},"run":null}',
        '{"changes":["a"],"run":null}',
        '{"changes":[],"run":"run-0001"}',
    ],
)
def test_a_line_that_is_none_of_its_own_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / JOURNAL).write_text(f'{{"changes":[],"run":null}}\n{line}\n', "utf-8")
    with pytest.raises(StoreError) as told:
        Journal(Folder(tmp_path)).read()
    assert str(told.value) == (
        f"{tmp_path / JOURNAL}, line 2, is damaged; restore the store from a backup, or delete "
        "that file to do without what it holds, and run `patchlab-agent store repair`."
    )


def test_a_journal_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    (tmp_path / JOURNAL).mkdir()
    with pytest.raises(StoreError, match=r"cannot be read \(Is a directory\); check its perm"):
        Journal(Folder(tmp_path)).read()


def test_what_a_killed_process_left_over_is_told_unless_somebody_is_at_work(
    journal: Journal, tmp_path: Path
) -> None:
    assert not is_left_over(Folder(tmp_path))
    journal.commit(RUN)
    assert not is_left_over(Folder(tmp_path))
    journal.note("patch", '"a"')
    journal.commit(RUN)
    assert is_left_over(Folder(tmp_path))
    (tmp_path / JOURNAL).write_text("nonsense\n", "utf-8")
    assert not is_left_over(Folder(tmp_path))
