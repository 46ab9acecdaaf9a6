"""The room on the disk of a store, and what Chroma says where there is none.

Chroma writes its index in place and does not notice that half of it found no room, so nothing is
begun on a disk that is nearly full.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import sqlite3
from pathlib import Path

import httpx
from chromadb.errors import ChromaError

from patchlab_agent.errors import StoreError
from patchlab_agent.files import full, no_room

try:
    import resource
except ImportError:  # where nothing limits the size of files
    resource = None  # type: ignore[assignment]

ROOM = 2 * 1024**2
"""Bytes that a write of one record may take, and the report of a run that ends there."""
PER_TRACE = 100 * 1024
"""Bytes that a trace may take, in the database and in the journal of its transaction."""
_CODE = re.compile(r"\(code: (\d+)\)")


def has_room(path: Path, traces: int) -> bool:
    """Return whether the disk of a store has room for so many traces that wait to be written."""
    return _lacking(path, ROOM + traces * PER_TRACE) is None


def require_room(path: Path) -> None:
    """Make sure that the disk of a store has room for a write.

    Raises:
        StoreError: it is full, or nearly so; or the database is as large as a file may be.
    """
    lacking = _lacking(path)
    if lacking is not None:
        raise no_room(path, lacking) or lacking


def no_room_in(path: Path, error: BaseException) -> StoreError | None:
    """Return the error for a store without room on its disk; None if that is not the cause.

    Args:
        path: the store's folder.
        error: what Chroma, SQLite or the system said, which often leaves the cause out.
    """
    if full(error) is not None:
        return no_room(path, error)
    kind = _kind(error)
    if kind == sqlite3.SQLITE_FULL:
        return no_room(path, OSError(errno.ENOSPC, str(error)))
    is_unclear = kind == sqlite3.SQLITE_IOERR or (kind is None and is_chromas(error))
    lacking = _lacking(path) if is_unclear else None
    return None if lacking is None else no_room(path, lacking)


def is_panic(error: BaseException) -> bool:
    """Return True for a panic of Chroma's Rust half, whose type cannot be imported."""
    return type(error).__name__ == "PanicException"


def is_chromas(error: BaseException) -> bool:
    """Return True if an error is one of Chroma's, or of the disk or network below it."""
    # Where a server says what Chroma's client does not know, it raises the bare base class.
    return isinstance(error, ChromaError | OSError | httpx.HTTPError) or (
        type(error) is Exception or is_panic(error)
    )


def _kind(error: BaseException) -> int | None:
    """Return the kind of an error of SQLite's, which is the lowest byte of its code."""
    found = _CODE.search(str(error))
    code = int(found[1]) if found else getattr(error, "sqlite_errorcode", None)
    return None if code is None else int(code) & 0xFF


def _sizes(path: Path) -> tuple[list[int], list[int]]:
    """Return the sizes of the files of all indices, and of the databases."""
    # Before each trace, so without patterns, which take ten times as long.
    indices: list[int] = []
    databases: list[int] = []
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.name.endswith(".sqlite3"):
                databases.append(entry.stat().st_size)
            elif "-" in entry.name and entry.is_dir():
                with os.scandir(entry) as files:
                    indices += (f.stat().st_size for f in files if f.name.endswith(".bin"))
    return indices, databases


def _lacking(path: Path, room: int = ROOM) -> OSError | None:
    """Return what the next write could fail with for want of so many bytes."""
    try:
        indices, databases = _sizes(path)
        free = shutil.disk_usage(path).free
    except OSError:
        return None  # the write itself meets it, if it matters
    # An index that has to grow is written anew, beside the old one.
    if free < room + max(indices, default=0):
        return OSError(errno.ENOSPC, "nearly full")
    if resource is None:
        return None
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    is_limited = limit != resource.RLIM_INFINITY
    if is_limited and limit < room + max((*databases, *indices), default=0):
        return OSError(errno.EFBIG, "nearly as large as allowed")
    return None
