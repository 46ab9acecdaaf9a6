"""Signals that ask a command to end."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

_INTERRUPTED = 128 + signal.SIGINT
"""Exit code that typer has for Ctrl-C."""
_POLITE = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Ended(Exception):
    """A signal ended the command, and everything was closed as after Ctrl-C.

    Args:
        number: the signal's.
    """

    def __init__(self, number: int) -> None:
        name = signal.Signals(number).name
        super().__init__(f"Ended by {name}; what was stored before is kept.")
        self.exit_code = 128 + number


@contextlib.contextmanager
def polite_end() -> Iterator[None]:
    """Have SIGTERM and SIGHUP end a command as Ctrl-C does.

    A signal that the parent has ignored, as `nohup` does, stays ignored.

    Raises:
        Ended: one of the three ended the command.
    """
    received = [signal.SIGINT]
    taken: list[int] = []

    def end(number: int, _frame: FrameType | None) -> None:
        received.append(signal.Signals(number))
        # A closing terminal sends several: the rest must not disturb the tidying up.
        for each in taken:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    if threading.current_thread() is threading.main_thread():
        taken += [each for each in _POLITE if signal.getsignal(each) is signal.SIG_DFL]
    for each in taken:
        signal.signal(each, end)
    try:
        yield
    except KeyboardInterrupt as error:
        raise Ended(received[-1]) from error
    except SystemExit as error:
        # A question that the signal left unanswered ends with another code.
        if error.code == _INTERRUPTED or len(received) > 1:
            raise Ended(received[-1]) from error
        raise
    finally:
        for each in taken:
            signal.signal(each, signal.SIG_DFL)
