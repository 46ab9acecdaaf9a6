"""The command-line application: assembles the commands and turns errors into exit codes."""

from __future__ import annotations

import sys
from contextlib import suppress
from functools import cache
from typing import Annotated, Any, NoReturn

import typer
from typer.main import get_command

import patchlab_agent
from patchlab_agent.cli import (  # noqa: F401 - some add to patches
    effect,
    exchange,
    history,
    patches,
    rollback,
    steer,
    store,
    traces,
)
from patchlab_agent.cli.answer import answer
from patchlab_agent.cli.compare import compare
from patchlab_agent.cli.completion import Install, Show
from patchlab_agent.cli.console import err
from patchlab_agent.cli.doctor import config, doctor
from patchlab_agent.cli.feedback import Labeled, feedback
from patchlab_agent.cli.import_feedback import import_feedback
from patchlab_agent.cli.report import report
from patchlab_agent.cli.root import Root, Unhindered, table_for, warnings
from patchlab_agent.cli.run import run
from patchlab_agent.cli.signals import Ended, polite_end
from patchlab_agent.cli.streams import CLOSED, OutputClosed, give_up, guarded
from patchlab_agent.cli.task import check, init
from patchlab_agent.errors import OutputError, PatchLabError
from patchlab_agent.files import no_room
from patchlab_agent.memory import share_heap

app = typer.Typer(
    name="patchlab-agent",
    cls=Root,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    # The commands inherit it.
    context_settings={"help_option_names": ["--help", "-h"]},
    help="Find out how far context engineering takes a model whose weights never change.",
)
app.command()(run)
app.command()(answer)
app.command()(report)
app.command(cls=Labeled)(feedback)
app.command()(import_feedback)
app.command()(compare)
app.command()(config)
app.command(cls=Unhindered)(doctor)
app.command()(init)
app.command()(check)
app.add_typer(patches.app, name="patches")
app.add_typer(traces.app, name="traces")
app.add_typer(store.app, name="store")


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


@cache
def _command() -> Any:
    """Put the commands together, which takes as long as many of them: once per process."""
    return get_command(app)


def main() -> None:
    """Run a command and exit with its code; a bug keeps its traceback."""
    share_heap()
    try:
        with guarded(), polite_end():
            _command()()
    except OutputClosed:
        give_up()
        sys.exit(CLOSED)
    except Ended as end:
        _exit(end.exit_code, str(end))
    except PatchLabError as error:
        if isinstance(error, OutputError):
            give_up()
        _exit(error.exit_code, f"Error: {error}")
    except OSError as error:
        # Whatever file it is that a full disk has no room for, it is no bug.
        refused = no_room(error.filename or "A file", error)
        if refused is None:
            raise
        _exit(refused.exit_code, f"Error: {refused}")


def _exit(code: int, message: str) -> NoReturn:
    """Exit with a message, if there is still anything to write it to."""
    with suppress(OSError):
        err().print(message, markup=False, soft_wrap=True)
    sys.exit(code)
