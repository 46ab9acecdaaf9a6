"""Calling the command line in this process, and seeing what it did to a store."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from patchlab_agent.cli.app import main

_ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
_FRAME = re.compile(r"[\s│╭╮╰╯─━┃┏┓┗┛┡┩┠┨┣┫╇┳┴┬┼┤├┐┌└┘]+")

MARKUP = "Ship [red]2 kg[/red] books [/] [bold]box [link=x] to US"
"""What a console that took it for markup would lose, or break over."""


@dataclass(frozen=True)
class Result:
    """How a command ended and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as the one JSON document that it is."""
        return json.loads(self.out)

    @property
    def error(self) -> str:
        """Standard error on one line, without frames and colours."""
        return flat(self.err)

    @property
    def text(self) -> str:
        """Standard output on one line, without the lines of tables."""
        return flat(self.out)


Cli: TypeAlias = Callable[..., Result]


def flat(text: str) -> str:
    """A text on one line, without frames and colours."""
    return _FRAME.sub(" ", _ESCAPE.sub("", text)).strip()


def rows(table: str) -> list[list[str]]:
    """The cells of a printed table, line by line, those put together that were broken."""
    found: list[list[str]] = []
    for line in table.splitlines():
        if line.startswith("│"):
            cells = [cell.strip() for cell in line.split("│")[1:-1]]
            if cells[0]:
                found.append(cells)
            else:
                found[-1] = [before + more for before, more in zip(found[-1], cells, strict=True)]
    return found


def exit_code() -> int:
    """Run `main` with `sys.argv` as it is; a bug comes through as itself."""
    try:
        main()
    except SystemExit as end:
        if isinstance(end.code, str):
            raise TypeError("a text in place of an exit code") from end
        return end.code or 0
    return 0


def called(*arguments: object) -> Result:
    """Call `patchlab-agent` where no test's fixtures are at hand."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["patchlab-agent", *map(str, arguments)])
        patch.delenv("COLUMNS", raising=False)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = exit_code()
    return Result(code, out.getvalue(), err.getvalue())


def digests(folder: Path) -> dict[str, str]:
    """Every file below a folder with a digest of its content; folders by name alone."""
    return {
        str(path.relative_to(folder)): (
            "folder" if path.is_dir() else hashlib.sha256(path.read_bytes()).hexdigest()
        )
        for path in sorted(folder.rglob("*"))
    }


def contents(store: Path) -> tuple[object, ...]:
    """What a store holds, for commands that look into it: Chroma touches its files on opening."""
    own = {"patchlab.json", "runs", "prompts"}
    files = {name: found for name, found in digests(store).items() if Path(name).parts[0] in own}
    lists = (("patches", "list"), ("traces", "list", "--limit", 1000))
    return files, *(called(*args, "--store", store, "--json").json for args in lists)


def assert_refused(result: Result, code: int, *words: str) -> None:
    """The command ended with an error that is made for people, and printed no result."""
    assert result.code == code, result.err
    assert result.out == ""
    assert "Traceback" not in result.err
    for word in words:
        assert word in result.error
    if code != 2:
        assert result.err.startswith("Error: ")
        assert len(result.err.strip().splitlines()) == 1


def change_marker(store: Path, **changes: Any) -> None:
    """Rewrite a store's description of itself."""
    marker = store / "patchlab.json"
    marker.write_text(json.dumps({**json.loads(marker.read_text("utf-8")), **changes}), "utf-8")


def give_stdin(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    """Put bytes on standard input."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), "utf-8"))


def without_times(report: dict[str, Any]) -> dict[str, Any]:
    """A report without what two equal runs do not share."""
    return {name: value for name, value in report.items() if name not in {"timing", "store"}}
