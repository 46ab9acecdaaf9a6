"""Signals end a command as Ctrl-C does, with a sentence and a code of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from patchlab_agent.cli.signals import Ended, polite_end
from patchlab_agent.models.prompt import Completion, Prompt
from patchlab_agent.shipping.toy.backend import ToyBackend
from tests.cli.helpers import Cli
from tests.cli.terminals import PROGRAM

RUN = ("run", "--runs", "6", "--golden", "0", "--store", "s")
ENDS = [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)]


class _Signalled(ToyBackend):
    """The toy, to whose process something happens at the fourth request."""

    def __init__(self, *numbers: signal.Signals) -> None:
        super().__init__()
        self._numbers = list(numbers)

    def complete(self, prompt: Prompt) -> Completion:
        if prompt.draw.startswith("run-0001:3") and self._numbers:
            signal.raise_signal(self._numbers.pop(0))
        return super().complete(prompt)


@pytest.fixture(autouse=True)
def heard() -> Iterator[None]:
    """Signals as a command in the foreground has them, wherever the tests run."""
    usual: dict[signal.Signals, Any] = {
        signal.SIGINT: signal.default_int_handler,
        signal.SIGTERM: signal.SIG_DFL,
        signal.SIGHUP: signal.SIG_DFL,
    }
    before = {number: signal.signal(number, handler) for number, handler in usual.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def signalled(monkeypatch: pytest.MonkeyPatch, *numbers: signal.Signals) -> None:
    backend = _Signalled(*numbers)
    monkeypatch.setattr("patchlab_agent.lab.backend_choice.backend_of", lambda *_: backend)


def traces(cli: Cli) -> int:
    return len(cli("traces", "list", "--store", "s", "--json").json)


@pytest.mark.parametrize(("number", "code"), ENDS)
def test_a_signal_ends_a_run_and_keeps_what_was_done(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, code: int
) -> None:
    signalled(monkeypatch, number)
    result = cli(*RUN)
    assert (result.code, result.out) == (code, "")
    assert result.err == f"Ended by {number.name}; what was stored before is kept.\n"
    assert traces(cli) == 3
    assert cli(*RUN).code == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_that_the_parent_ignores_changes_nothing(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    signal.signal(number, signal.SIG_IGN)
    signalled(monkeypatch, number)
    result = cli(*RUN)
    assert (result.code, result.err) == (0, "")
    assert traces(cli) == 6
    assert signal.getsignal(number) is signal.SIG_IGN


def test_the_handlers_are_as_they_were_afterwards(cli: Cli) -> None:
    assert cli("config").code == 0
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL


def test_further_signals_do_not_disturb_the_tidying_up() -> None:
    tidied = []

    def end_twice() -> None:
        try:
            signal.raise_signal(signal.SIGHUP)
        finally:
            signal.raise_signal(signal.SIGTERM)
            tidied.append(True)

    with pytest.raises(Ended, match="SIGHUP"), polite_end():
        end_twice()
    assert tidied == [True]


def test_a_question_left_open_by_a_signal_is_no_answer() -> None:
    def asked() -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
        except KeyboardInterrupt:
            sys.exit(1)  # as an aborted prompt does

    with pytest.raises(Ended) as ended, polite_end():
        asked()
    assert ended.value.exit_code == 143


def test_a_process_in_the_background_ends_by_sigterm(cli: Cli) -> None:
    """A real one, in which the parent ignores SIGINT as shells do for background jobs."""
    ignoring = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); "
    with subprocess.Popen(
        [sys.executable, "-c", ignoring + PROGRAM[1], *RUN, "--verbose", "--runs", "20"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for line in process.stdout:
            if b"t-0000002 " in line:
                process.send_signal(signal.SIGINT)
            if b"t-0000008 " in line:
                process.send_signal(signal.SIGTERM)
                break
        process.stdout.read()
        assert process.wait() == 143
        assert process.stderr.read() == b"Ended by SIGTERM; what was stored before is kept.\n"
    assert traces(cli) >= 9
    assert Path("s/patchlab.json").exists()
