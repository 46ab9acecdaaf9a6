"""Completion by the tab key in bash, zsh and fish.

Typer's own options for it guess the shell from the processes around, which fails in containers and
editors and then prints nothing; here the shell is named.
"""

from __future__ import annotations

import os
from enum import StrEnum
from typing import Annotated

import typer
from typer._completion_classes import completion_init
from typer._completion_shared import get_completion_script, install

PROGRAM = "patchlab-agent"
VARIABLE = "_PATCHLAB_AGENT_COMPLETE"
"""Set by the shell to ask what may come next; `complete_bash` asks on behalf of bash."""


class Shell(StrEnum):
    """Return the shells for which there is a completion script."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def hint(text: str) -> str:
    """Return a description that is safe to offer: words and nothing else.

    zsh evaluates the answer to its question, and Typer reads it as markup before: a request that
    somebody else wrote must be neither.
    """
    words = "".join(char if char.isalnum() or char in " .,-_" else " " for char in text)
    return " ".join(words.split())


def _show(shell: Shell | None) -> None:
    if shell is not None:
        typer.echo(get_completion_script(prog_name=PROGRAM, complete_var=VARIABLE, shell=shell))
        raise typer.Exit


def _install(shell: Shell | None) -> None:
    if shell is not None:
        _, path = install(shell=str(shell), prog_name=PROGRAM, complete_var=VARIABLE)
        typer.echo(f"Completion for {shell} was written to {path}; open a new terminal to use it.")
        raise typer.Exit


Install = Annotated[
    Shell | None,
    typer.Option(
        help="Install tab completion in your shell's start-up files.",
        metavar="bash|zsh|fish",
        callback=_install,
        is_eager=True,
    ),
]
Show = Annotated[
    Shell | None,
    typer.Option(
        help='Print the script instead, as for: eval "$(patchlab-agent --show-completion bash)".',
        metavar="bash|zsh|fish",
        callback=_show,
        is_eager=True,
    ),
]

completion_init()
if VARIABLE in os.environ:
    # Typer wraps helps at the terminal's width; a shell would take the second line for a choice.
    os.environ["TERMINAL_WIDTH"] = "10000"
