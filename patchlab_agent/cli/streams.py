"""Standard output as it really is: of few characters, closed, or on a full disk."""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import re
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
_PADDING = re.compile(r"(?<! )(?: |\x1b\[[0-9;]*m)+(?=\n)")
"""Blanks at the end of a line, and the codes for colours among them."""


class OutputClosed(Exception):
    """The reader of the output is gone, which is not an error: `… | head -1`."""


class _Guarded:
    """A stream whose own failures are told apart from those of any other file.

    One that is no terminal gets no blanks at the ends of lines, with which rich fills up tables.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with _translated():
            self._stream.write(text if self._stream.isatty() else _unpadded(text))
        return len(text)

    def flush(self) -> None:
        with _translated():
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Lenient(_Guarded):
    """A stream that is no result: what cannot be written to it is left out."""

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.flush()


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
    """Watch standard output until all of it is written, and standard error as far as it goes.

    Raises:
        OutputClosed: its reader is gone.
        OutputError: it cannot be written.
    """
    for stream, replaced in ((sys.stdout, "patchlab.table"), (sys.stderr, "patchlab.prose")):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=replaced)
    with contextlib.ExitStack() as stack:
        if sys.stderr is not None:
            lenient = cast("TextIO", _Lenient(sys.stderr))
            stack.enter_context(contextlib.redirect_stderr(lenient))
        if sys.stdout is None:
            yield
            return
        stack.enter_context(contextlib.redirect_stdout(cast("TextIO", _Guarded(sys.stdout))))
        try:
            yield
        finally:
            sys.stdout.flush()


def _unpadded(text: str) -> str:
    return _PADDING.sub(lambda found: found[0].replace(" ", ""), text)


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
