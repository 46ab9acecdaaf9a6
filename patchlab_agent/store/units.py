"""Units of work: what is changed in a store together, so that all of it counts or none."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Protocol

from patchlab_agent.errors import PatchLabError, StoreError
from patchlab_agent.models.base import JsonObject
from patchlab_agent.store.notes import Change, Kind, Notes

LATE = 2.0
"""Seconds after which what was committed is written out, so that readers see a slow run go on."""


class Part(Protocol):
    """A part of a store, which keeps its changes in memory until they are written out."""

    def committed(self) -> None:
        """Take note that all changes until now count."""
        ...

    def write_out(self) -> None:
        """Write all changes to the database."""
        ...

    def written_out(self) -> None:
        """Take note that the database holds all changes until now, whoever wrote them."""
        ...

    def reload(self) -> None:
        """Forget all changes that are not written out, and whatever was derived from them."""
        ...


class Units:
    """The units of work of one store.

    A change outside any unit is a unit of its own and written out at once.

    Args:
        journal: keeps what is committed and not written out; None: the store is open for reading.
        again: returns what makes a change once more, by its kind and the record; raises a
            `KeyError`, `TypeError` or `ValueError` where it cannot be read.
        require_room: makes sure, before a change counts, that the disk has room for it.
        clock: monotonic clock in seconds.

    Attributes:
        parts: the parts of the store, in the order in which they are written out.
        failed: the database or the memory lacks what the journal holds, as writing out failed or
            was interrupted.
    """

    def __init__(
        self,
        journal: Notes | None,
        again: Callable[[str, Any], Callable[[], object]],
        require_room: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.parts: Sequence[Part] = ()
        self._journal = journal
        self._again = again
        self._require_room = require_room
        self._clock = clock
        self._written_at = clock()
        self._depth = 0
        self._is_due = False
        self._is_replaying = False
        self._is_behind = False
        self.failed = False

    @property
    def journal(self) -> Notes:
        """The journal.

        Raises:
            StoreError: the store is open for reading only.
        """
        if self._journal is None:
            raise StoreError("The store is open for reading only; open it for writing.")
        return self._journal

    def note(self, kind: Kind, text: str, *, touches: bool = True) -> None:
        """Note a change, as `Journal.note` does."""
        if not self._is_replaying:
            self.journal.note(kind, text, touches=touches)

    @contextmanager
    def unit(
        self,
        run: Callable[[], JsonObject] | None = None,
        *,
        late: bool = False,
        apart: bool = False,
    ) -> Iterator[None]:
        """Have all changes within count together.

        After an error that was raised on purpose, what was changed before it counts. After
        anything else, such as Ctrl-C, nothing does that is not in the journal yet, and the store is
        as it was before the unit.

        Args:
            run: tells at the end of the unit where the run in progress is.
            late: write it out with others, as it is one of many; as it is in a run.
            apart: nothing is changed until `turn` is called.

        Raises:
            StoreError: the changes cannot be written down.
        """
        self._depth += 1
        try:
            if self._depth == 1:
                self.follow()
                if not apart:
                    self.turn()
            yield
        except PatchLabError:
            self._leave(run, late or apart)
            raise
        except BaseException:
            self._depth -= 1
            if not self._depth:
                self.discard()
            raise
        self._leave(run, late or apart)

    def follow(self) -> None:
        """Take in what other writers changed; there are none."""

    def is_busy(self) -> bool:
        """Return True if another writer has the turn; there are none."""
        return False

    def turn(self) -> None:
        """Have the store to oneself until the unit ends, as its only writer always has."""

    @contextmanager
    def still(self) -> Iterator[None]:
        """Have the database hold all changes, and nobody make others within."""
        self.write()
        yield

    def write(self) -> None:
        """Commit all changes and write them out; within a unit, once it has ended.

        Raises:
            StoreError: they cannot be written.
        """
        if self._journal is None:
            return  # a reader has nothing to write
        if self._depth:
            self._is_due = True
            return
        with self._discarding():
            self._write()

    @contextmanager
    def _discarding(self) -> Iterator[None]:
        """Have an interruption leave in memory what the journal and the database hold."""
        try:
            yield
        except PatchLabError:
            raise
        except BaseException:
            self.discard()
            raise

    def discard(self) -> None:
        """Forget all changes that do not count, so that the store is as it was before them."""
        # A second interruption could leave in memory less than what counts.
        self._is_behind = self.failed = True
        self.journal.forget()
        self._is_due = False
        for part in self.parts:
            part.reload()
        self.recover()

    def recover(self) -> None:
        """Write out what the journal holds."""
        self._make(self.journal.read())
        self._is_due = self._is_behind = self.failed = False
        if not self.journal.is_clean:
            self._write_out()

    def _make(self, changes: Iterable[Change]) -> None:
        """Make changes that count once more."""
        self._is_replaying = True
        self._depth += 1
        try:
            for kind, content, line in changes:
                try:
                    again = self._again(kind, content)
                except (ValueError, KeyError, TypeError) as error:
                    raise self.journal.damaged(line) from error
                again()
        finally:
            self._depth -= 1
            self._is_replaying = False

    def close(self) -> None:
        """Write out what there is, before the store is closed."""
        self.write()

    def rescue(self) -> bool:
        """Write out what there is, or have the journal hold it; return False if it has no room."""
        try:
            self._commit(None)
        except StoreError:
            return False
        if not self.journal.is_clean:
            with suppress(StoreError):
                self._write_out()
        return True

    def _leave(self, run: Callable[[], JsonObject] | None, late: bool) -> None:
        self._depth -= 1
        if self._depth:
            return
        if run is None and self.journal.has_noted:
            try:
                self._require_room()
            except StoreError:
                self.discard()
                raise
        with self._discarding():
            self._commit(None if run is None else run())
            is_alone = run is None and not late
            if self._is_due or is_alone or self._is_late:
                self._write()

    @property
    def _is_late(self) -> bool:
        return self._clock() - self._written_at > LATE

    def _write(self) -> None:
        self._commit(None)
        if not self.journal.is_clean:
            self._write_out()

    def _commit(self, run: JsonObject | None) -> None:
        self._require_whole()
        self.journal.commit(run)
        for part in self.parts:
            part.committed()

    def _require_whole(self) -> None:
        """Make sure that memory and database have all that counts.

        Raises:
            StoreError: an interruption, or an error, kept something from them.
        """
        if self._is_behind:
            raise StoreError(
                "Taking in what counts in the store was interrupted; open it again to go on."
            )

    def _write_out(self) -> None:
        self._is_due = False
        self.failed = True
        self.journal.sync()
        for part in self.parts:
            part.write_out()
        self.journal.reset()
        self._written_at = self._clock()
        self.failed = False
