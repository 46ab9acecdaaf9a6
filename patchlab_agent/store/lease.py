"""The lock of a store on a server: a lease, which whoever writes renews.

A lease is a record with a number; the one with the highest number counts. Nobody can make a record
under a number that is taken, as Chroma's `add` changes nothing there. So of two that want the next
number one gets it, and both see who. Time is the server's, so that no clock has to be right.
"""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections.abc import Callable
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


class Lease:
    """The lease of one store.

    Args:
        collection: holds the leases' records.
        name: of the store, for messages.
        now: the server's time in seconds.
        owner: tells this lease from all others.
    """

    def __init__(
        self,
        collection: Collection,
        name: str,
        now: Callable[[], float],
        owner: str | None = None,
    ) -> None:
        self._collection = collection
        self._name = name
        self._now = now
        self._owner = owner or uuid.uuid4().hex
        self._number = 0
        self._renewed_at = 0.0
        self._lost = False
        self._ended = threading.Event()
        self._renewing = threading.Lock()
        self._thread: threading.Thread | None = None

    def take(self) -> None:
        """Become the writer.

        Raises:
            StoreError: another process is.
        """
        newest = self._newest()
        if newest is not None and self._is_live(newest):
            raise self._in_use(newest)
        self._number = 1 if newest is None else newest.number + 1
        self._renewed_at = time.monotonic()
        self._collection.add(
            ids=[_id(self._number)], embeddings=[VECTOR], metadatas=[self._metadata()]
        )
        # Somebody may have been quicker, and may be gone by now.
        newest = self._newest()
        if newest is None or newest.owner != self._owner:
            raise self._in_use(newest)
        older: Any = {"$and": [{"file": _FILE}, {"lease": {"$lt": self._number}}]}
        self._collection.delete(where=older)
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)
        self._thread.start()

    def is_taken(self) -> bool:
        """Return True if somebody is the writer."""
        newest = self._newest()
        return newest is not None and self._is_live(newest)

    def require(self) -> None:
        """Make sure that this is still the writer.

        Raises:
            StoreError: another process has taken over, as this one was not heard of for a term.
        """
        if not self._lost and time.monotonic() - self._renewed_at > TERM * (1 - 1 / RENEWALS):
            self._renew()
        if self._lost:
            raise StoreError(
                f"{self._name} was not reached for {TERM:g} seconds, and another patchlab-agent "
                "may write to it by now; go on with `run --resume`, or repeat the command."
            )

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
            began = time.monotonic()
            try:
                newest = self._newest()
                self._lost = newest is None or newest.owner != self._owner
                if not self._lost:
                    until = self._now() + TERM
                    self._collection.update(ids=[_id(self._number)], metadatas=[{"until": until}])
                    self._renewed_at = began
            except Exception as error:
                if not is_chromas(error):
                    raise
                self._lost = self._lost or began - self._renewed_at > TERM

    def _newest(self) -> _Record | None:
        found: Any = self._collection.get(where={"file": _FILE}, include=["metadatas"])
        records = [
            _Record(
                each["lease"],
                each["owner"],
                each["until"],
                Writer.model_validate_json(each["writer"]),
                each["machine"],
            )
            for each in found["metadatas"] or ()
        ]
        return max(records, default=None, key=lambda record: record.number)

    def _metadata(self) -> dict[str, str | int | float]:
        return {
            "file": _FILE,
            "lease": self._number,
            "owner": self._owner,
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

    def _in_use(self, newest: _Record | None) -> StoreError:
        left = 0.0 if newest is None else newest.until - self._now()
        who = "" if newest is None else str(newest.writer)
        return StoreError(
            f"{self._name} is in use by another patchlab-agent{who}; wait for it (if it was "
            f"killed, {max(1, round(left))} seconds) or use another --store."
        )


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
