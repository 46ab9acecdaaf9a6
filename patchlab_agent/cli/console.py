"""What commands share: consoles, JSON output, and errors made exit codes."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

MIN_WIDTH = 80
PIPE_WIDTH = 100
"""Columns of a table that goes into a pipe or a file, where no terminal tells."""


def out() -> Console:
    """Standard output; as wide as the terminal."""
    console = Console(highlight=False)
    width = max(MIN_WIDTH, console.width) if console.is_terminal else PIPE_WIDTH
    return Console(highlight=False, width=width)


def err() -> Console:
    """Standard error, for all that is not the result."""
    return Console(stderr=True, highlight=False)


def print_json(value: Any) -> None:
    """A machine-readable result, alone on standard output."""
    print(json.dumps(value, indent=2, ensure_ascii=True))  # noqa: T201 - not for rich to wrap


def dumped(models: Iterable[BaseModel]) -> list[Any]:
    """JSON of several models."""
    return [model.model_dump(mode="json") for model in models]


def knows_unicode(console: Console) -> bool:
    """Whether block characters can be printed."""
    return console.encoding.lower().startswith("utf")


def progress() -> Progress:
    """A progress bar on a terminal, nothing in a pipe."""
    console = err()
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )


def is_interactive() -> bool:
    """Whether there is a person to ask."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))
