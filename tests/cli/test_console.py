"""The consoles that commands share."""

from __future__ import annotations

import io
import json
import sys

import pytest

from patchlab_agent.cli.console import (
    PIPE_WIDTH,
    dumped,
    err,
    is_interactive,
    knows_unicode,
    out,
    print_json,
    progress,
)
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


def test_a_pipe_is_as_wide_as_the_tables_need(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", _Stream(terminal=False))
    assert out().width == PIPE_WIDTH


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
