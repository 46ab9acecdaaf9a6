"""Writers of one shared store in one process, with leases and a time that a test sets."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from chromadb.api.models.Collection import Collection

from patchlab_agent.errors import StoreError
from patchlab_agent.store.change_log import ChangeLog
from patchlab_agent.store.lease import Lease


class Leases:
    """The leases of all writers, and the time, which goes on while somebody waits."""

    def __init__(self, collection: Collection) -> None:
        self.live: set[str] = set()
        self.lost: set[str] = set()
        self.now = 0.0
        self.pauses: list[float] = []
        self.meanwhile: list[Callable[[], object]] = []
        self._collection = collection

    def log(self, owner: str) -> ChangeLog:
        """The log as a new writer sees it, who has looked at it."""
        made = self.unread(owner)
        made.begin()
        made.news()
        return made

    def unread(self, owner: str) -> ChangeLog:
        """The log as a new writer has it at first."""
        self.live.add(owner)
        lease = cast("Lease", _Lease(owner, self))
        return ChangeLog(self._collection, lease, clock=lambda: self.now, sleep=self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += max(seconds, 0.1)
        assert self.now < 60
        if self.meanwhile:
            self.meanwhile.pop(0)()


class _Lease:
    def __init__(self, owner: str, leases: Leases) -> None:
        self.owner = owner
        self._leases = leases

    def live_owners(self) -> frozenset[str]:
        return frozenset(self._leases.live)

    def require(self) -> None:
        if self.owner in self._leases.lost:
            raise self.lost()

    def lost(self) -> StoreError:
        return StoreError("too late")

    def forsake(self) -> None:
        self._leases.lost.add(self.owner)
        self._leases.live.discard(self.owner)
