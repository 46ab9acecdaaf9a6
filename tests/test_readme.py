"""The README says nothing that does not hold: its snippets run, its options and codes exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer
from typer.main import get_command

from patchlab_agent import errors
from patchlab_agent.cli.app import app
from patchlab_agent.errors import PatchLabError
from patchlab_agent.shipping.world import ShippingWorld

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    """The README's code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def commands() -> list[list[str]]:
    """Every patchlab-agent call in the README, as arguments without the program's name."""
    lines = "\n".join(blocks("console")).splitlines()
    calls = (shlex.split(line, comments=True) for line in lines if "patchlab-agent" in line)
    found = []
    for words in calls:
        starts = [i for i, word in enumerate(words) if word.endswith("patchlab-agent")]
        found += [words[start + 1 :] for start in starts]
    return found


def test_the_python_session_prints_what_the_readme_says(
    capsys: pytest.CaptureFixture[str],
) -> None:
    session = next(block for block in blocks("python") if "open_lab" in block)
    exec(compile(session, "README.md", "exec"), {})
    printed = capsys.readouterr().out.strip()
    assert f"That prints `{printed}`" in README


def test_the_chroma_session_runs_on_a_store(capsys: pytest.CaptureFixture[str]) -> None:
    session, outside = (
        next(block for block in blocks("python") if name in block)
        for name in ("open_lab", "chromadb")
    )
    exec(compile(session.replace('store="lab", ', ""), "README.md", "exec"), {})
    exec(compile(outside, "README.md", "exec"), {})
    assert "bleach → restriction: item=bleach, demand=hazmat" in capsys.readouterr().out


def test_the_labeled_requests_can_be_read(own_folder: Path) -> None:
    path = own_folder / "mine.csv"
    path.write_text(blocks("csv")[0], "utf-8")
    assert len(ShippingWorld().read_cases(path)) == 2


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_each_command_and_option_exists(words: list[str]) -> None:
    command = get_command(app)
    rest = list(words)
    while isinstance(command, typer.core.TyperGroup):
        command = command.commands[rest.pop(0)]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in rest if word.startswith("--")} <= known


def test_pictures_are_there_and_drawn_by_the_command_above_them() -> None:
    shown = re.findall(r"^!\[[^]]+\]\(([^)]+)\)$", README, re.MULTILINE)
    assert shown
    assert all((ROOT / path).is_file() for path in shown)
    drawn = [words[words.index("--plot") + 1] for words in commands() if "--plot" in words]
    assert drawn
    assert set(drawn) <= set(shown)


def test_the_exit_codes_are_those_of_the_errors() -> None:
    documented = {int(code) for code in re.findall(r"^\| (\d+) \|", README, re.MULTILINE)}
    raised = {
        kind.exit_code
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, PatchLabError)
    }
    assert documented == raised | {0}
