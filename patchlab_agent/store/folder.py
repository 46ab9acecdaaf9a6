"""A store in a folder: the place whose files are a disk's, and whose database is embedded."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO, NoReturn

from chromadb.api.types import Documents, EmbeddingFunction

from patchlab_agent.errors import StoreError, UsageError
from patchlab_agent.files import write_whole
from patchlab_agent.store import layout
from patchlab_agent.store.clients import LocalClient, is_open_here, open_client
from patchlab_agent.store.database import (
    DATABASE,
    is_writable,
    pages_are_intact,
    read_database,
)
from patchlab_agent.store.info import MARKER, StoreInfo, info_text
from patchlab_agent.store.integrity import (
    NEEDED,
    check_store,
    is_new,
    problems,
    require_database,
)
from patchlab_agent.store.layout import LOCK_FILES, WriteLock, take_lock, writing
from patchlab_agent.store.opening import Known, read_known
from patchlab_agent.store.room import has_room, no_room_in, require_room
from patchlab_agent.store.survey import Survey


class Folder:
    """The folder of a store, as a `Place`.

    Args:
        path: the folder.
    """

    def __init__(self, path: Path) -> None:
        self.location = path
        self._client: LocalClient | None = None

    def __str__(self) -> str:
        return str(self.location)

    def file(self, name: str) -> Path:
        """Return a file's path."""
        return self.location / name

    def first_line(self, name: str) -> bytes:
        """Return the first line of a file."""
        with (self.location / name).open("rb") as file:
            return file.readline()

    def names(self, folder: str) -> list[str]:
        """Return the names of the files in a folder; none if there is no such folder."""
        return [path.name for path in (self.location / folder).glob("*")]

    def write(
        self,
        name: str,
        parts: Iterable[str | bytes],
        *,
        until_then: str | None = None,
        sync: bool = True,
    ) -> None:
        """Write a file whole or not at all."""
        path = self.location / name
        with writing(self.location):
            path.parent.mkdir(exist_ok=True)
            write_whole(path, parts, until_then=until_then, sync=sync)

    def log(self, name: str, *, late: bool = False) -> FolderLog:  # noqa: ARG002 - the place's
        """Open a log to append to; every line outlives the process at once."""
        path = self.location / name
        with writing(self.location):
            path.parent.mkdir(exist_ok=True)
            return FolderLog(path)

    def read_info(self) -> StoreInfo | None:
        """Read the marker; None if there is no store."""
        return layout.read_info(self.location)

    def create(self, info: StoreInfo) -> None:
        """Write the marker of a new store."""
        self.write(MARKER, [info_text(info)])

    def lock(self) -> WriteLock:
        """Take the write lock, and make the folder if it is missing."""
        return take_lock(self.location)

    def share(self) -> NoReturn:
        """Refuse to, as Chroma's embedded database has one writer."""
        raise UsageError(
            f"{self} is a folder, which one process writes to at a time; several share a store on "
            "a Chroma server: --store http://HOST:PORT/DATABASE."
        )

    def is_left_shared(self) -> bool:
        """Return False, as nobody shares it."""
        return False

    def is_locked(self) -> bool:
        """Return True if somebody is writing to the store."""
        return layout.is_locked(self.location)

    def delete(self) -> None:
        """Delete the folder, if it is a store."""
        layout.delete_store(self.location)

    def open(self) -> LocalClient:
        """Open the embedded client."""
        if self._client is None:
            self._client = open_client(self.location)
        return self._client

    def close(self) -> None:
        """Close the client."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def check(
        self, info: StoreInfo, function: EmbeddingFunction[Documents], *, write: bool
    ) -> bool:
        """Make sure that the database is whole; return True if collections are to be made."""
        return check_store(self.location, info, function, write=write)

    def is_open_here(self) -> bool:
        """Return True if this process has the database open."""
        return is_open_here(self.location)

    def read_known(self) -> Known | None:
        """Read from the database what is kept in memory, unless this process has it open."""
        return None if is_open_here(self.location) else read_known(self.location)

    def survey(self, info: StoreInfo, function: EmbeddingFunction[Documents]) -> Survey:
        """Look through the database without Chroma, which would heal what is wrong."""
        path = self.location
        if is_open_here(path):
            return Survey()
        can_open = is_writable(path)
        held = read_database(path, write=can_open)
        if is_new(path, info, held):
            return Survey(is_new=True)
        require_database(path, info, held)
        return Survey(
            counts={each.name: each.records for each in held if each.name in NEEDED},
            damaged=problems(path, held, function),
            problems=() if pages_are_intact(path) else (f"{DATABASE} is damaged",),
            can_open=can_open,
        )

    def require_room(self) -> None:
        """Make sure that the disk has room for a write."""
        require_room(self.location)

    def has_room(self, traces: int) -> bool:
        """Return whether the disk has room for so many traces."""
        return has_room(self.location, traces)

    def refused(self, what: str, error: BaseException) -> StoreError:
        """Return the error for what Chroma could not do."""
        is_reading = what.startswith("read")
        seen = "what is damaged" if is_reading else "what is wrong"
        return no_room_in(self.location, error) or StoreError(
            f"Chroma cannot {what} {self} ({error}); see {seen} with `patchlab-agent doctor`."
        )

    def copy_to(self, folder: Path) -> None:
        """Copy all but the lock."""
        shutil.copytree(self.location, folder, ignore=shutil.ignore_patterns(*LOCK_FILES))

    def replace_by(self, folder: Path) -> None:
        """Put another folder in its place: all of it, or nothing."""
        path = self.location
        replaced = path.with_name(f"{path.name}.replaced")
        lock = self.lock()
        try:
            shutil.rmtree(replaced, ignore_errors=True)
            path.replace(replaced)
            folder.replace(path)
        finally:
            lock.release()
        shutil.rmtree(replaced, ignore_errors=True)


class FolderLog:
    """A log that is a file.

    Args:
        path: the file; it is made with the first line.

    Attributes:
        size: its bytes.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None
        self.size = path.stat().st_size if path.exists() else 0

    def append(self, line: bytes) -> None:
        """Add a line."""
        if self._file is None:
            self._file = self._path.open("ab", buffering=0)
        left = line
        try:
            while left:
                left = left[self._file.write(left) :]
        except BaseException:
            # What follows half a line would be lost with it.
            self._file.truncate(self.size)
            raise
        self.size += len(line)

    def flush(self) -> None:
        """Do nothing, as each line is written at once."""

    def sync(self) -> None:
        """Have the disk keep all lines; one that cannot is told of by the database."""
        if self._file is not None:
            with suppress(OSError):
                os.fsync(self._file.fileno())

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()
            self._file = None
