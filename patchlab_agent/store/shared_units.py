"""Units of work of a store that several processes write to.

A unit that changes something has its turn: it begins with what all others changed before, and
nobody else changes anything until it has ended. So what is decided within it is decided as if this
process were alone. What takes long and changes nothing, such as answering, comes before the turn.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from patchlab_agent.errors import StoreError
from patchlab_agent.models.base import JsonObject
from patchlab_agent.store.shared_journal import SharedJournal, Unit
from patchlab_agent.store.units import Units


class SharedUnits(Units):
    """The units of work of one writer among several.

    What was committed is written to the database by whoever has the turn when it is due; the others
    then forget what they kept of it.

    Args:
        journal: what all writers committed.
        again: as for `Units`.
        require_room: as for `Units`.
        clock: monotonic clock in seconds.
    """

    def __init__(
        self,
        journal: SharedJournal,
        again: Callable[[str, Any], Callable[[], object]],
        require_room: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(journal, again, require_room, clock)
        self._shared = journal

    def follow(self) -> None:
        """Take in what other writers changed."""
        self._require_whole()
        with self._discarding():
            self._take_in(self._shared.news())

    def is_busy(self) -> bool:
        """Take in what other writers changed; return True if one of them has the turn."""
        self.follow()
        return self._shared.another_has_turn

    def turn(self) -> None:
        """Have the store to oneself until the unit ends."""
        self._require_whole()
        with self._discarding():
            while not self._shared.has_turn:
                self._take_in(self._shared.take_turn())
            if (self._is_due or self._is_late) and not self._shared.is_clean:
                self._write_out()

    @contextmanager
    def still(self) -> Iterator[None]:
        """Have the database hold all changes, and nobody make others within."""
        with self.unit(late=True):
            if not self._shared.is_clean:
                self._write_out()
            yield

    def write(self) -> None:
        """Write out all changes that count; within a unit, at the next turn."""
        if self._depth or not self._shared.is_clean:
            self._is_due = True
        if not self._depth and self._is_due:
            with self.unit(late=True):
                pass

    def discard(self) -> None:
        """Forget all changes that do not count, and let the next writer have its turn."""
        self._is_behind = self.failed = True
        self._is_due = False
        try:
            self._shared.give_up_turn()
            # First, as others may write to the collections while they are read.
            self._shared.begin()
            for part in self.parts:
                part.reload()
            self.recover()
        except BaseException:
            self._shared.forsake()
            raise

    def recover(self) -> None:
        """Take in what the database may lack; it is written out when it is due."""
        self._make(self.journal.read())
        self._commit_parts()
        self._is_behind = self.failed = False

    @contextmanager
    def _discarding(self) -> Iterator[None]:
        """Have whatever is raised leave in memory what counts, and no turn to be waited for."""
        try:
            yield
        except BaseException:
            self.discard()
            raise

    def close(self) -> None:
        """Write out what there is, unless another writer has the turn, who does it later."""
        self.follow()
        if self._shared.is_free:
            self.write()

    def rescue(self) -> bool:
        """Have the log hold what there is; return False if it cannot."""
        if not self._shared.has_noted:
            return True
        try:
            self._shared.commit()
        except StoreError:
            self._shared.forsake()
            return False
        self._commit_parts()
        self._is_behind = self.failed = False
        return True

    def _leave(
        self,
        run: Callable[[], JsonObject] | None,  # noqa: ARG002 - no run is resumed
        late: bool,
    ) -> None:
        self._depth -= 1
        if self._depth or self._is_behind or not self._shared.has_turn:
            return
        try:
            self._commit(None)
        except StoreError:
            if not (late and self._shared.has_noted):
                self.discard()
            # Else what a run noted waits for its `rescue`, and nothing is written before that.
            self._is_behind = self.failed = self._shared.has_noted
            raise
        except BaseException:
            self.discard()
            raise
        if not late:
            self.write()

    def _take_in(self, units: Iterable[Unit]) -> None:
        # Until all of it is taken in, there is a hole in what this process knows.
        self._is_behind = True
        for unit in units:
            if unit.is_written:
                for part in self.parts:
                    part.written_out()
                self._is_due, self._shared.is_clean = False, True
                self._written_at = self._clock()
            if unit.changes:
                self._make(unit.changes)
                self._commit_parts()
                self._shared.is_clean = False
        self._is_behind = False
        if self._shared.is_behind:
            self.discard()

    def _commit_parts(self) -> None:
        for part in self.parts:
            part.committed()
