"""All writing to a store's collections, which ends at the first failure.

After a write that failed Chroma waits a quarter of an hour for a transaction of its own, so nothing
is written after that.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from patchlab_agent.errors import StoreError
from patchlab_agent.memory import give_back
from patchlab_agent.store.place import Place
from patchlab_agent.store.room import is_chromas

MOST_UNTIDIED = 200
"""Records to write between two times that freed memory is given back."""


class Writes:
    """The writes to the database of one store.

    Args:
        place: where the store is.

    Attributes:
        is_last: what comes now is the last to be written, and may use up the room kept for it.
    """

    def __init__(self, place: Place) -> None:
        self.is_last = False
        self._place = place
        self._failure: str | None = None
        self._untidied = 0

    def require_room(self) -> None:
        """Make sure that a write may begin.

        Raises:
            StoreError: there is no room for it, or an earlier one failed.
        """
        if self._failure is not None:
            raise StoreError(self._failure)
        if not self.is_last:
            self._place.require_room()

    @contextmanager
    def one(self, records: int = 0) -> Iterator[None]:
        """Make one write, of so many new records.

        Raises:
            StoreError: there is no room for it, it failed, or an earlier one did.
        """
        self.require_room()
        try:
            yield
        except BaseException as error:
            if not is_chromas(error):
                raise
            refused = self._place.refused("write to", error)
            self._failure = str(refused)
            raise refused from error
        self._untidied += records
        if self._untidied >= MOST_UNTIDIED:
            self._untidied = 0
            give_back()
