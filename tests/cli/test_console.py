"""The consoles that commands share."""

from __future__ import annotations

import errno
import io
import json
import re
import sys
from typing import Literal

import pytest
from rich.align import Align
from rich.console import Console
from rich.table import Table

from patchlab_agent.cli.console import (
    LOG_SECONDS,
    MIN_WIDTH,
    PIPE_WIDTH,
    dumped,
    err,
    is_interactive,
    knows_unicode,
    out,
    print_json,
    progress,
)
from patchlab_agent.cli.streams import guarded
from patchlab_agent.models.report import Score


class _Stream(io.StringIO):
    """A stream that is a terminal, or is none."""

    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "97")


@pytest.mark.parametrize("columns", [None, "", "0", "wide", "-80", "8²"])
def test_a_pipe_is_as_wide_as_the_tables_need(
    monkeypatch: pytest.MonkeyPatch, columns: str | None
) -> None:
    monkeypatch.setattr(sys, "stdout", _Stream(terminal=False))
    monkeypatch.delenv("COLUMNS")
    if columns is not None:
        monkeypatch.setenv("COLUMNS", columns)
    assert out().width == PIPE_WIDTH


@pytest.mark.parametrize(("columns", "width"), [("132", 132), ("60", 60), ("7", MIN_WIDTH)])
def test_a_pipe_is_as_wide_as_the_user_asks(
    monkeypatch: pytest.MonkeyPatch, columns: str, width: int
) -> None:
    monkeypatch.setattr(sys, "stdout", _Stream(terminal=False))
    monkeypatch.setenv("COLUMNS", columns)
    assert out().width == width


def test_a_table_too_wide_for_the_columns_asked_for_is_a_list(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = _Stream(terminal=False)
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setenv("COLUMNS", "40")
    table = Table(*(f"{name}-that-does-not-break" for name in ("one", "two", "three")))
    table.add_row("1", "2", "3")
    out().print(table)
    assert max(map(len, stream.getvalue().splitlines())) <= 40
    assert "three-that-does-not-break" in stream.getvalue()


@pytest.mark.parametrize("colours", [None, "standard"])
def test_lines_in_a_pipe_end_without_blanks(
    monkeypatch: pytest.MonkeyPatch, colours: Literal["standard"] | None
) -> None:
    stream = _Stream(terminal=False)
    monkeypatch.setattr(sys, "stdout", stream)
    with guarded():
        console = Console(width=40, color_system=colours, force_terminal=bool(colours))
        console.print(Align.center("[bold]title[/bold]"), Table.grid(padding=(0, 4)))
        console.print("[red]a  b   [/red]", "  c", "   ", sep="\n")
    plain = re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue())
    lines = plain.split("\n")
    assert [line.rstrip(" ") for line in lines] == lines
    assert "a  b" in lines
    assert "  c" in lines
    assert lines[0].lstrip() == "title"
    assert ("\x1b[" in stream.getvalue()) is bool(colours)


def test_lines_on_a_terminal_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = _Stream(terminal=True)
    monkeypatch.setattr(sys, "stdout", stream)
    with guarded():
        sys.stdout.write("a  \n")
    assert stream.getvalue() == "a  \n"


class _Broken(io.StringIO):
    """A stream to a full disk."""

    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_what_is_no_result_is_left_out_where_it_finds_no_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stderr", _Broken())
    with guarded():
        err().print("a word")


def test_a_terminal_says_how_wide_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", _Stream(terminal=True))
    assert out().width == 97


def test_what_is_no_result_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    err().print("a word")
    out().print("the result")
    assert capsys.readouterr() == ("the result\n", "a word\n")


def test_numbers_in_a_result_are_not_coloured(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = _Stream(terminal=True)
    monkeypatch.setattr(sys, "stdout", screen)
    out().print("12 of 'these'")
    assert screen.getvalue() == "12 of 'these'\n"


@pytest.mark.parametrize(
    ("encoding", "known"),
    [("utf-8", True), ("UTF-8", True), ("ascii", False), ("cp1252", False), ("latin-1", False)],
)
def test_block_characters_are_for_utf_streams(
    monkeypatch: pytest.MonkeyPatch, encoding: str, known: bool
) -> None:
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding))
    assert knows_unicode(out()) is known


def test_json_is_ascii_and_reads_back(capsys: pytest.CaptureFixture[str]) -> None:
    value = {"text": "[red] → \x1b[0m \ud800", "none": None, "number": 0.1}
    print_json(value)
    printed = capsys.readouterr().out
    assert printed.isascii()
    assert "\x1b" not in printed
    assert json.loads(printed) == value


def test_models_become_json_one_by_one() -> None:
    assert dumped([Score(precision=0.5, recall=None, f1=None)]) == [
        {"precision": 0.5, "recall": None, "f1": None}
    ]
    assert dumped([]) == []


def test_where_no_line_can_be_redrawn_a_long_run_says_how_far_it_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    now = 0.0
    with progress(lambda: now) as bars:
        task = bars.add_task("Requests", total=2000, note="")
        for now in (1, 30, LOG_SECONDS - 1):  # noqa: B007 - the clock reads it
            bars.update(task, advance=1)
        assert capsys.readouterr() == ("", "")
        now = LOG_SECONDS
        bars.update(task, advance=1200, note="12 active [patches]")
        now = LOG_SECONDS + 1
        bars.update(task, advance=1)
        now = 2 * LOG_SECONDS
        other = bars.add_task("Patches", total=None, note="")
        bars.update(other, completed=3)
    told = "Requests: 1,203 of 2,000, 12 active [patches]\nPatches: 3\n"
    assert capsys.readouterr() == ("", told)


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_is_for_terminals(monkeypatch: pytest.MonkeyPatch, terminal: bool) -> None:
    screen = _Stream(terminal)
    monkeypatch.setattr(sys, "stderr", screen)
    with progress() as bars:
        bars.add_task("Requests", total=3, completed=2, note="a note")
    assert ("Requests" in screen.getvalue()) is terminal
    assert ("2/3" in screen.getvalue()) is terminal
    assert bool(screen.getvalue()) is terminal


@pytest.mark.parametrize(
    ("stdin", "stderr", "person"),
    [(True, True, True), (True, False, False), (False, True, False), (False, False, False)],
)
def test_a_person_needs_a_keyboard_and_a_screen(
    monkeypatch: pytest.MonkeyPatch, stdin: bool, stderr: bool, person: bool
) -> None:
    monkeypatch.setattr(sys, "stdin", _Stream(stdin))
    monkeypatch.setattr(sys, "stderr", _Stream(stderr))
    assert is_interactive() is person
