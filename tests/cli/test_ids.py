"""Ids as a shell completes them from the store that the line names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import typer

from patchlab_agent.cli.app import app
from patchlab_agent.cli.ids import patch_ids, trace_ids
from tests.cli.conftest import RUNS
from tests.cli.helpers import Cli, contents


def context(command: str, *arguments: str) -> typer.Context:
    """What a callback gets to know of a line that is not finished."""
    group = typer.main.get_command(app).commands[command]  # type: ignore[attr-defined]
    shown: Any = group.commands["show"]
    made: typer.Context = shown.make_context("show", [*arguments], resilient_parsing=True)
    return made


def test_patches_are_offered_with_status_and_trigger(store: Path, cli: Cli) -> None:
    listed = cli("patches", "list", "--store", store, "--json").json
    here = context("patches", "--store", str(store))
    assert patch_ids(here, "") == sorted(
        (patch["id"], f"{patch['status']} {patch['trigger']}") for patch in listed
    )
    prefix = listed[0]["id"][:3]
    begun = patch_ids(here, prefix)
    assert listed[0]["id"] in {patch_id for patch_id, _ in begun}
    assert all(patch_id.startswith(prefix) for patch_id, _ in begun)
    assert patch_ids(here, "xyz") == []


def test_traces_are_offered_newest_first_with_their_requests(store: Path, cli: Cli) -> None:
    here = context("traces", "--store", str(store))
    offered = trace_ids(here, "t-")
    assert [trace_id for trace_id, _ in offered] == [
        f"t-{number:07d}" for number in reversed(range(RUNS))
    ]
    shown = cli("traces", "show", offered[0][0], "--store", store, "--json").json
    assert offered[0][1] == " ".join(shown["request"].split())


def test_escapes_in_a_stored_request_do_not_reach_the_shell(store: Path, cli: Cli) -> None:
    cli("answer", "Ship 2 kg\nbooks box to US", "--store", store)
    (newest, *_) = trace_ids(context("traces", "--store", str(store)), "")
    assert newest == (f"t-{RUNS:07d}", "Ship 2 kg books box to US")


def test_offering_changes_nothing(store: Path) -> None:
    before = contents(store)
    patch_ids(context("patches", "--store", str(store)), "")
    trace_ids(context("traces", "--store", str(store)), "")
    assert contents(store) == before


@pytest.mark.parametrize("name", ["nowhere", "foreign", "file"])
def test_where_no_store_can_be_read_nothing_is_offered(tmp_path: Path, name: str) -> None:
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "mine.txt").write_text("mine", "utf-8")
    (tmp_path / "file").write_text("mine", "utf-8")
    path = str(tmp_path / name)
    assert patch_ids(context("patches", "--store", path), "") == []
    assert trace_ids(context("traces", "--store", path), "") == []
    assert not (tmp_path / "nowhere").exists()


def test_the_default_store_is_looked_into(cli: Cli) -> None:
    cli("answer", "Ship 2 kg books box to US")
    assert trace_ids(context("traces"), "") == [("t-0000000", "Ship 2 kg books box to US")]
