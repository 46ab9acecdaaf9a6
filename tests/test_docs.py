"""The pages do what they say: commands and code run as they stand; links and tables are right."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from patchlab_agent import PatchLabError, errors
from tests.test_architecture import MAY_IMPORT, ROOT

DOCS = Path(__file__).parent.parent / "docs"
_BLOCK = re.compile(r"^```(console|text|python)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\(([^)#:]*)(?:#([^)]*))?\)")


def blocks(page: str) -> list[tuple[str, str]]:
    """A page's blocks of commands, code and output in their order."""
    return _BLOCK.findall((DOCS / page).read_text("utf-8"))


def words(text: str) -> str:
    """A text on one line, so that a narrower terminal changes nothing."""
    return " ".join(text.split())


def shell(commands: str, folder: Path) -> str:
    """What commands print, which must succeed."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-e", "-c", commands],
        cwd=folder,
        env={**os.environ, "PATH": path, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{commands}\n{done.stderr}"
    return words(done.stdout)


def test_the_tutorial_runs_from_an_empty_folder_and_shows_what_it_says(own_folder: Path) -> None:
    printed, shown, folder = "", 0, own_folder
    for language, block in blocks("tutorial.md"):
        if language == "text":
            for line in filter(None, map(words, block.splitlines())):
                assert line in printed
                shown += 1
            continue
        if "mkdir lessons" in block:
            folder = own_folder / "lessons"
        printed = shell(block, folder if folder.exists() else own_folder)
    assert shown >= 12
    assert (folder / "report.html").stat().st_size > 10_000
    assert (folder / "elsewhere" / "patchlab.json").exists()


def test_the_page_on_tasks_does_what_it_says(
    own_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    printed = ""
    for language, block in blocks("tasks.md"):
        if language == "console":
            printed = shell(block, own_folder)
        elif language == "text":
            assert words(block) in printed
        else:
            exec(block, {})
            first, second = capsys.readouterr().out.splitlines()
            page = (DOCS / "tasks.md").read_text("utf-8")
            assert f"That prints `{first}` and `{second}`." in page


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
        if isinstance(kind, type) and issubclass(kind, PatchLabError) and kind.exit_code > 1
    }
    assert set(re.findall(r"^\| `(\w+)` \| (\d+) \|", page, re.MULTILINE)) == raised


PAGES = [DOCS.parent / "README.md", DOCS.parent / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target, heading in _LINK.findall(page.read_text("utf-8")):
        aim = page.parent / target if target else page
        assert aim.exists(), target
        if heading:
            assert heading in anchors(aim), f"{target}#{heading}"


def anchors(page: Path) -> set[str]:
    """Where links into a page may point: its headings as addresses."""
    headings = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in headings}


def test_the_index_lists_every_page() -> None:
    listed = re.findall(
        r"^\| \[[^]]+\]\(([^)]+)\) \| .*\. \|$",
        (DOCS / "index.md").read_text("utf-8"),
        re.MULTILINE,
    )
    assert len(set(listed)) == len(listed)
    assert {path.name for path in DOCS.glob("*.md")} - {"index.md"} <= set(listed)


def test_the_architecture_names_every_room_from_the_bottom_up() -> None:
    page = (DOCS / "architecture.md").read_text("utf-8")
    table = page[page.index("## Packages") :]
    rows = re.findall(r"^\| (`.*?`) \| ", table[: table.index("\n## ", 1)], re.MULTILINE)
    seen: set[str] = set()
    for row in rows:
        here = set(re.findall(r"`(\w+)/?`", row))
        for room in here:
            assert MAY_IMPORT[room] <= seen | here | {ROOT}, room
        seen |= here
    assert seen == MAY_IMPORT.keys() - {ROOT}
