"""Reading and writing the files that a command line names."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from itertools import count
from pathlib import Path

from patchlab_agent.errors import InputError, UsageError
from patchlab_agent.files import no_room, write_whole

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
        StoreError: there is no room for it.
    """
    written = count()
    ended = (f"{line}\n" for line, _ in zip(lines, written, strict=False))
    if target == STANDARD:
        for line in ended:
            sys.stdout.write(line)
        return next(written)
    try:
        write_whole(Path(target), ended)
    except OSError as error:
        raise no_room(target, error) or UsageError(
            f"{target} cannot be written ({error.strerror}); name a file in a writable folder."
        ) from error
    return next(written)


def ascii_only(text: str) -> str:
    r"""Return a text for a stream that may support nothing else: `é` → `\u00e9`, as in JSON."""
    return "".join(char if char.isascii() else json.dumps(char)[1:-1] for char in text)


def read_lines(
    source: str, *, wanted: str = "a file that `patches export` wrote"
) -> tuple[str, list[str]]:
    """Return a name for messages, and the lines of a text file or of standard input.

    Args:
        source: a path, or `-`.
        wanted: what to give, where it is no text.

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
        raise InputError(f"{name} is not valid UTF-8; give {wanted}.") from error


def _stdin() -> bytes:
    return b"" if sys.stdin is None else sys.stdin.buffer.read()
