"""README and docs say nothing that does not hold: snippets run, options and codes exist."""

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
from patchlab_agent.shipping.simulator import ShippingSimulator

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = {
    path: path.read_text("utf-8")
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md")))
}
README = PAGES[ROOT / "README.md"]


def blocks(language: str, text: str) -> list[str]:
    """A page's code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def commands(*texts: str) -> list[list[str]]:
    """Every patchlab-agent call on some pages, as arguments without the program's name."""
    lines = "\n".join(block for text in texts for block in blocks("console", text)).splitlines()
    calls = (shlex.split(line, comments=True) for line in lines if "patchlab-agent" in line)
    found = []
    for words in calls:
        starts = [i for i, word in enumerate(words) if word.endswith("patchlab-agent")]
        found += [words[start + 1 :] for start in starts]
    return found


def called(words: list[str]) -> tuple[typer.core.TyperCommand, tuple[str, ...], list[str]]:
    """The command that some words call, its name, and its arguments."""
    command, rest, name = get_command(app), list(words), []
    while isinstance(command, typer.core.TyperGroup):
        name.append(rest.pop(0))
        command = command.commands[name[-1]]
    assert isinstance(command, typer.core.TyperCommand)
    return command, tuple(name), rest


def names(command: object) -> set[tuple[str, ...]]:
    """Every command below a group, by its name."""
    below = getattr(command, "commands", {})
    found = {(name, *rest) for name, sub in below.items() for rest in names(sub)}
    return found if below else {()}


def test_the_readme_is_a_front_page() -> None:
    assert len(README.encode()) <= 9000
    assert len(re.findall(r"^!\[", README, re.MULTILINE)) == 1


def test_two_commands_lead_from_a_fresh_machine_to_a_report_and_through_the_tests() -> None:
    (report,), (tests,) = (block.splitlines() for block in blocks("console", README))
    assert report.startswith("python3 -m venv .venv && .venv/bin/pip install ")
    assert " -c constraints.txt -e . && " in report
    assert report.endswith(" && .venv/bin/patchlab-agent run --backend toy")
    assert " -c constraints.txt -e '.[dev]' && .venv/bin/python -m pytest " in tests


def test_the_checks_run_both_commands() -> None:
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    wanted = re.findall(r"^(?:\w+=\S+ )?readme '(.*)'$", script, re.MULTILINE)
    lines = [next(line for line in README.splitlines() if text in line) for text in wanted]
    assert lines == [block.strip() for block in blocks("console", README)]


def test_the_python_session_prints_what_the_readme_says(
    capsys: pytest.CaptureFixture[str],
) -> None:
    (session,) = blocks("python", README)
    exec(compile(session, "README.md", "exec"), {})
    printed = capsys.readouterr().out.strip()
    assert f"That prints `{printed}`" in README


def test_the_chroma_session_runs_on_a_store(capsys: pytest.CaptureFixture[str]) -> None:
    (session,) = blocks("python", README)
    (outside,) = blocks("python", PAGES[DOCS / "store.md"])
    exec(compile(session.replace('store="lab", ', ""), "README.md", "exec"), {})
    exec(compile(outside, "store.md", "exec"), {})
    assert "bleach → restriction: item=bleach, demand=hazmat" in capsys.readouterr().out


def test_the_labeled_requests_can_be_read(own_folder: Path) -> None:
    path = own_folder / "mine.csv"
    (table,) = blocks("csv", PAGES[DOCS / "requests.md"])
    path.write_text(table, "utf-8")
    assert len(ShippingSimulator().read_cases(path)) == 2


@pytest.mark.parametrize("words", commands(*PAGES.values()), ids=" ".join)
def test_each_command_and_option_exists(words: list[str]) -> None:
    command, _, rest = called(words)
    known = {option for parameter in command.params for option in parameter.opts}
    given = {word.partition("=")[0] for word in rest if word.startswith("--")}
    assert given <= known


def test_every_command_has_an_example_on_its_page() -> None:
    shown = {called(words)[1] for words in commands(PAGES[DOCS / "commands.md"])}
    assert shown == names(get_command(app))


def test_pictures_are_there_and_drawn_by_the_command_above_them() -> None:
    shown = {
        path.parent / target
        for path, text in PAGES.items()
        for target in re.findall(r"^!\[[^]]+\]\(([^)]+)\)$", text, re.MULTILINE)
    }
    assert {path.name for path in shown} == {"report.png", "false-feedback.png"}
    assert all(path.is_file() for path in shown)
    drawn = {
        ROOT / words[words.index("--plot") + 1]
        for words in commands(*PAGES.values())
        if "--plot" in words
    }
    assert drawn
    assert drawn <= shown


def test_the_exit_codes_are_those_of_the_errors() -> None:
    page = PAGES[DOCS / "commands.md"]
    documented = {int(code) for code in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)}
    raised = {
        kind.exit_code
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, PatchLabError)
    }
    assert documented == raised | {0}
