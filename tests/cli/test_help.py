"""What the program says of itself, and that its examples are commands that exist."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer

import patchlab_agent
from patchlab_agent.cli.app import app
from tests.cli.helpers import Cli


def _commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield path, command
    for name, below in getattr(command, "commands", {}).items():
        yield from _commands(below, (*path, name))


COMMANDS = dict(_commands(typer.main.get_command(app)))
LEAVES = {path: command for path, command in COMMANDS.items() if not hasattr(command, "commands")}


def _examples(command: Any) -> list[list[str]]:
    """The arguments of each example in a command's help, what the shell takes left out."""
    found = []
    for line in (command.help or "").splitlines():
        _, called, rest = line.partition("patchlab-agent ")
        if line.startswith("    ") and called:
            found.append(shlex.split(rest.partition(" > ")[0]))
    return found


def test_the_commands_are_those_that_are_documented() -> None:
    assert set(LEAVES) == {
        ("run",),
        ("answer",),
        ("report",),
        ("feedback",),
        ("import-feedback",),
        ("compare",),
        ("config",),
        ("doctor",),
        ("init",),
        ("check",),
        ("patches", "list"),
        ("patches", "show"),
        ("patches", "history"),
        ("patches", "search"),
        ("patches", "effect"),
        ("patches", "export"),
        ("patches", "import"),
        ("patches", "diff"),
        ("patches", "enable"),
        ("patches", "disable"),
        ("patches", "retire"),
        ("patches", "regate"),
        ("patches", "rollback"),
        ("traces", "list"),
        ("traces", "show"),
        ("traces", "search"),
        ("traces", "export"),
        ("store", "backup"),
        ("store", "restore"),
        ("store", "repair"),
    }


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_ends_well_and_names_every_option(cli: Cli, path: tuple[str, ...]) -> None:
    result = cli(*path, "--help")
    assert (result.code, result.err) == (0, "")
    assert result.text.startswith("Usage: ")
    assert " ".join(path) in result.text.partition("[OPTIONS]")[0]
    for parameter in COMMANDS[path].params:
        if parameter.param_type_name == "option":
            assert parameter.opts[0] in result.text
        assert getattr(parameter, "help", None), parameter.name


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_help_holds_an_example_of_the_command_itself(cli: Cli, path: tuple[str, ...]) -> None:
    examples = _examples(LEAVES[path])
    assert examples
    for example in examples:
        assert tuple(example[: len(path)]) == path
    assert "Example" in cli(*path, "--help").text


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_every_option_in_an_example_exists(path: tuple[str, ...]) -> None:
    command = LEAVES[path]
    known = {name for parameter in command.params for name in parameter.opts}
    for example in _examples(command):
        used = {word.partition("=")[0] for word in example if word.startswith("--")}
        assert used <= known
        # Parses values and arguments too, and runs nothing.
        command.make_context(path[-1], example[len(path) :])


def test_an_example_with_an_option_that_does_not_exist_would_be_found() -> None:
    with pytest.raises(Exception, match="--no-such-option"):
        LEAVES["run",].make_context("run", ["--no-such-option"])


def test_version_is_the_packages(cli: Cli) -> None:
    result = cli("--version")
    assert (result.code, result.err) == (0, "")
    assert result.out == f"patchlab-agent {patchlab_agent.__version__}\n"


@pytest.mark.parametrize("path", [path for path in COMMANDS if path not in LEAVES], ids=" ".join)
def test_a_group_without_a_command_shows_its_help(cli: Cli, path: tuple[str, ...]) -> None:
    result = cli(*path)
    assert result.code == 2
    for name in COMMANDS[path].commands:
        assert name in f"{result.text} {result.error}"


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import contextlib, io, sys\n"
        "from patchlab_agent.cli.app import main\n"
        f"for path in {[list(path) for path in COMMANDS]!r}:\n"
        "    sys.argv = ['patchlab-agent', *path, '--help']\n"
        "    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):\n"
        "        main()\n"
        "print(*sys.modules, sep='\\n')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert "patchlab_agent.cli.run" in loaded
    heavy = {"chromadb", "litellm", "matplotlib", "scipy", "numpy", "wordllama", "jinja2"}
    assert not loaded & heavy


@pytest.mark.parametrize(
    ("first_guess", "exact"),
    [
        (["-h"], ["--help"]),
        (["help"], ["--help"]),
        (["-V"], ["--version"]),
        (["run", "-h"], ["run", "--help"]),
        (["help", "run"], ["run", "--help"]),
        (["help", "patches", "list"], ["patches", "list", "--help"]),
        (["patches", "list", "-h"], ["patches", "list", "--help"]),
    ],
)
def test_first_guesses_at_help_work(cli: Cli, first_guess: list[str], exact: list[str]) -> None:
    wanted, found = cli(*exact), cli(*first_guess)
    assert (found.code, found.out) == (0, wanted.out)
    assert wanted.out


def test_help_for_a_command_that_is_not_there_is_refused(cli: Cli) -> None:
    found = cli("help", "nope")
    assert found.code == 2
    assert "No such command 'nope'" in found.err
