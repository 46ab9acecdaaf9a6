"""Reading and writing the files that a command line names."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from patchlab_agent.errors import InputError, UsageError

STANDARD = "-"
"""Standard output or input in place of a file."""


def check_target(target: str, force: bool) -> None:
    """Check, before anything is done, that a file may be written.

    Raises:
        UsageError: the file exists already, or is a folder.
    """
    path = Path(target)
    if target == STANDARD:
        return
    if path.is_dir():
        raise UsageError(f"{path} is a folder; name a file.")
    if path.is_file() and not force:
        raise UsageError(f"{path} exists already; add --force to overwrite it, or name another.")


def write_lines(target: str, lines: Iterable[str]) -> int:
    """Write lines to a file, all or none of them, or to standard output; return their number.

    Raises:
        UsageError: the file cannot be written.
    """
    if target == STANDARD:
        return _written(lines, sys.stdout.write)
    path = Path(target).resolve()
    try:
        if path.exists() and not path.is_file():
            # A pipe, for instance, must be written to and not replaced.
            return _into(path, lines)
        return _replaced(path, lines)
    except OSError as error:
        raise UsageError(
            f"{target} cannot be written ({error.strerror}); name a file in a writable folder."
        ) from error


def _replaced(path: Path, lines: Iterable[str]) -> int:
    fresh = path.with_name(f"{path.name}.new")
    try:
        count = _into(fresh, lines)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
    return count


def _into(path: Path, lines: Iterable[str]) -> int:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        return _written(lines, file.write)


def _written(lines: Iterable[str], write: Callable[[str], object]) -> int:
    count = 0
    for count, line in enumerate(lines, start=1):  # noqa: B007 - the last one is how many
        write(f"{line}\n")
    return count


def read_lines(source: str) -> tuple[str, list[str]]:
    """Return a name for messages, and the lines of a text file or of standard input.

    Raises:
        InputError: it cannot be read, or is not valid UTF-8.
    """
    name = "standard input" if source == STANDARD else Path(source).name
    try:
        data = _stdin() if source == STANDARD else Path(source).read_bytes()
        return name, data.decode("utf-8-sig").split("\n")
    except OSError as error:
        raise InputError(f"{source} cannot be read ({error.strerror}); give a file.") from error
    except UnicodeDecodeError as error:
        raise InputError(
            f"{name} is not valid UTF-8; give a file that `patches export` wrote."
        ) from error


def _stdin() -> bytes:
    return b"" if sys.stdin is None else sys.stdin.buffer.read()
