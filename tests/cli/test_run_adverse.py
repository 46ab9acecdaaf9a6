"""`run` in a simulator that errs, or whose rules change."""

from __future__ import annotations

import pytest

from tests.cli.helpers import Cli


def test_false_feedback_costs_something_and_figures_stay_true(cli: Cli) -> None:
    true = cli("run", "--runs", 120, "--golden", 60, "--json").json
    false = cli(
        "run", "--runs", 120, "--golden", 60, "--false-feedback", 0.3, "--fresh", "--yes", "--json"
    ).json
    # The baseline learns from nobody, so what the carrier says cannot change its figures.
    assert false["overall"]["baseline"] == true["overall"]["baseline"]
    assert false["patches"]["proposed"] > true["patches"]["proposed"]
    assert false["settings"]["false_feedback"] == 0.3


def test_drift_is_told_and_learned_from(cli: Cli) -> None:
    result = cli("run", "--runs", 240, "--drift", 121, "--golden", 0)
    assert "At run 121 the rules changed: the embargo on" in result.text
    assert "Success with patches was" in result.text
    told = cli("report", "run-0001", "--json").json["drift"]
    assert told["at"] == 121
    assert told["before"]["total"] == 120
    assert told["lowest"] is not None


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--false-feedback", 1.5), "false-feedback"),
        (("--drift", 1), "drift"),
        (("--drift", 300, "--runs", 20), "after the last run"),
        (("--gate-alpha", 0.7), "gate_alpha=0.7 cannot be used"),
        (("--gate-max-calls", 1), "gate-max-calls"),
        (("--trust", "everybody"), "trust"),
    ],
)
def test_what_cannot_be_used_is_refused(
    cli: Cli, options: tuple[object, ...], problem: str
) -> None:
    result = cli("run", "--runs", 20, *options) if "--runs" not in options else cli("run", *options)
    assert result.code == 2
    assert problem in result.err
