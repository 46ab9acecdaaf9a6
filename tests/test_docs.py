"""The pages do what they say: commands and code run as they stand, and print what is shown."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from patchlab_agent import PatchLabError, errors

DOCS = Path(__file__).parent.parent / "docs"
_BLOCK = re.compile(r"^```(console|text|python)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


def blocks(page: str) -> list[tuple[str, str]]:
    """A page's blocks of commands, code and output in their order."""
    return _BLOCK.findall((DOCS / page).read_text("utf-8"))


def words(text: str) -> str:
    """A text on one line, so that a narrower terminal changes nothing."""
    return " ".join(text.split())


def test_the_tutorial_runs_from_an_empty_folder_and_shows_what_it_says(own_folder: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "COLUMNS": "200"}
    printed, shown, folder = "", 0, own_folder
    for language, block in blocks("tutorial.md"):
        if language == "text":
            for line in filter(None, map(words, block.splitlines())):
                assert line in printed
                shown += 1
            continue
        if "mkdir lessons" in block:
            folder = own_folder / "lessons"
        done = subprocess.run(
            ["bash", "-e", "-c", block],
            cwd=folder if folder.exists() else own_folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{block}\n{done.stderr}"
        printed = words(done.stdout)
    assert shown >= 12
    assert (folder / "report.html").stat().st_size > 10_000
    assert (folder / "elsewhere" / "patchlab.json").exists()


def test_the_code_on_the_page_for_python_prints_what_is_shown(
    own_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names: dict[str, object] = {}
    printed, shown = "", 0
    for language, block in blocks("python.md"):
        if language == "text":
            assert block == printed
            printed, shown = "", shown + 1
            continue
        assert printed == "", "what is printed is not shown"
        exec(compile(block, "python.md", "exec"), names)
        printed = capsys.readouterr().out
    assert printed == ""
    assert shown > 12
    assert (own_folder / "report.html").stat().st_size > 10_000


def test_the_page_for_python_has_every_error_with_its_exit_code() -> None:
    page = (DOCS / "python.md").read_text("utf-8")
    raised = {
        (name, str(kind.exit_code))
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, PatchLabError) and kind is not PatchLabError
    }
    assert set(re.findall(r"^\| `(\w+)` \| (\d+) \|", page, re.MULTILINE)) == raised


@pytest.mark.parametrize("page", sorted(path.name for path in DOCS.glob("*.md")))
def test_links_between_pages_lead_somewhere(page: str) -> None:
    for target in _LINK.findall((DOCS / page).read_text("utf-8")):
        assert (DOCS / target).exists(), target
