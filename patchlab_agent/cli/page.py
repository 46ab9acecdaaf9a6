"""Writing a page, for `run`, `report` and `compare`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from patchlab_agent.cli.console import err
from patchlab_agent.errors import UsageError
from patchlab_agent.files import no_room, write_whole

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
    # A file is replaced, a pipe is not.
    needed = [path] if path.exists() else []
    if not path.exists() or path.is_file():
        needed.append(path.resolve().parent)
    if not all(os.access(each, os.W_OK) for each in needed):
        raise UsageError(f"--html {path} cannot be written; name a file in a writable folder.")


def write_page(page: str, path: Path) -> None:
    """Write a page.

    Raises:
        UsageError: the file cannot be written after all.
        StoreError: there is no room for it.
    """
    try:
        write_whole(path, [page])
    except OSError as error:
        raise no_room(path, error) or UsageError(
            f"--html {path} cannot be written ({error.strerror}); name another file."
        ) from error
    err().print(f"The page is {path}.", markup=False, soft_wrap=True)
