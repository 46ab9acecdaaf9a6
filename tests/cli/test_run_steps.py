"""`run --verbose` and `--trace`: run by run, and the progress bar that stands in for it."""

from __future__ import annotations

import io
import re
import shutil
import sys

import pytest

from tests.cli.conftest import RUNS, Learned
from tests.cli.helpers import Cli, called


def _blocks(text: str) -> list[str]:
    """The steps of each run, up to the report."""
    steps = text.partition("╭─ PatchLab")[0]
    return [block for block in re.split(r"^(?=Trace t-\d+  )", steps, flags=re.MULTILINE) if block]


@pytest.fixture(scope="module")
def verbose(learned: Learned, tmp_path_factory: pytest.TempPathFactory) -> str:
    store = tmp_path_factory.mktemp("verbose") / "store"
    shutil.copytree(learned.store, store)
    result = called("run", "--runs", 20, "--golden", 0, "--verbose", "--store", store)
    assert (result.code, result.err) == (0, "")
    return result.out


def test_verbose_prints_every_run_and_then_the_report(verbose: str) -> None:
    blocks = _blocks(verbose)
    # The run that it goes on from has taken the numbers before.
    numbers = [int(re.findall(r"\ATrace t-(\d+)  ", block)[0]) for block in blocks]
    assert numbers == list(range(RUNS, RUNS + 20))
    assert "╭─ PatchLab" in verbose


def test_verbose_names_what_was_retrieved_and_both_parses_of_each_run(verbose: str) -> None:
    for block in _blocks(verbose):
        kinds = re.findall(
            r"^  (retrieved|baseline|patched|ceiling|         ) ", block, re.MULTILINE
        )
        assert 1 <= kinds.count("retrieved") <= 5
        assert kinds.count("baseline") == kinds.count("patched") == kinds.count("ceiling") == 1
        assert block.index("  baseline ") < block.index("  patched ") < block.index("  ceiling ")
        assert len(re.findall(r"^ +feedback: ", block, re.MULTILINE)) == 2


def test_verbose_tells_applied_from_merely_retrieved(verbose: str) -> None:
    assert re.search(r"retrieved  [0-9a-f]{8} '\w+' at \d\.\d{3}: applied$", verbose, re.MULTILINE)
    assert re.search(r"at \d\.\d{3}: not applied: the trigger does not occur$", verbose, re.M)


def test_verbose_says_how_the_gate_decided_on_each_failure(verbose: str) -> None:
    assert re.search(r"^  patch      activated [0-9a-f]{16} \w+ \(", verbose, re.MULTILINE)
    for block in _blocks(verbose):
        patched = block[block.index("  patched ") :]
        verdict = re.findall(r"feedback: (\w+)", patched)[0]
        assert ("  patch      " in block) == (verdict != "OK")


def test_verbose_shows_no_prompts(verbose: str) -> None:
    assert "  prompt\n" not in verbose
    assert "raw answer" not in verbose


def test_trace_prints_the_first_runs_alone_with_prompt_and_raw_answer(cli: Cli) -> None:
    result = cli("run", "--runs", 4, "--golden", 0, "--trace", 2, "--store", "s")
    assert (result.code, result.err) == (0, "")
    blocks = _blocks(result.out)
    assert [block.split()[1] for block in blocks] == ["t-0000000", "t-0000001"]
    for block in blocks:
        assert "  prompt\n" in block
        assert "| Request: " in block
        assert "  raw answer\n" in block
        assert '{"weight":' in block


def test_trace_with_verbose_adds_prompts_to_the_first_runs_only(cli: Cli) -> None:
    options = ("--golden", 0, "--trace", 1, "--verbose")
    blocks = _blocks(cli("run", "--runs", 3, *options, "--store", "s").out)
    assert len(blocks) == 3
    assert ["  raw answer\n" in block for block in blocks] == [True, False, False]


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_progress_bar_on_stderr(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = _Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", screen)
    result = cli("run", "--runs", 3, "--golden", 2, "--store", "s")
    assert result.code == 0
    assert "Requests" in screen.getvalue()
    assert "3/3" in screen.getvalue()
    assert "Golden set" in screen.getvalue()
    assert "2/2" in screen.getvalue()
    assert "3/3" not in result.out
    assert "\x1b" not in result.out


def test_a_pipe_gets_no_progress_bar(cli: Cli) -> None:
    result = cli("run", "--runs", 3, "--golden", 2, "--store", "s")
    assert (result.code, result.err) == (0, "")
    assert "3/3" not in result.out
