"""The seam between a store and where it is: a folder, or a database of a Chroma server.

A store has records in collections, and beside them files: marker, journal, reports, prompts,
snapshots. In a folder both are files of a disk; on a server both are records. What a store needs of
either is in these protocols.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from chromadb.api.types import Documents, EmbeddingFunction

from patchlab_agent.errors import StoreError
from patchlab_agent.models.address import Location
from patchlab_agent.store.clients import StoreClient
from patchlab_agent.store.info import StoreInfo
from patchlab_agent.store.opening import Known
from patchlab_agent.store.shared_journal import SharedJournal
from patchlab_agent.store.survey import Survey


class File(Protocol):
    """A file beside the collections; a `Path` is one."""

    @property
    def name(self) -> str:
        """Its name, without the folder."""
        ...

    def read_bytes(self) -> bytes:
        """Return its content.

        Raises:
            OSError: it is missing (`FileNotFoundError`), or cannot be read.
            StoreError: the server that has it failed.
        """
        ...

    def unlink(self, missing_ok: bool = False) -> None:
        """Delete it; raises what `read_bytes` raises."""
        ...


class Log(Protocol):
    """A file that grows line by line."""

    @property
    def size(self) -> int:
        """Bytes of all lines."""
        ...

    def append(self, line: bytes) -> None:
        """Add a line, which outlives the process from now on, or soon.

        Raises:
            OSError: it cannot be written, and nothing of it was.
            StoreError: the server that has it failed.
        """
        ...

    def flush(self) -> None:
        """Have every line outlive the process; raises what `append` raises."""
        ...

    def sync(self) -> None:
        """Have the disk keep all lines, as far as it can."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class Lock(Protocol):
    """The right to write to a store, alone or beside others that share it."""

    def release(self) -> None:
        """Let go of it."""
        ...


class Place(Protocol):
    """Where one store is. Its text is what messages call it."""

    @property
    def location(self) -> Location:
        """The folder or address."""
        ...

    def file(self, name: str) -> File:
        """Return a file by its name within the store, such as `runs/run-0001.json`."""
        ...

    def first_line(self, name: str) -> bytes:
        """Return the first line of a file, without reading all of it.

        Raises:
            OSError: it is missing, or cannot be read.
            StoreError: the server that has it failed.
        """
        ...

    def names(self, folder: str) -> list[str]:
        """Return the names of the files in a folder of the store, without the folder's."""
        ...

    def write(
        self,
        name: str,
        parts: Iterable[str | bytes],
        *,
        until_then: str | None = None,
        sync: bool = True,
    ) -> None:
        """Write a file whole or not at all, as `files.write_whole` does.

        Args:
            name: within the store.
            parts: of its content, in order.
            until_then: its name while it is being written. Files of all runs share one, so that the
                next one overwrites what a killed process left behind.
            sync: have it outlast a power cut.

        Raises:
            StoreError: it cannot be written.
        """
        ...

    def log(self, name: str, *, late: bool = False) -> Log:
        """Open a log to append to.

        Args:
            name: of its file.
            late: lines may be lost that were written within the last half second.
        """
        ...

    def read_info(self) -> StoreInfo | None:
        """Read the store's marker; None if there is no store yet.

        Raises:
            StoreError: there is something else, or a store of another format.
        """
        ...

    def create(self, info: StoreInfo) -> None:
        """Write the marker of a new store, unless somebody else did first.

        Raises:
            StoreError: it cannot be written.
        """
        ...

    def lock(self) -> Lock:
        """Take the lock, and make the place if there is none.

        Raises:
            StoreError: another process has it, or nothing can be written.
        """
        ...

    def share(self) -> tuple[Lock, SharedJournal]:
        """Take a lock beside others that share the store, and make the place if there is none.

        Raises:
            UsageError: nobody can share it.
            StoreError: another process has it to itself, or nothing can be written.
        """
        ...

    def is_left_shared(self) -> bool:
        """Return True if processes that shared the store were killed before all was written."""
        ...

    def is_locked(self) -> bool:
        """Return True if somebody is writing to the store."""
        ...

    def delete(self) -> None:
        """Delete the store, if there is one.

        Raises:
            StoreError: the place is not a store's, is in use, or cannot be deleted.
        """
        ...

    def open(self) -> StoreClient:
        """Open the client of its collections, or return it where it is open."""
        ...

    def close(self) -> None:
        """Close the client."""
        ...

    def check(
        self, info: StoreInfo, function: EmbeddingFunction[Documents], *, write: bool
    ) -> bool:
        """Make sure that the collections are whole, as far as is seen without reading them.

        Returns:
            True if they are still to be made.

        Raises:
            StoreError: something is lost or damaged.
            NothingYet: the store is opened for reading, and nothing was ever written to it.
        """
        ...

    def is_open_here(self) -> bool:
        """Return True if this process has the database open, so that nobody need be waited for."""
        ...

    def read_known(self) -> Known | None:
        """Return what of the records is kept in memory; None: it is to be asked of Chroma."""
        ...

    def survey(self, info: StoreInfo, function: EmbeddingFunction[Documents]) -> Survey:
        """Look through the collections from outside.

        Raises:
            StoreError: they are lost, locked, or cannot be reached.
        """
        ...

    def require_room(self) -> None:
        """Make sure that a write may begin.

        Raises:
            StoreError: there is no room for it, or another process has become the writer.
        """
        ...

    def has_room(self, traces: int) -> bool:
        """Return whether there is room for so many traces that wait to be written."""
        ...

    def refused(self, what: str, error: BaseException) -> StoreError:
        """Return the error for what Chroma could not do: `read the patches of`, `write to`."""
        ...

    def copy_to(self, folder: Path) -> None:
        """Copy the store, as it is now, to a folder that does not exist; raises what copying does.

        The caller has the lock.
        """
        ...

    def replace_by(self, folder: Path) -> None:
        """Put the store in a folder in the place of the one that is here.

        Raises:
            OSError, StoreError: it cannot be put there.
        """
        ...
