"""A model that cannot be reached ends a run early, with what was done; a bug is not hidden."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from patchlab_agent.errors import BackendError, BackendUnavailable, BudgetReached
from patchlab_agent.models.prompt import Completion, Prompt
from patchlab_agent.shipping.toy.backend import ToyBackend
from tests.cli.helpers import Cli, assert_refused

OUTAGE = BackendUnavailable("The model cannot be reached; try again later.")
STOP = {"kind": "outage", "reason": str(OUTAGE)}
Breaks = Callable[[Callable[[Prompt], bool], BaseException], None]


class _Breaking(ToyBackend):
    """The toy, until a prompt comes that breaks it."""

    breaks: Callable[[Prompt], bool]
    error: BaseException

    def complete(self, prompt: Prompt) -> Completion:
        if self.breaks(prompt):
            raise self.error
        return super().complete(prompt)


@pytest.fixture
def breaks(monkeypatch: pytest.MonkeyPatch) -> Breaks:
    """Makes the model break; given again, the new way counts."""

    def set_up(when: Callable[[Prompt], bool], error: BaseException) -> None:
        backend = _Breaking()
        backend.breaks, backend.error = when, error
        monkeypatch.setattr("patchlab_agent.lab.backend_choice.backend_of", lambda *_: backend)

    return set_up


def at(draw: str) -> Callable[[Prompt], bool]:
    return lambda prompt: prompt.draw.startswith(draw)


def never(prompt: Prompt) -> bool:
    return False


RUN = ("run", "--runs", 20, "--golden", 4, "--store", "s")


def _traces(cli: Cli) -> int:
    return len(cli("traces", "list", "--limit", 1000, "--store", "s", "--json").json)


def test_an_outage_in_the_stream_keeps_and_reports_what_was_done(cli: Cli, breaks: Breaks) -> None:
    breaks(at("run-0001:7"), OUTAGE)
    result = cli(*RUN)
    assert result.code == 9
    assert result.err == f"Error: {OUTAGE} The report is of what was done before.\n"
    assert "run-0001: 7 requests" in result.text
    assert f"It ended early: {OUTAGE} What was learned is kept." in result.text
    assert "all runs 7 " in result.text
    assert "golden set" not in result.text.casefold()
    assert _traces(cli) == 7


def test_json_of_an_outage_says_why_it_stopped(cli: Cli, breaks: Breaks) -> None:
    breaks(at("run-0001:7"), OUTAGE)
    result = cli(*RUN, "--json")
    assert result.code == 9
    assert (result.json["runs"], result.json["stopped"]) == (7, STOP)
    assert result.json["golden"] is None
    assert sum(c["patched"] for c in result.json["clusters"]) <= 7
    assert json.loads(Path("s/runs/run-0001.json").read_text("utf-8")) == result.json


def test_an_outage_from_the_start_reports_nothing(cli: Cli, breaks: Breaks) -> None:
    breaks(at(""), OUTAGE)
    assert_refused(cli(*RUN), 5, str(OUTAGE))
    assert_refused(cli(*RUN, "--json"), 5, str(OUTAGE))
    assert not list(Path("s/runs").glob("*.json"))
    assert cli("traces", "list", "--store", "s").out == "No trace yet.\n"
    assert cli("patches", "list", "--store", "s").out == "No such patch.\n"


def test_an_outage_in_the_gate_decides_nothing(cli: Cli, breaks: Breaks) -> None:
    breaks(at("gate:"), OUTAGE)
    result = cli(*RUN, "--json")
    assert (result.code, result.json["stopped"]) == (9, STOP)
    assert result.json["patches"]["proposed"] == 0
    # The request in whose gate it happened is judged, so it counts.
    assert _traces(cli) == result.json["runs"] > 0
    assert cli("patches", "list", "--store", "s", "--json").json == []


def test_an_outage_in_a_later_gate_keeps_what_was_decided(cli: Cli, breaks: Breaks) -> None:
    seen: set[str] = set()

    def in_the_gate_of_a_later_run(prompt: Prompt) -> bool:
        seen.add(prompt.draw)
        return prompt.draw.startswith("gate:") and "run-0001:7" in seen

    breaks(in_the_gate_of_a_later_run, OUTAGE)
    result = cli(*RUN, "--json")
    assert result.code == 9
    assert result.json["stopped"] == STOP
    assert 7 <= result.json["runs"] < 20
    assert _traces(cli) == result.json["runs"]
    decided = cli("patches", "list", "--store", "s", "--json").json
    assert len(decided) == result.json["patches"]["created"] > 0


def test_an_outage_on_the_golden_set_keeps_the_whole_stream(cli: Cli, breaks: Breaks) -> None:
    breaks(at("golden"), OUTAGE)
    result = cli(*RUN, "--json")
    assert result.code == 9
    assert (result.json["runs"], result.json["stopped"]) == (20, STOP)
    assert result.json["golden"] is None
    assert _traces(cli) == 20


def test_after_an_outage_the_store_can_be_used(cli: Cli, breaks: Breaks) -> None:
    breaks(at("run-0001:12"), OUTAGE)
    learned = cli(*RUN, "--json").json["patches"]["in_store"]["active"]
    assert learned > 0
    breaks(never, OUTAGE)
    again = cli(*RUN, "--json")
    assert again.code == 0
    assert again.json["run"] == "run-0002"
    assert again.json["continued_from"] == learned
    assert _traces(cli) == 12 + 20


def test_a_refused_call_ends_the_run_with_its_reason(cli: Cli, breaks: Breaks) -> None:
    refusal = BackendError("The model does not take this prompt; shorten it.")
    breaks(at("run-0001:7"), refusal)
    result = cli(*RUN, "--json")
    assert result.code == 9
    assert result.err == f"Error: {refusal} The report is of what was done before.\n"
    assert result.json["stopped"] == {"kind": "refused", "reason": str(refusal)}
    assert _traces(cli) == 7


@pytest.mark.parametrize(("when", "runs"), [("", 0), ("run-0001:7", 7)])
def test_a_budget_that_is_spent_is_an_end_that_was_asked_for(
    cli: Cli, breaks: Breaks, when: str, runs: int
) -> None:
    breaks(at(when), BudgetReached("The 99 calls are spent."))
    result = cli(*RUN, "--json")
    assert (result.code, result.err) == (0, "")
    assert result.json["stopped"] == {"kind": "budget", "reason": "The 99 calls are spent."}
    assert (result.json["runs"], result.json["golden"]) == (runs, None)
    assert _traces(cli) == runs


def test_an_outage_leaves_a_quote_unanswered_and_unstored(
    cli: Cli, breaks: Breaks, store: Path
) -> None:
    traces = ("traces", "list", "--limit", 1000, "--store", store, "--json")
    before = cli(*traces).json
    breaks(at(""), OUTAGE)
    assert_refused(cli("answer", "Ship 2 kg books box to US", "--store", store), 5, str(OUTAGE))
    assert cli(*traces).json == before


def test_an_interrupted_run_keeps_what_was_done(cli: Cli, breaks: Breaks) -> None:
    breaks(at("run-0001:3"), KeyboardInterrupt())
    result = cli(*RUN)
    assert result.code == 130
    assert "Traceback" not in result.err
    assert _traces(cli) == 3
    breaks(never, OUTAGE)
    assert cli(*RUN).code == 0


def test_a_bug_comes_through_and_the_store_can_be_used_after_it(cli: Cli, breaks: Breaks) -> None:
    breaks(at("run-0001:3"), RuntimeError("a bug"))
    with pytest.raises(RuntimeError, match="a bug"):
        cli(*RUN)
    assert _traces(cli) == 3
    breaks(never, OUTAGE)
    assert cli(*RUN).code == 0


def test_a_bug_keeps_its_traceback() -> None:
    script = (
        "import sys, patchlab_agent.lab.opening as lab\n"
        "def lab_of(settings): raise RuntimeError('a bug')\n"
        "lab.lab_of = lab_of\n"
        "from patchlab_agent.cli.app import main\n"
        "sys.argv = ['patchlab-agent', 'quote', 'Ship 2 kg books box to US']\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert "Traceback (most recent call last)" in done.stderr
    assert "in answer" in done.stderr
    assert done.stderr.endswith("RuntimeError: a bug\n")
