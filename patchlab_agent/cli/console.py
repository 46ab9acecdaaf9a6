"""Consoles, JSON output and progress bars, shared by all commands."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel
from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)
from rich.segment import Segment
from rich.table import Table

PIPE_WIDTH = 100
"""Columns of a table that goes into a pipe or a file, where no terminal tells."""
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
    if sys.stdout is None or not sys.stdout.isatty():
        return Console(highlight=False, width=PIPE_WIDTH, height=_HEIGHT)
    columns = shutil.get_terminal_size().columns
    return _Terminal(highlight=False, width=max(MIN_WIDTH, columns), height=_HEIGHT)


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


def progress() -> Progress:
    """Return a progress bar on a terminal that can redraw a line, and a silent one elsewhere."""
    console = err()
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        TimeRemainingColumn(),
        console=console,
        disable=not (console.is_interactive and console.file.isatty()),
        transient=True,
    )


def is_interactive() -> bool:
    """Return whether there is a person to ask."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))
