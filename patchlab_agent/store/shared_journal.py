"""The journal of a store that several processes write to: what all of them decide, in one order."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from typing import NamedTuple

from patchlab_agent.errors import StoreError
from patchlab_agent.models.base import JsonObject
from patchlab_agent.store.change_log import ChangeLog, Entry, unpacked
from patchlab_agent.store.notes import Change, Notes


class Unit(NamedTuple):
    """What one unit of work changed, whoever's it was.

    Attributes:
        changes: in their order.
        is_written: the database holds all units before this one.
    """

    changes: tuple[Change, ...]
    is_written: bool


class SharedJournal(Notes):
    """The journal of one writer among several.

    What is committed becomes the next entry of the log that all of them read. It can be committed
    in this writer's turn alone, which ends with it.

    Args:
        log: of the store.
        name: of the store, for messages.
        told: tells what goes wrong with the server as the store's fault.
    """

    def __init__(
        self, log: ChangeLog, name: str, told: Callable[[], AbstractContextManager[None]]
    ) -> None:
        super().__init__()
        self._log = log
        self._name = name
        self._told = told
        self._is_written = False

    @property
    def has_turn(self) -> bool:
        """True if this writer has the store to itself."""
        return self._log.has_turn

    @property
    def is_behind(self) -> bool:
        """True if what was changed meanwhile can no longer be read here, but in the database."""
        return self._log.is_behind

    @property
    def another_has_turn(self) -> bool:
        """True if another writer had the turn at the last look, dead or alive."""
        return self._log.another_has_turn

    @property
    def is_free(self) -> bool:
        """True if no writer that lives had the turn at the last look."""
        with self._told():
            return self._log.is_free

    def news(self) -> Iterator[Unit]:
        """Yield the units that others committed since the last look."""
        with self._told():
            entries = self._log.news()
        return self._units(entries)

    def take_turn(self) -> Iterator[Unit]:
        """Take the turn, and yield the units that others committed before it."""
        with self._told():
            entries = self._log.take_turn()
        return self._units(entries)

    def forsake(self) -> None:
        """Let the others go on, though they cannot be told: the lease ends by itself."""
        self._log.forsake()

    def give_up_turn(self) -> None:
        """Leave the queue for the turn, or end it without a change."""
        self.forget()
        self._is_written = False
        with self._told():
            self._log.give_up()

    def commit(self, run: JsonObject | None = None) -> None:  # noqa: ARG002 - no run is resumed
        """Add what was noted to the log, and end the turn; nothing was noted out of turn."""
        text = f"[{','.join(self._noted)}]" if self._noted else ""
        with self._told():
            self._log.end_turn(text, is_written=self._is_written)
        # It counts, whatever fails after it.
        is_old, self._is_written = self._is_written, False
        self.is_clean = self.is_clean and not self._noted
        self.forget()
        if is_old:
            with suppress(StoreError), self._told():
                self._log.delete_old()

    def sync(self) -> None:
        """Do nothing, as the server keeps all of it."""

    def reset(self) -> None:
        """Tell the others, at the end of the turn, that the database holds all until its start."""
        self._is_written = True
        self.is_clean = True

    def begin(self) -> None:
        """Go back to the first unit that the collections may lack, before they are read."""
        with self._told():
            self._log.begin()

    def read(self) -> list[Change]:
        """Return the changes that were committed and may not all be in the database."""
        changes = [change for unit in self.news() for change in unit.changes]
        self.is_clean = not changes
        return changes

    def damaged(self, line: int) -> StoreError:
        """Return the error that says that an entry cannot be read."""
        return StoreError(
            f"Change {line} of {self._name} is damaged; restore the store from a backup."
        )

    def close(self) -> None:
        """Do nothing, as there is nothing to let go of."""

    def _units(self, entries: list[Entry]) -> Iterator[Unit]:
        for entry in entries:
            try:
                held = json.loads(unpacked(entry.packed)) if entry.packed else []
                changes = tuple(
                    Change(kind, content, entry.number)
                    for each in held
                    for kind, content in each.items()
                )
            except (ValueError, TypeError, AttributeError, RecursionError) as error:
                raise self.damaged(entry.number) from error
            yield Unit(changes, entry.is_written)
