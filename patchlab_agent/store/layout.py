"""The layout of a store's folder, its marker file, and its write lock.

.patchlab/
  patchlab.json     format, skill, embedder, number of runs
  chroma.sqlite3 …  Chroma's files; open the folder with chromadb.PersistentClient
  prompts/          the stable part of each prompt that was used, by digest
  runs/             per run that came to its end: one JSON report, the answers to its golden cases
                    (JSON lines), and one snapshot of all patches and examples as they were then
                    (JSON lines), which a rollback puts back
  .lock             held by the process that writes
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import Field, ValidationError

from patchlab_agent.errors import StoreError
from patchlab_agent.files import no_room, write_whole
from patchlab_agent.models.base import Frozen

FORMAT = 2
MARKER = "patchlab.json"
LOCK = ".lock"


class StoreInfo(Frozen):
    """The content of a store's marker file."""

    format: int = FORMAT
    skill: str
    embedder: str = Field(
        default="hashing", description="short name of the embedder its vectors come from"
    )
    task: Path | None = Field(default=None, description="the task folder that is the skill")
    is_given: bool = Field(
        default=False, description="the skill is a task that was made in Python, which is not kept"
    )
    runs: int = Field(default=0, description="runs that were started on it")


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
            # The lock comes first, and may be all that a full disk had room for.
            if path.exists() and any(each.name != LOCK for each in path.iterdir()):
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
    return _parse(marker, text)


def _parse(marker: Path, text: str) -> StoreInfo:
    try:
        info = StoreInfo.model_validate_json(text)
    except ValidationError as error:
        version = _Version.of(text)
        if version is not None and version != FORMAT:
            raise _other_format(marker, version) from error
        raise StoreError(f"{marker} is damaged; restore it or use another --store.") from error
    if info.format != FORMAT:
        raise _other_format(marker, info.format)
    return info


class _Version(Frozen, extra="ignore"):
    format: int

    @classmethod
    def of(cls, text: str) -> int | None:
        try:
            return cls.model_validate_json(text).format
        except ValidationError:
            return None


def _other_format(marker: Path, found: int) -> StoreError:
    return StoreError(
        f"{marker.parent} has store format {found}, this version reads format {FORMAT}; "
        "use another --store, or the version of patchlab-agent that wrote it."
    )


def write_info(path: Path, info: StoreInfo) -> None:
    """Write the marker in one step: a crash leaves either the old one or the new one."""
    with writing(path):
        write_whole(path / MARKER, [info.model_dump_json(indent=2), "\n"])


def take_lock(path: Path) -> FileLock:
    """Take the write lock of a store, whose folder is created if it is missing.

    Raises:
        StoreError: another process is writing to it, or it is not writable.
    """
    # One writer at a time: counts, triggers and unwritten traces are kept in memory, where a
    # second process's changes would go unseen. The lock is the system's, so a crash frees it.
    try:
        path.mkdir(parents=True, exist_ok=True)
        # Whichever thread closes the store lets go of it.
        lock = FileLock(path / LOCK, thread_local=False)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise StoreError(
            f"{path} is in use by another patchlab-agent; wait for it or use another --store."
        ) from error
    except OSError as error:
        raise _unwritable(path, error) from error
    return lock


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Tell what goes wrong with a file of a store as the store's fault.

    Raises:
        StoreError: it cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> StoreError:
    return no_room(path, error) or StoreError(
        f"{path} cannot be written ({error.strerror}); check its permissions."
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


def kept_runs(path: Path, suffix: str) -> tuple[str, ...]:
    """Return the names of the runs of which a store keeps a file with this suffix, in order."""
    found = (p.name.removesuffix(suffix) for p in (path / "runs").glob(f"run-*{suffix}"))
    return tuple(sorted(found, key=lambda name: (len(name), name)))


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
        shutil.rmtree(path)
    except OSError as error:
        raise StoreError(
            f"{path} cannot be deleted ({error.strerror or error}); delete it by hand."
        ) from error
    finally:
        lock.release()
