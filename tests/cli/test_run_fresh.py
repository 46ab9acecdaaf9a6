"""`run --fresh`: starting over, but never by accident."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import RUNS
from tests.cli.helpers import Cli, assert_refused, change_marker, contents, digests

RUN = ("run", "--runs", 3, "--golden", 0)


def _answer(monkeypatch: pytest.MonkeyPatch, typed: str) -> None:
    """Somebody sits there and types."""
    monkeypatch.setattr("patchlab_agent.cli.run.is_interactive", lambda: True)
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))


def _kept(store: Path, run: str) -> dict[str, object]:
    report: dict[str, object] = json.loads((store / f"runs/{run}.json").read_text("utf-8"))
    return report


def test_without_a_terminal_it_asks_for_yes_and_leaves_the_store_alone(
    store: Path, cli: Cli
) -> None:
    before = contents(store)
    refused = cli(*RUN, "--fresh", "--store", store)
    kept = _kept(store, "run-0001")["patches"]
    assert isinstance(kept, dict)
    total, active = sum(kept["in_store"].values()), kept["in_store"]["active"]
    assert_refused(refused, 2, f"{total} patches ({active} active)", f"{RUNS} traces", "--yes")
    assert refused.err.startswith("Error: ")
    assert str(store) in refused.err
    assert contents(store) == before


@pytest.mark.parametrize("yes", ["--yes", "-y"])
def test_with_yes_it_starts_over(store: Path, cli: Cli, yes: str) -> None:
    result = cli(*RUN, "--fresh", yes, "--store", store)
    assert (result.code, result.err) == (0, "")
    assert "It starts with nothing learned." in result.text
    assert _kept(store, "run-0001")["runs"] == 3
    assert len(cli("traces", "list", "--store", store, "--json").json) == 3


def test_starting_over_gives_what_a_new_store_gives(store: Path, cli: Cli) -> None:
    cli(*RUN, "--fresh", "--yes", "--store", store)
    cli(*RUN, "--store", "new")
    again, new = (
        {**_kept(folder, "run-0001"), "timing": None, "store": None}
        for folder in (store, Path("new"))
    )
    assert again == new


@pytest.mark.parametrize("yes", [(), ("--yes",)])
def test_a_missing_store_is_as_fresh_as_can_be(cli: Cli, yes: tuple[str, ...]) -> None:
    assert cli(*RUN, "--fresh", *yes, "--store", "new").code == 0
    assert Path("new/runs/run-0001.json").exists()


def test_a_store_without_patches_needs_no_yes(cli: Cli) -> None:
    cli("answer", "Ship 2 kg books box to US", "--store", "quotes")
    assert cli(*RUN, "--fresh", "--store", "quotes").code == 0


def test_a_person_who_says_yes_starts_over(
    store: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    _answer(monkeypatch, "y\n")
    result = cli(*RUN, "--fresh", "--store", store)
    assert result.code == 0
    assert "Delete " in result.err
    assert str(store) in result.err
    assert "Delete " not in result.out
    assert "It starts with nothing learned." in result.text


@pytest.mark.parametrize("typed", ["n\n", "\n", ""])
def test_a_person_who_does_not_say_yes_keeps_the_store(
    store: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch, typed: str
) -> None:
    before = contents(store)
    _answer(monkeypatch, typed)
    result = cli(*RUN, "--fresh", "--store", store)
    assert (result.code, result.out.strip()) == (1, "")
    assert "Delete " in result.err
    assert "Traceback" not in result.err
    assert contents(store) == before


def test_yes_asks_nobody(store: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    _answer(monkeypatch, "n\n")
    assert cli(*RUN, "--fresh", "--yes", "--store", store).err == ""


@pytest.mark.parametrize(
    "wrong",
    [
        ("--backend", "gpt"),
        ("--skill", "chess"),
        ("--embedder", "magic"),
        ("--golden", 100_000),
        ("--requests", "missing.csv"),
    ],
)
def test_nothing_is_forgotten_for_a_run_that_cannot_start(
    store: Path, cli: Cli, wrong: tuple[object, ...]
) -> None:
    before = digests(store)
    assert cli("run", "--fresh", "--yes", "--store", store, *wrong).code in {2, 3, 8}
    assert digests(store) == before


def test_a_folder_of_something_else_is_never_deleted(cli: Cli, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "thesis.txt").write_text("years of work", "utf-8")
    assert_refused(cli(*RUN, "--fresh", "--yes", "--store", home), 4, "it is not a store")
    assert (home / "thesis.txt").read_text("utf-8") == "years of work"


def test_a_store_of_another_format_is_never_deleted(store: Path, cli: Cli) -> None:
    change_marker(store, format=99)
    before = digests(store)
    assert_refused(cli(*RUN, "--fresh", "--yes", "--store", store), 4, "format 99")
    assert digests(store) == before


def test_starting_over_may_change_the_embedder(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # A second hashing embedder under another name stands in for the one that is an extra.
    from patchlab_agent import embedding  # noqa: PLC0415 - imports Chroma

    monkeypatch.setitem(embedding.EMBEDDERS, "other", embedding.HashingEmbedder)
    store = tmp_path / "s"
    cli(*RUN, "--store", store)
    assert_refused(cli(*RUN, "--embedder", "other", "--store", store), 4, "--fresh")
    assert cli(*RUN, "--fresh", "--yes", "--embedder", "other", "--store", store).code == 0
    marker = json.loads((store / "patchlab.json").read_text("utf-8"))
    assert (marker["embedder"], marker["runs"]) == ("other", 1)
