"""Completion as shells ask for it: commands, options, choices, in three shells."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from patchlab_agent import open_lab
from tests.cli.helpers import Cli

PROGRAM = "import sys; sys.argv[0] = 'patchlab-agent'; import patchlab_agent.cli.app as a; a.main()"
SHELLS = ("bash", "zsh", "fish")


def asked(shell: str, line: str, **environment: str) -> str:
    """What a shell gets told when the tab key is pressed at the end of a line."""
    words = line.split(" ")
    told = {
        "bash": {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)},
        "zsh": {"_TYPER_COMPLETE_ARGS": line},
        "fish": {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
    }[shell]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        env={
            **os.environ,
            **told,
            **environment,
            "_PATCHLAB_AGENT_COMPLETE": f"complete_{shell}",
        },
    )
    assert done.stderr == ""
    return done.stdout


def offered(shell: str, line: str, **environment: str) -> set[str]:
    """The choices alone, without their helps."""
    answer = asked(shell, line, **environment)
    lines = answer.rstrip("\n").split("\n")
    if shell != "zsh":
        return {choice.partition("\t")[0] for choice in lines if choice}
    inner = answer.partition("((")[2].rpartition("))")[0]
    return {choice.split('"')[1] for choice in inner.split("\n") if choice}


@pytest.mark.parametrize("shell", SHELLS)
def test_commands_are_offered_at_every_depth(shell: str) -> None:
    assert offered(shell, "patchlab-agent an") == {"answer"}
    assert {"run", "doctor", "config", "patches"} <= offered(shell, "patchlab-agent ")
    assert {"list", "show"} <= offered(shell, "patchlab-agent traces ")


@pytest.mark.parametrize("shell", SHELLS)
def test_options_are_offered_by_their_beginning(shell: str) -> None:
    # One of them has a help longer than a line, which must not look like a choice.
    assert offered(shell, "patchlab-agent run --ba") == {"--backend"}
    assert offered(shell, "patchlab-agent doctor --off") == {"--offline"}


@pytest.mark.parametrize("shell", SHELLS)
def test_choices_are_offered(shell: str) -> None:
    assert offered(shell, "patchlab-agent run --patcher ") == {"auto", "rules", "llm"}
    assert offered(shell, "patchlab-agent patches list --status q") == {"quarantined"}


@pytest.mark.parametrize("shell", SHELLS)
def test_ids_are_offered_from_the_store_that_the_line_names(shell: str, store: Path) -> None:
    newest = "t-0000059"
    line = f"patchlab-agent traces show --store {store} t-000005"
    assert newest in offered(shell, line)
    assert len(offered(shell, line)) == 10
    elsewhere = "patchlab-agent traces show t-000005"
    assert offered(shell, elsewhere, PATCHLAB_STORE=str(store)) == offered(shell, line)
    assert offered(shell, elsewhere) == set()


@pytest.mark.parametrize("shell", SHELLS)
def test_a_store_named_by_the_table_is_asked_too(shell: str, store: Path, own_folder: Path) -> None:
    (own_folder / "pyproject.toml").write_text(f'[tool.patchlab]\nstore = "{store}"\n', "utf-8")
    assert len(offered(shell, "patchlab-agent traces show t-000005")) == 10


@pytest.mark.parametrize("shell", SHELLS)
def test_a_request_of_others_is_neither_markup_nor_a_command(shell: str) -> None:
    with open_lab(store="s") as lab:
        for number, odd in enumerate((r"\$(touch x)", r"\`touch x`", "[/] [red]", "')) ; (( \"")):
            trace = lab.agent.answer(f"Ship 2 kg {odd} box to US", trace_id=f"t-{number}")
            lab.store.traces.add(trace)
    line = "patchlab-agent traces show --store s t"
    assert offered(shell, line) == {"t-0", "t-1", "t-2", "t-3"}
    told = asked(shell, line).removeprefix("_arguments '*: :((").removesuffix("))'\n")
    assert not set("$`\\[]();'") & set(told)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_broken_table_does_not_reach_the_command_line(shell: str, own_folder: Path) -> None:
    (own_folder / "pyproject.toml").write_text("[tool.patchlab]\ntopk = 1\n", "utf-8")
    assert offered(shell, "patchlab-agent ru") == {"run"}


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_is_printed_wherever_it_is_asked_for(shell: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "--show-completion", shell],
        capture_output=True,
        text=True,
        check=True,
        env={},
    )
    assert f"_PATCHLAB_AGENT_COMPLETE=complete_{shell}" in done.stdout
    assert "patchlab-agent" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("shell", "script"),
    [
        ("bash", ".bash_completions/patchlab-agent.sh"),
        ("zsh", ".zfunc/_patchlab-agent"),
        ("fish", ".config/fish/completions/patchlab-agent.fish"),
    ],
)
def test_installing_writes_where_the_shell_looks(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, own_folder: Path, shell: str, script: str
) -> None:
    monkeypatch.setenv("HOME", str(own_folder))
    (own_folder / ".bashrc").write_text("alias ll='ls -l'\n", "utf-8")
    result = cli("--install-completion", shell)
    assert (result.code, result.err) == (0, "")
    assert str(own_folder / script) in result.out
    assert "_PATCHLAB_AGENT_COMPLETE" in (own_folder / script).read_text("utf-8")
    assert "alias ll" in (own_folder / ".bashrc").read_text("utf-8")


@pytest.mark.parametrize("option", ["--show-completion", "--install-completion"])
@pytest.mark.parametrize("shell", [("tcsh",), ()])
def test_a_shell_that_is_not_known_or_not_named(
    cli: Cli, option: str, shell: tuple[str, ...]
) -> None:
    result = cli(option, *shell)
    assert (result.code, result.out) == (2, "")
    assert option in result.error


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
def test_bash_itself_completes(own_folder: Path) -> None:
    program = own_folder / "patchlab-agent"
    program.write_text(f"#!{sys.executable}\n{PROGRAM}\n", "utf-8")
    program.chmod(0o755)
    script = """
        eval "$(patchlab-agent --show-completion bash)"
        complete -p patchlab-agent >&2
        COMP_WORDS=(patchlab-agent patches list --status ""); COMP_CWORD=4
        _patchlab_agent_completion patchlab-agent
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PATH": f"{own_folder}:{os.environ['PATH']}"},
    )
    assert "-F _patchlab_agent_completion" in done.stderr
    assert set(done.stdout.split()) == {"active", "quarantined", "retired", "disabled"}
