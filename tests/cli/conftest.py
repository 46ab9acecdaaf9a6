"""The command line as a fixture, and a store that learned something."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.helpers import Cli, Result, called, exit_code

RUNS = 60


@dataclass(frozen=True)
class Learned:
    """A store after its first run, which nobody writes to any more, and what that run printed."""

    store: Path
    result: Result


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Calls `patchlab-agent` with arguments, outside of any terminal."""
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    # However slow the machine is.
    monkeypatch.setattr("patchlab_agent.cli.console.LOG_SECONDS", float("inf"))

    def call(*arguments: object) -> Result:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["patchlab-agent", *map(str, arguments)])
        code = exit_code()
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return call


@pytest.fixture(scope="session")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Learned:
    """The first run of all tests' store."""
    store = tmp_path_factory.mktemp("cli") / "learned"
    result = called("run", "--runs", RUNS, "--golden", 12, "--store", store)
    return Learned(store, result)


@pytest.fixture
def store(learned: Learned, tmp_path: Path) -> Path:
    """A copy of the learned store, for this test alone."""
    copy = tmp_path / "store"
    shutil.copytree(learned.store, copy)
    return copy
