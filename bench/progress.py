"""How far a bench is that asks a real model."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from patchlab_agent.cli.console import progress

LINES = 20
"""Answers between two lines where no terminal shows a bar."""


@contextmanager
def told(name: str) -> Iterator[Callable[[str, int], None]]:
    """A bar on a terminal, and a line now and then elsewhere.

    Args:
        name: what the bar is headed by.

    Yields:
        What is to be called after each answer, with what it was for and how many there are.
    """
    done = 0
    with progress() as bars:
        task = bars.add_task(name, total=None, note="")

        def tell(stage: str, total: int) -> None:
            nonlocal done
            done += 1
            bars.update(task, completed=done, total=total, note=stage)
            if bars.disable and (done % LINES == 0 or done == total):
                print(f"{done} of {total}: {stage}", file=sys.stderr, flush=True)

        yield tell
