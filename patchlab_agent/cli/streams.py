"""Standard output as it really is: of few characters, closed, or on a full disk."""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import sys
from collections.abc import Iterator
from typing import Any, TextIO, cast

from patchlab_agent.errors import OutputError

CLOSED = 141
"""Exit code of a program that writes to a closed pipe: 128 + SIGPIPE."""

_LIKE = {
    "-": "–—─━",
    "|": "│┃",
    "+": "╭╮╰╯├┤┌┐└┘┬┴┼▒",
    "#": "█",
    ".": "·",
    "~": "…",
    ">": "→≥",
    "<": "←≤",
    "x": "\u00d7",
    "*": "•",
    '"': "“”",
    "'": "\u2018\u2019",
}
_IN_TABLES = {ord(char): ascii_ for ascii_, chars in _LIKE.items() for char in chars}
"""One for one, so that columns stay in line."""
_IN_PROSE = str.maketrans({"→": "->", "←": "<-", "…": "...", "≥": ">=", "≤": "<="})


class OutputClosed(Exception):
    """The reader of the output is gone, which is not an error: `… | head -1`."""


class _Guarded:
    """A stream whose own failures are told apart from those of any other file."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with _translated():
            return self._stream.write(text)

    def flush(self) -> None:
        with _translated():
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError as error:
        raise OutputClosed from error
    except OSError as error:
        raise OutputError(
            f"Standard output cannot be written ({error.strerror}); "
            "make room, or send it somewhere else."
        ) from error


@contextlib.contextmanager
def guarded() -> Iterator[None]:
    """Watch standard output until all of it is written.

    Raises:
        OutputClosed: its reader is gone.
        OutputError: it cannot be written.
    """
    for stream, replaced in ((sys.stdout, "patchlab.table"), (sys.stderr, "patchlab.prose")):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=replaced)
    if sys.stdout is None:
        yield
        return
    with contextlib.redirect_stdout(cast("TextIO", _Guarded(sys.stdout))):
        try:
            yield
        finally:
            sys.stdout.flush()


def give_up() -> None:
    """Send to nowhere what could not be written, so that Python does not try again at the end."""
    with contextlib.suppress(OSError, AttributeError, io.UnsupportedOperation):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _in_tables(error: UnicodeError) -> tuple[str, int]:
    """Replace each character that an encoding lacks with one ASCII character."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end].translate(_IN_TABLES)
    return "".join(char if char.isascii() else "?" for char in lacking), error.end


def _in_prose(error: UnicodeError) -> tuple[str, int]:
    """Do the same, for as long as it takes."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end].translate(_IN_PROSE).translate(_IN_TABLES)
    return "".join(char if char.isascii() else "?" for char in lacking), error.end


codecs.register_error("patchlab.table", _in_tables)
codecs.register_error("patchlab.prose", _in_prose)
