"""Running the program in a terminal of its own, as wide as a test wants it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from dataclasses import dataclass

PROGRAM = ("-c", "from patchlab_agent.cli.app import main; main()")
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_LEFT_OUT = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "TTY_COMPATIBLE", "TTY_INTERACTIVE")


@dataclass(frozen=True)
class Shown:
    """How a command ended, and all that its terminal got."""

    code: int
    raw: str

    @property
    def lines(self) -> list[str]:
        """What a person sees, without colours; what a progress bar overwrote is left out."""
        return [
            _ESCAPE.sub("", line.rpartition("\r")[2] or line)
            for line in self.raw.replace("\r\n", "\n").split("\n")
        ]

    @property
    def text(self) -> str:
        """The lines as one text."""
        return "\n".join(self.lines)


def shown(columns: int, *arguments: object, **environment: str) -> Shown:
    """Run `patchlab-agent` in a pseudo-terminal of so many columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    plain = {name: value for name, value in os.environ.items() if name not in _LEFT_OUT}
    with subprocess.Popen(
        [sys.executable, *PROGRAM, *map(str, arguments)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**plain, "TERM": "xterm", **environment},
    ) as process:
        os.close(theirs)
        raw = _read(ours)
    os.close(ours)
    return Shown(process.returncode, raw.decode("utf-8"))


def _read(terminal: int) -> bytes:
    found = b""
    while True:
        try:
            more = os.read(terminal, 65536)
        except OSError:  # how Linux says that the other end is closed
            return found
        if not more:
            return found
        found += more
