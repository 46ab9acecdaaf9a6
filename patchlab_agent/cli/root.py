"""The root command, which fills in options from variables and the configuration table."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from typer.core import TyperCommand, TyperGroup, TyperOption

from patchlab_agent.config import (
    NAMES,
    Table,
    broken_variables,
    check_variables,
    find_table,
    unknown_variables,
    variable,
)
from patchlab_agent.errors import UsageError

ENTRY_POINT_GROUP = "patchlab_agent.commands"
"""Group under which a skill offers its own name for a command: `name = "module:command"`."""
EPILOG = (
    "Settings may also come from variables (PATCHLAB_STORE for --store) and from a table "
    "tool.patchlab in pyproject.toml; patchlab-agent config shows which are in effect."
)


class Root(TyperGroup):
    """Every option of any command that has a setting's name can be given from outside, too."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for command in _leaves(self):
            for option in _settings(command):
                # Shown once for all, below: a line for each would drown the help.
                option.envvar, option.show_envvar = variable(str(option.name)), False
                command.epilog = EPILOG

    def parse_args(self, context: Any, arguments: list[str]) -> list[str]:
        """Take `help COMMAND` for `COMMAND --help`, as people try it first."""
        if arguments[:1] == ["help"]:
            arguments = [*arguments[1:], "--help"]
        return super().parse_args(context, arguments)

    def resolve_command(self, context: Any, arguments: list[str]) -> Any:
        """Take a skill's own name of a command for the command."""
        first, *others = arguments
        if first in self.commands:
            return super().resolve_command(context, arguments)
        # All packages are read for that, which takes as long as many a command.
        known = {point.name: point.attr for point in entry_points(group=ENTRY_POINT_GROUP)}
        return super().resolve_command(context, [known.get(first, first), *others])

    def make_context(self, *arguments: Any, **extra: Any) -> Any:
        """Read the table for completion, too, which calls no callback and can show no error."""
        if extra.get("resilient_parsing"):
            with suppress(UsageError):
                extra["default_map"] = defaults(self, here())
        return super().make_context(*arguments, **extra)


class Unhindered(TyperCommand):
    """A command that starts even if table or variables are invalid, and reports that itself."""

    def parse_args(self, context: Any, arguments: list[str]) -> list[str]:
        """Take the options as if variables that cannot be used were not set."""
        hidden = {name: os.environ.pop(name) for name in broken_variables(os.environ)}
        try:
            return super().parse_args(context, arguments)
        finally:
            os.environ.update(hidden)


def here() -> Table:
    """Return the table that applies in the working directory.

    Raises:
        UsageError: there is something wrong with it.
    """
    try:
        folder = Path.cwd()
    except OSError:  # it was deleted
        return Table()
    return find_table(folder)


def table_for(command: Any, called: str | None) -> dict[str, Any]:
    """Return the table's defaults for each subcommand; the one called decides how strictly.

    Raises:
        UsageError: there is something wrong with a variable or the table.
    """
    if not is_unhindered(command, called):
        check_variables(os.environ)
        return defaults(command, here())
    try:
        return defaults(command, here())
    except UsageError:
        return {}


def warnings(command: Any, called: str | None) -> list[str]:
    """Return warnings about variables, unless the command that is called reports them itself."""
    return [] if is_unhindered(command, called) else unknown_variables(os.environ)


def is_unhindered(command: Any, called: str | None) -> bool:
    """Return whether the subcommand starts even if table or variables are invalid."""
    return isinstance(getattr(command, "commands", {}).get(called), Unhindered)


def defaults(command: Any, table: Table) -> dict[str, Any]:
    """Return a table's values for each command, nested as the commands are."""
    below = getattr(command, "commands", {})
    if below:
        return {name: defaults(sub, table) for name, sub in below.items()}
    names = {option.name for option in _settings(command)}
    return {name: value for name, value in table.values.items() if name in names}


def _leaves(command: Any) -> Iterator[Any]:
    below = getattr(command, "commands", {})
    if not below:
        yield command
    for sub in below.values():
        yield from _leaves(sub)


def _settings(command: Any) -> list[TyperOption]:
    """Return those of a command's options that are settings."""
    return [p for p in command.params if isinstance(p, TyperOption) and p.name in NAMES]
