"""Consoles, JSON output and progress bars, shared by all commands."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

from pydantic import BaseModel
from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.segment import Segment
from rich.table import Table

PIPE_WIDTH = 100
"""Columns of a table that goes into a pipe or a file, where no terminal tells."""
LOG_SECONDS = 60.0
"""Seconds between two lines that say how far a command is, and before the first one."""
MIN_WIDTH = 20
"""Columns that even a terminal gets that says that it has none."""
_HEIGHT = 25
"""Of no consequence, but a dumb terminal's width is believed only if it comes with one."""


class _Terminal(Console):
    """A console on which a table that is too wide becomes a list of its rows."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Rich calls this for every part of a part, so no command needs to know."""
        if isinstance(renderable, Table) and renderable.columns:
            from patchlab_agent.report.tables import on_its_side, width_of

            if width_of(renderable, self) > (options or self.options).max_width:
                renderable = on_its_side(renderable)
        return super().render(renderable, options)


def out() -> Console:
    """Return standard output, as wide as the terminal."""
    # Asked of the stream itself, as FORCE_COLOR makes no terminal of a file.
    if sys.stdout is not None and sys.stdout.isatty():
        columns = shutil.get_terminal_size().columns
        return _Terminal(highlight=False, width=max(MIN_WIDTH, columns), height=_HEIGHT)
    wanted = _columns_wanted()
    if wanted is None:
        return Console(highlight=False, width=PIPE_WIDTH, height=_HEIGHT)
    return _Terminal(highlight=False, width=max(MIN_WIDTH, wanted), height=_HEIGHT)


def _columns_wanted() -> int | None:
    """Return the width that the user asks for where there is no terminal, or None."""
    wanted = os.environ.get("COLUMNS", "")[:9]
    # As in `shutil.get_terminal_size`, what is no such number counts as not given.
    return (int(wanted) or None) if wanted.isascii() and wanted.isdigit() else None


def err() -> Console:
    """Return standard error, for everything but the result."""
    return Console(stderr=True, highlight=False)


def print_json(value: Any) -> None:
    """Print a machine-readable result, alone on standard output."""
    print(json.dumps(value, indent=2, ensure_ascii=True))  # noqa: T201 - not for rich to wrap


def dumped(models: Iterable[BaseModel]) -> list[Any]:
    """Return several models as JSON."""
    return [model.model_dump(mode="json") for model in models]


def knows_unicode(console: Console) -> bool:
    """Return whether block characters can be printed."""
    return console.encoding.lower().startswith("utf")


def progress(clock: Callable[[], float] = time.monotonic) -> Progress:
    """Return a progress bar on a terminal that can redraw a line; elsewhere, lines now and then.

    Args:
        clock: seconds, for those lines.
    """
    console = err()
    if not (console.is_interactive and console.file.isatty()):
        return _Log(console, clock)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )


class _Log(Progress):
    """Progress where no line can be redrawn: nothing for a while, then a line once in a while."""

    def __init__(self, console: Console, clock: Callable[[], float]) -> None:
        super().__init__(console=console, disable=True)
        self._clock = clock
        self._due = clock() + LOG_SECONDS

    def update(self, task_id: TaskID, **changes: Any) -> None:
        super().update(task_id, **changes)
        now = self._clock()
        if now >= self._due:
            self._due = now + LOG_SECONDS
            self.console.print(_line(self._tasks[task_id]), markup=False, soft_wrap=True)


def _line(task: Task) -> str:
    """Return how far a task is, in one line."""
    of_all = "" if task.total is None else f" of {task.total:,.0f}"
    note = f", {task.fields['note']}" if task.fields.get("note") else ""
    return f"{task.description}: {task.completed:,.0f}{of_all}{note}"


def is_interactive() -> bool:
    """Return whether there is a person to ask."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))
