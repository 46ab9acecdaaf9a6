"""The command-line application: assembles the commands and turns errors into exit codes."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

import patchlab_agent
from patchlab_agent.cli import (  # noqa: F401 - some add to patches
    effect,
    exchange,
    history,
    patches,
    rollback,
    steer,
    traces,
)
from patchlab_agent.cli.compare import compare
from patchlab_agent.cli.completion import Install, Show
from patchlab_agent.cli.console import err
from patchlab_agent.cli.doctor import config, doctor
from patchlab_agent.cli.feedback import Labeled, feedback
from patchlab_agent.cli.quote import quote
from patchlab_agent.cli.report import report
from patchlab_agent.cli.root import Root, Unhindered, table_for, warnings
from patchlab_agent.cli.run import run
from patchlab_agent.cli.streams import CLOSED, OutputClosed, give_up, guarded
from patchlab_agent.errors import OutputError, PatchLabError

app = typer.Typer(
    name="patchlab-agent",
    cls=Root,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    # The commands inherit it.
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Find out how far context engineering takes a model whose weights never change.",
)
app.command()(run)
app.command()(quote)
app.command()(report)
app.command(cls=Labeled)(feedback)
app.command()(compare)
app.command()(config)
app.command(cls=Unhindered)(doctor)
app.add_typer(patches.app, name="patches")
app.add_typer(traces.app, name="traces")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"patchlab-agent {patchlab_agent.__version__}")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version", "-V", help="Print the version.", callback=_version, is_eager=True
        ),
    ] = False,
    install_completion: Install = None,
    show_completion: Show = None,
) -> None:
    """Find out how far context engineering takes a model whose weights never change."""
    context.default_map = table_for(context.command, context.invoked_subcommand)
    for warning in warnings(context.command, context.invoked_subcommand):
        err().print(f"Warning: {warning}", markup=False, soft_wrap=True)


def main() -> None:
    """Run a command and exit with its code; a bug keeps its traceback."""
    try:
        with guarded():
            app()
    except OutputClosed:
        give_up()
        sys.exit(CLOSED)
    except PatchLabError as error:
        if isinstance(error, OutputError):
            give_up()
        err().print(f"Error: {error}", markup=False, soft_wrap=True)
        sys.exit(error.exit_code)
