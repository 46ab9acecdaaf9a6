"""The layout of a store's folder, its marker file, and its write lock.

.patchlab/
  patchlab.json     format, skill, embedder, number of runs
  chroma.sqlite3 …  Chroma's files; open the folder with chromadb.PersistentClient
  prompts/          the stable part of each prompt that was used, by digest
  runs/             per run that came to its end: one JSON report, the answers to its golden cases
                    (JSON lines), and one snapshot of all patches and examples as they were then
                    (JSON lines), which a rollback puts back
  resume/           what the run in progress began with, and a log of its answers
  journal.jsonl     what is decided and not yet in the database
  .lock             held by the process that writes, which .writer.json describes
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import ValidationError

from patchlab_agent.errors import StoreError
from patchlab_agent.files import fresh_name, no_room, write_whole
from patchlab_agent.store.info import (
    DELETED,
    MARKER,
    StoreInfo,
    Writer,
    parse_info,
    this_process,
)

LOCK = ".lock"
WRITER = ".writer.json"
LOCK_FILES = frozenset({LOCK, WRITER})
_BEGUN = LOCK_FILES | {fresh_name(WRITER), fresh_name(MARKER)}
"""All that a process may leave that is killed before there is a marker."""
PATIENCE = 0.5
"""Seconds to wait for the lock, as somebody may just be looking whether it is taken."""
PAUSES = (0.05, 0.25, 1.0, 2.0)
"""Seconds to wait before looking again, while another process may be in the midst of writing."""


def read_info(path: Path) -> StoreInfo | None:
    """Read the marker of the store at a path; None if there is no store yet.

    Raises:
        StoreError: the path is a file, a folder of something else, or a store of another format.
    """
    marker = path / MARKER
    try:
        if path.exists() and not path.is_dir():
            raise StoreError(f"{path} is a file, not a store; give a folder to --store.")
        if not marker.exists():
            # The lock comes first, and may be all that a full disk had room for. What a deletion
            # that was cut off left is no store either, and is deleted with the next writing.
            if path.exists() and not (path / DELETED).exists() and _strange(path):
                raise StoreError(
                    f"{path} holds files but no {MARKER}, so it is not a store; "
                    "give an empty or new folder to --store."
                )
            return None
        text = marker.read_text("utf-8")
    except OSError as error:
        raise StoreError(
            f"{path} cannot be read ({error.strerror}); check its permissions."
        ) from error
    except UnicodeDecodeError as error:
        raise StoreError(f"{marker} is damaged; restore it or use another --store.") from error
    return parse_info(marker, path, text)


def _strange(path: Path) -> bool:
    """Return True if a folder holds more than the beginning of a store."""
    return any(each.name not in _BEGUN for each in path.iterdir())


class WriteLock:
    """The write lock of a store, with a note of who holds it.

    Args:
        path: the store's folder, which is created if it is missing.

    Raises:
        StoreError: another process is writing to the store, or it is not writable.
    """

    def __init__(self, path: Path) -> None:
        self._note = path / WRITER
        # One writer at a time: counts, triggers and unwritten traces are kept in memory, where a
        # second process's changes would go unseen. The lock is the system's, so a crash frees it.
        try:
            path.mkdir(parents=True, exist_ok=True)
            # Whichever thread closes the store lets go of it.
            self._lock = FileLock(path / LOCK, thread_local=False)
            self._lock.acquire(timeout=PATIENCE)
        except Timeout as error:
            raise StoreError(
                f"{path} is in use by another patchlab-agent{_writer(path)}; wait for it or use "
                "another --store."
            ) from error
        except OSError as error:
            raise _unwritable(path, error) from error
        with suppress(OSError):
            write_whole(self._note, [this_process().model_dump_json()], sync=False)

    def release(self) -> None:
        """Let go of the lock."""
        if self._lock.is_locked:
            with suppress(OSError):
                self._note.unlink(missing_ok=True)
        self._lock.release()


def take_lock(path: Path) -> WriteLock:
    """Take the write lock of a store, whose folder is created if it is missing.

    What is left of a deletion that was cut off is deleted.

    Raises:
        StoreError: another process is writing to it, or it is not writable.
    """
    lock = WriteLock(path)
    if (path / DELETED).exists():
        try:
            _delete_contents(path)
            (path / DELETED).unlink()
        except BaseException as error:
            lock.release()
            if isinstance(error, OSError):
                raise _undeletable(path, error) from error
            raise
    return lock


def _writer(path: Path) -> str:
    try:
        return str(Writer.model_validate_json((path / WRITER).read_bytes()))
    except (OSError, ValidationError):
        return ""


@contextmanager
def writing(place: object) -> Iterator[None]:
    """Tell what goes wrong with a file of a store as the store's fault.

    Raises:
        StoreError: it cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise _unwritable(place, error) from error


def _unwritable(place: object, error: OSError) -> StoreError:
    return no_room(place, error) or StoreError(
        f"{place} cannot be written ({error.strerror}); check its permissions."
    )


def is_locked(path: Path) -> bool:
    """Return True if another process is writing to the store."""
    lock = path / ".lock"
    if not lock.exists():
        return False
    try:
        with FileLock(lock, timeout=0):
            return False
    except Timeout:
        return True
    except PermissionError:
        return False  # in a store that may only be read


def delete_store(path: Path) -> None:
    """Delete a store's folder; do nothing if there is no store.

    Raises:
        StoreError: the folder is not a store, is in use, or cannot be deleted.
    """
    if read_info(path) is None:
        return
    # Locked first, or a run of another process would lose its folder midway.
    lock = take_lock(path)
    try:
        # Renamed first, so that what a process leaves that is killed midway is no store.
        (path / MARKER).replace(path / DELETED)
        _delete_contents(path)
        shutil.rmtree(path)
    except OSError as error:
        raise _undeletable(path, error) from error
    finally:
        lock.release()


def _delete_contents(path: Path) -> None:
    """Delete all but the lock and what says that this is a deletion, which goes last."""
    for each in path.iterdir():
        if each.is_dir() and not each.is_symlink():
            shutil.rmtree(each)
        elif each.name not in LOCK_FILES | {DELETED}:
            each.unlink()


def _undeletable(path: Path, error: OSError) -> StoreError:
    return StoreError(f"{path} cannot be deleted ({error.strerror or error}); delete it by hand.")
