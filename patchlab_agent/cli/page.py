"""Writing a page, for `run`, `report` and `compare`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from patchlab_agent.cli.console import err
from patchlab_agent.errors import UsageError

Html = Annotated[
    Path | None,
    typer.Option(
        "--html",
        help="Write the report as a single HTML page that works offline.",
        metavar="FILE",
    ),
]


def check_page(path: Path | None) -> None:
    """Find out, before any work is done, whether a page can be written.

    Raises:
        UsageError: it cannot.
    """
    if path is None:
        return
    if path.is_dir():
        raise UsageError(f"--html {path} is a folder; name a file in it.")
    if not path.parent.is_dir():
        raise UsageError(f"--html {path} is in a folder that does not exist; create it first.")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise UsageError(f"--html {path} cannot be written; name a file in a writable folder.")


def write_page(page: str, path: Path) -> None:
    """Write a page.

    Raises:
        UsageError: the file cannot be written after all.
    """
    try:
        path.write_text(page, "utf-8")
    except OSError as error:
        raise UsageError(
            f"--html {path} cannot be written ({error.strerror}); name another file."
        ) from error
    err().print(f"The page is {path}.", markup=False, soft_wrap=True)
