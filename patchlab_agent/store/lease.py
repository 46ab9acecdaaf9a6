"""The lock of a store on a server: a lease, which whoever writes renews.

A lease is a record with a number. Nobody can make a record under a number that is taken, as
Chroma's `add` changes nothing there. So of two that want the next number one gets it, and both see
who. A lease is of one process alone, or of several that share the store; whoever finds another
lease that excludes its own withdraws. Time is the server's, so that no clock has to be right.
"""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from chromadb.api.models.Collection import Collection

from patchlab_agent.errors import StoreError
from patchlab_agent.store.info import Writer, this_process
from patchlab_agent.store.room import is_chromas
from patchlab_agent.store.server_files import VECTOR

TERM = 30.0
"""Seconds that a lease lasts from when it was renewed last."""
RENEWALS = 3
"""How often it is renewed within a term."""
_FILE = ".lease"


class _Record(NamedTuple):
    number: int
    owner: str
    until: float
    writer: Writer
    machine: str
    shared: bool


class Lease:
    """The lease of one store.

    Args:
        collection: holds the leases' records.
        name: of the store, for messages.
        now: the server's time in seconds.
        owner: tells this lease from all others.
        shared: it excludes none but those that are not.
    """

    def __init__(
        self,
        collection: Collection,
        name: str,
        now: Callable[[], float],
        owner: str | None = None,
        *,
        shared: bool = False,
    ) -> None:
        self.owner = owner or uuid.uuid4().hex
        self._collection = collection
        self._name = name
        self._now = now
        self._shared = shared
        self._number = 0
        self._renewed_at = 0.0
        self._lost = False
        self._ended = threading.Event()
        self._renewing = threading.Lock()
        self._thread: threading.Thread | None = None

    def take(self) -> None:
        """Become a writer.

        Raises:
            StoreError: another process is, and does not share the store, or this one does not.
        """
        known = self._records()
        self._refuse(known)
        self._renewed_at = _now()
        while True:
            self._number = 1 + max((record.number for record in known), default=0)
            self._collection.add(
                ids=[_id(self._number)], embeddings=[VECTOR], metadatas=[self._metadata()]
            )
            # Somebody may have been quicker.
            known = self._records()
            if any(record.owner == self.owner for record in known):
                break
            self._refuse(known)
        try:
            self._refuse(known)
        except StoreError:
            self.release()
            raise
        dead = [r.number for r in known if r.number < self._number and not self._is_live(r)]
        if dead:
            self._collection.delete(ids=[_id(number) for number in dead])
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)
        self._thread.start()

    def is_taken(self) -> bool:
        """Return True if somebody is a writer."""
        return bool(self.live_owners())

    def live_owners(self) -> frozenset[str]:
        """Return the owners of all leases that have not ended."""
        return frozenset(record.owner for record in self._records() if self._is_live(record))

    def require(self) -> None:
        """Make sure that this is still a writer.

        Raises:
            StoreError: another process may have taken over, as this one was not heard of for a
                term.
        """
        if not self._lost and _now() - self._renewed_at > TERM * (1 - 1 / RENEWALS):
            self._renew()
        if self._lost:
            raise self.lost()

    def lost(self) -> StoreError:
        """Return the error that says that others may have gone on without this one."""
        how = "" if self._shared else "go on with `run --resume`, or "
        return StoreError(
            f"{self._name} was not reached for {TERM:g} seconds, and another patchlab-agent "
            f"may write to it by now; {how}repeat the command."
        )

    def forsake(self) -> None:
        """Write nothing any more, and let the lease end by itself."""
        self._lost = True
        self._ended.set()

    def release(self) -> None:
        """Let go of the lease."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if not self._number or self._lost:
            return
        try:
            # Its number stays taken, so that nobody who looked earlier gets it.
            self._collection.update(ids=[_id(self._number)], metadatas=[{"until": 0.0}])
        except Exception as error:
            # Where the server is gone, the lease ends by itself.
            if not is_chromas(error):
                raise

    def _keep(self) -> None:
        while not self._ended.wait(TERM / RENEWALS):
            # What cannot be reached now is tried again, and asked for before the next write.
            with suppress(Exception):
                self._renew()

    def _renew(self) -> None:
        with self._renewing:
            began = _now()
            try:
                self._lost = self._lost or self._is_over()
                if not self._lost:
                    until = self._now() + TERM
                    self._collection.update(ids=[_id(self._number)], metadatas=[{"until": until}])
                    self._renewed_at = began
            except Exception as error:
                if not is_chromas(error):
                    raise
                self._lost = self._lost or began - self._renewed_at > TERM

    def _is_over(self) -> bool:
        """Return True if others may have gone on without this one."""
        records = self._records()
        own = next((record for record in records if record.owner == self.owner), None)
        # Of those that share a store, the others do not wait for one whose lease has ended.
        if own is None or (self._shared and not self._is_live(own)):
            return True
        return any(self._excludes(record) for record in records)

    def _records(self) -> list[_Record]:
        found: Any = self._collection.get(where={"file": _FILE}, include=["metadatas"])
        return [
            _Record(
                each["lease"],
                each["owner"],
                each["until"],
                Writer.model_validate_json(each["writer"]),
                each["machine"],
                each.get("shared", False),
            )
            for each in found["metadatas"] or ()
        ]

    def _excludes(self, record: _Record) -> bool:
        """Return True if another lease and this one cannot be at the same time."""
        is_apart = not (self._shared and record.shared)
        return is_apart and record.owner != self.owner and self._is_live(record)

    def _refuse(self, records: Sequence[_Record]) -> None:
        for record in records:
            if self._excludes(record):
                raise self._in_use(record)

    def _metadata(self) -> dict[str, str | int | float]:
        return {
            "file": _FILE,
            "lease": self._number,
            "owner": self.owner,
            "shared": self._shared,
            "until": self._now() + TERM,
            "writer": this_process().model_dump_json(),
            "machine": _machine(),
        }

    def _is_live(self, record: _Record) -> bool:
        if record.until <= self._now():
            return False
        # A process of this machine that is gone does not come back.
        is_here = record.machine == _machine() != ""
        return not (is_here and _is_gone(record.writer.pid))

    def _in_use(self, other: _Record) -> StoreError:
        left = max(1, round(other.until - self._now()))
        return StoreError(
            f"{self._name} is in use by another patchlab-agent{other.writer}; wait for it (if it "
            f"was killed, {left} seconds) or use another --store."
        )


def _now() -> float:
    """Return seconds that go on while the machine is suspended, where it has such a clock."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


def _id(number: int) -> str:
    return f"{_FILE}@{number:08d}"


def _machine() -> str:
    """Return what the processes that this one can see have in common; empty if nobody can tell."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False
