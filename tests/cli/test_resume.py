"""`run --resume`: a run that a signal or an outage ended goes on where it stopped."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from patchlab_agent.lab.opening import open_lab
from patchlab_agent.models.prompt import Completion, Prompt
from patchlab_agent.settings import RunSettings
from patchlab_agent.shipping.toy.backend import ToyBackend
from tests.cli.helpers import Cli, assert_refused, without_times

RUN = ("--runs", "8", "--golden", "2", "--noise", "0.1")


class _Signalled(ToyBackend):
    """The toy, whose process is asked to end at the fifth request."""

    def complete(self, prompt: Prompt) -> Completion:
        if prompt.draw.startswith("run-0001:4"):
            signal.raise_signal(signal.SIGTERM)
        return super().complete(prompt)


@pytest.fixture
def cut(cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A store whose first run was ended by SIGTERM."""
    monkeypatch.setattr(signal, "getsignal", lambda _: signal.SIG_DFL)
    store = tmp_path / "cut"
    with monkeypatch.context() as patch:
        patch.setattr(
            "patchlab_agent.lab.backend_choice.backend_of", lambda *_: _Signalled(noise=0.1)
        )
        assert cli("run", *RUN, "--store", store).code == 143
    return store


@pytest.fixture
def expected(cli: Cli, tmp_path: Path) -> dict[str, Any]:
    """The report of the run undisturbed."""
    return without_times(cli("run", *RUN, "--store", tmp_path / "whole", "--json").json)


def test_it_ends_in_the_report_of_a_run_that_never_stopped(
    cli: Cli, cut: Path, expected: dict[str, Any]
) -> None:
    assert len(cli("traces", "list", "--store", cut, "--json").json) == 4
    # What is left out is as it was.
    result = cli("run", "--resume", "--store", cut, "--json")
    assert (result.code, result.err) == (0, "")
    assert without_times(result.json) == expected
    assert cli("doctor", "--store", cut, "--offline").code == 0
    again = cli("run", *RUN, "--resume", "--store", cut, "--json")
    assert without_times(again.json) == expected
    assert again.err == "run-0001 came to its end already; this is its report.\n"


def test_the_same_from_python(cut: Path, expected: dict[str, Any]) -> None:
    with open_lab(store=cut, noise=0.1) as lab:
        report = lab.run(RunSettings(runs=8, golden=2, noise=0.1, store=cut), resume=True)
    assert without_times(report.model_dump(mode="json")) == expected


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (("--seed", "8"), "run-0001 was started with --seed 7, not with --seed 8; leave that out"),
        (("--runs", "9"), "--runs 8, not with --runs 9"),
        (("--golden", "3"), "--golden 2, not with --golden 3"),
        (("--drift", "4"), "no --drift, not with --drift 4"),
        (("--concurrency", "2"), "--concurrency 1, not with --concurrency 2"),
    ],
)
def test_other_settings_are_refused(
    cli: Cli, cut: Path, changed: tuple[str, ...], told: str
) -> None:
    result = cli("run", "--resume", "--store", cut, *changed)
    assert_refused(result, 2, told, "start a new run without --resume")
    assert len(cli("traces", "list", "--store", cut, "--json").json) == 4


def test_where_there_is_nothing_to_resume_a_run_starts(
    cli: Cli, tmp_path: Path, expected: dict[str, Any]
) -> None:
    result = cli("run", *RUN, "--resume", "--store", tmp_path / "new", "--json")
    assert result.code == 0
    assert result.err.startswith("There is no run to resume in ")
    assert without_times(result.json) == expected


def test_to_go_on_is_not_to_start_over(cli: Cli, cut: Path) -> None:
    result = cli("run", "--resume", "--fresh", "--yes", "--store", cut)
    assert_refused(result, 2, "--fresh starts over and --resume goes on")


def test_a_new_run_is_the_one_to_resume_from_then_on(cli: Cli, cut: Path) -> None:
    assert cli("run", *RUN, "--store", cut, "--json").json["run"] == "run-0002"
    assert cli("run", "--resume", "--store", cut, "--json").json["run"] == "run-0002"
