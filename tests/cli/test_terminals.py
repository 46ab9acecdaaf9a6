"""Real pseudo-terminals of several widths, pipes that close, and disks that are full."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from patchlab_agent.cli.console import PIPE_WIDTH
from tests.cli.helpers import Cli
from tests.cli.terminals import PROGRAM, shown

REQUEST = "Ship 1 kg battery box to EU"
FULL = Path("/dev/full")


def named(command: object) -> str:
    """A command as the name of its test."""
    return "-".join(map(str, command[:2])) if isinstance(command, tuple) else str(command)


@pytest.mark.parametrize(
    ("columns", "command"),
    [
        *((columns, ("patches", "list")) for columns in (40, 60, 80, 200)),
        *((columns, ("run", "--runs", 10, "--golden", 5)) for columns in (40, 60, 80, 200)),
        (40, ("traces", "list")),
        (40, ("traces", "show", "t-0000001")),
        (40, ("answer", REQUEST)),
        (40, ("doctor",)),
        (40, ("config",)),
        (40, ("patches", "list", "--help")),
        (40, ("patches", "list", "--status", "no")),
    ],
    ids=named,
)
def test_nothing_is_wider_than_the_terminal(
    store: Path, columns: int, command: tuple[object, ...]
) -> None:
    screen = shown(columns, *command, PATCHLAB_STORE=str(store), TTY_INTERACTIVE="0")
    assert screen.code == (2 if "no" in command else 0), screen.text
    assert max(map(len, screen.lines)) <= columns
    # Nor is it much narrower where there is enough to say.
    assert max(map(len, screen.lines)) > min(columns, 60) / 2


@pytest.mark.parametrize("columns", [40, 60, 80])
def test_a_narrow_list_breaks_no_word_and_loses_none(store: Path, cli: Cli, columns: int) -> None:
    patches = cli("patches", "list", "--store", store, "--json").json
    screen = shown(columns, "patches", "list", "--store", store)
    words = set(screen.text.replace(",", " ").split())
    for patch in patches:
        assert patch["id"][:8] in words
        assert {patch["status"], patch["provenance"]["label"]} <= words


@pytest.mark.parametrize("columns", [40, 60])
def test_a_narrow_report_has_every_figure(columns: int) -> None:
    narrow = shown(columns, "run", "--runs", 20, "--golden", 10, "--store", "narrow")
    wide = shown(200, "run", "--runs", 20, "--golden", 10, "--store", "wide")
    report = narrow.text.partition("PatchLab")[2]
    assert "…" not in report.partition("Failures by label")[0]
    figures = [word for word in wide.text.split("Cost")[0].split() if "[" in word]
    assert figures
    for figure in figures:
        assert figure in report


def test_a_terminal_that_says_nothing_of_its_width_gets_some(store: Path) -> None:
    screen = shown(0, "patches", "list", "--store", store)
    assert screen.code == 0
    assert max(map(len, screen.lines)) <= 80


def test_a_dumb_terminal_is_as_wide_as_it_says_and_gets_no_escapes(store: Path) -> None:
    screen = shown(50, "run", "--runs", 5, "--golden", 0, "--store", store, TERM="dumb")
    assert screen.code == 0
    assert "\x1b" not in screen.raw
    assert max(map(len, screen.lines)) <= 50
    assert "Requests" not in screen.raw.split("PatchLab")[0]


def test_no_color_is_honoured(store: Path) -> None:
    coloured = shown(80, "doctor", "--store", store).raw
    plain = shown(80, "doctor", "--store", store, NO_COLOR="1").raw
    assert "\x1b[32m" in coloured
    assert "\x1b[32m" not in plain


def piped(*arguments: object, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, *PROGRAM, *map(str, arguments)],
        capture_output=True,
        check=False,
        env={**os.environ, "COLUMNS": "", **environment},
    )


def test_force_color_colours_a_pipe_and_makes_no_terminal_of_it(store: Path) -> None:
    done = piped("run", "--runs", 5, "--golden", 0, "--store", store, FORCE_COLOR="1")
    assert b"\x1b[1m" in done.stdout
    assert done.stderr == b""  # no progress bar in a file
    first = done.stdout.decode().splitlines()[0]
    assert len(first) == PIPE_WIDTH


@pytest.mark.parametrize("columns", ["", "60", "140"])
@pytest.mark.parametrize(
    "command",
    [
        ("run", "--help"),
        ("run", "--runs", 5, "--golden", 2, "--trace", 1),
        ("report",),
        ("patches", "list"),
        ("traces", "list"),
        ("traces", "show", "t-0000001"),
        ("answer", REQUEST),
        ("doctor",),
        ("config",),
    ],
    ids=named,
)
def test_a_pipe_is_as_wide_as_columns_says_and_lines_end_without_blanks(
    store: Path,
    cli: Cli,
    monkeypatch: pytest.MonkeyPatch,
    columns: str,
    command: tuple[object, ...],
) -> None:
    monkeypatch.setenv("PATCHLAB_STORE", str(store))
    monkeypatch.setenv("COLUMNS", columns)
    result = cli(*command)
    assert (result.code, result.err) == (0, "")
    lines = result.out.split("\n")
    assert [line for line in lines if line != line.rstrip(" ")] == []
    assert max(map(len, lines)) <= int(columns or PIPE_WIDTH)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
@pytest.mark.parametrize(
    "command",
    [
        ("patches", "list"),
        ("traces", "list"),
        ("answer", REQUEST),
        ("doctor",),
        ("run", "--help"),
        ("run", "--runs", 10, "--golden", 5, "--fresh", "--yes"),
    ],
    ids=named,
)
def test_lines_and_marks_have_stand_ins(
    store: Path, encoding: str, command: tuple[object, ...]
) -> None:
    whole, plain = (
        piped(*command, PATCHLAB_STORE=str(store), PYTHONIOENCODING=name)
        for name in ("utf-8", encoding)
    )
    assert (plain.returncode, plain.stderr) == (0, b"")
    # Requests may ask.
    assert plain.stdout.count(b"?") == whole.stdout.count(b"?")
    lines = plain.stdout.decode(encoding).splitlines()
    assert max(map(len, lines)) <= PIPE_WIDTH


def test_the_c_locale_is_no_worse(store: Path) -> None:
    c = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = piped("patches", "list", "--store", store, **c)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.isascii()
    assert b"?" not in done.stdout


def test_an_error_in_ascii_still_says_what_to_do() -> None:
    done = piped("answer", REQUEST, "--model", "a/b", PYTHONIOENCODING="ascii")
    assert done.returncode == 2
    assert b"--backend litellm --model ...." in done.stderr


@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize(
    ("command", "unbuffered"),
    [
        (("--help",), ""),
        (("--version",), ""),
        (("patches", "list"), ""),
        (("patches", "list", "--json"), ""),
        (("patches", "list", "--json"), "1"),
        (("run", "--runs", 3, "--golden", 0, "--json"), ""),
    ],
    ids=named,
)
def test_a_full_disk_is_one_sentence(
    store: Path, command: tuple[object, ...], unbuffered: str
) -> None:
    with FULL.open("wb") as full:
        done = subprocess.run(
            [sys.executable, *PROGRAM, *map(str, command)],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            env={**os.environ, "PATCHLAB_STORE": str(store), "PYTHONUNBUFFERED": unbuffered},
        )
    assert done.returncode == 10
    assert done.stderr.decode() == (
        "Error: Standard output cannot be written (No space left on device); "
        "make room, or send it somewhere else.\n"
    )


@pytest.mark.parametrize(
    "command",
    [
        ("patches", "list"),
        ("traces", "list", "--limit", 1000, "--json"),
        ("run", "--runs", 30, "--golden", 0, "--verbose"),
    ],
    ids=named,
)
def test_a_reader_that_has_enough_ends_it_quietly(store: Path, command: tuple[object, ...]) -> None:
    with subprocess.Popen(
        [sys.executable, *PROGRAM, *map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PATCHLAB_STORE": str(store)},
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        complaint = process.stderr.read()
    assert (process.returncode, complaint) == (141, b"")


def test_what_was_learned_before_the_reader_left_is_kept(cli: Cli) -> None:
    with subprocess.Popen(
        [sys.executable, *PROGRAM, "run", "--runs", "500", "--golden", "0", "-v", "--store", "s"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if b"Trace t-0000019 " in line:
                break
        process.stdout.close()
    assert process.returncode == 141
    assert len(cli("traces", "list", "--limit", 1000, "--store", "s", "--json").json) >= 20
    assert cli("doctor", "--store", "s").code == 0


def test_a_closed_output_is_no_bug(store: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", f'exec {sys.executable} -c "{PROGRAM[1]}" patches list --store {store} >&-'],
        stderr=subprocess.PIPE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
