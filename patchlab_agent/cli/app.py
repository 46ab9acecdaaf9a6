"""The commands put together, and where errors become exit codes."""

from __future__ import annotations

import io
import sys
from typing import Annotated

import typer

import patchlab_agent
from patchlab_agent.cli import patches, traces
from patchlab_agent.cli.console import err
from patchlab_agent.cli.quote import quote
from patchlab_agent.cli.run import run
from patchlab_agent.errors import PatchLabError

app = typer.Typer(
    name="patchlab-agent",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Find out how far context engineering gets a model whose weights never change.",
)
app.command()(run)
app.command()(quote)
app.add_typer(patches.app, name="patches")
app.add_typer(traces.app, name="traces")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"patchlab-agent {patchlab_agent.__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Find out how far context engineering gets a model whose weights never change."""


def main() -> None:
    """The entry point: runs a command and exits with its code; a bug keeps its traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        app()
    except PatchLabError as error:
        err().print(f"Error: {error}", markup=False, soft_wrap=True)
        sys.exit(error.exit_code)
