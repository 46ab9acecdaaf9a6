"""Files written whole or not at all, and what to say where a disk takes no more."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from pathlib import Path

from patchlab_agent.errors import StoreError

_FULL = {
    errno.ENOSPC: "its disk is full; make room and try again",
    errno.EDQUOT: "the quota of its disk is used up; make room and try again",
    errno.EFBIG: "a limit on the size of files is reached; raise it (ulimit -f) and try again",
}


def full(error: BaseException) -> str | None:
    """Return why a disk takes no more and what to do about it; None if an error is another one."""
    return _FULL.get(error.errno or 0) if isinstance(error, OSError) else None


def no_room(name: object, error: BaseException) -> StoreError | None:
    """Return the error for a file that does not fit on its disk; None if that is not the cause.

    Example:
        >>> str(no_room("page.html", OSError(errno.ENOSPC, "No space left on device")))
        'page.html cannot be written, as its disk is full; make room and try again.'
    """
    reason = full(error)
    return None if reason is None else StoreError(f"{name} cannot be written, as {reason}.")


def write_whole(
    path: Path,
    parts: Iterable[str | bytes],
    *,
    until_then: str | None = None,
    sync: bool = True,
) -> None:
    """Write a file; whatever goes wrong, a file that was there before stays as it was.

    Args:
        path: the file; a link is followed, and a pipe or device is written to as it is.
        parts: of its content, one after the other; texts become UTF-8.
        until_then: name of the file in the same folder that is written first; what a killed process
            leaves of it, the next one overwrites.
        sync: wait until the disk has it, so that it outlives a power cut, not only the process.

    Raises:
        OSError: it cannot be written.
    """
    target = path.resolve()
    if target.exists() and not target.is_file():
        _write(target, parts, sync)
        return
    # Replacing a file is atomic only within one file system, hence a neighbour as the source.
    fresh = target.with_name(until_then or fresh_name(target.name))
    try:
        _write(fresh, parts, sync)
        if target.exists():
            fresh.chmod(target.stat().st_mode)
        fresh.replace(target)
    except BaseException:
        # What was written of it may be what fills the disk.
        fresh.unlink(missing_ok=True)
        raise


def fresh_name(name: str) -> str:
    """Return the name of what `write_whole` writes first, which a killed process may leave."""
    return f"{name}.new"


def _write(path: Path, parts: Iterable[str | bytes], sync: bool) -> None:
    with path.open("wb") as file:
        for part in parts:
            file.write(part.encode() if isinstance(part, str) else part)
        file.flush()
        if sync and path.is_file():
            # Some file systems say only now that there was no room.
            os.fsync(file.fileno())
