"""`patches history`: every change, in order of time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from patchlab_agent.models.history import Change
from tests.cli.helpers import Cli, assert_refused, contents, rows


def changes(cli: Cli, store: Path, *arguments: str) -> list[dict[str, Any]]:
    result = cli("patches", "history", *arguments, "--store", store, "--json")
    assert (result.code, result.err) == (0, "")
    found: list[dict[str, Any]] = result.json
    assert all(list(change) == list(Change.model_fields) for change in found)
    return found


def patches(cli: Cli, store: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = cli("patches", "list", "--store", store, "--json").json
    return found


def of(patch: dict[str, Any]) -> list[dict[str, Any]]:
    """A patch's own history, as the command tells it."""
    whose = {"patch_id": patch["id"], "trigger": patch["trigger"]}
    told = ("at", "status", "cause", "trace_id")
    return [{**{name: change[name] for name in told}, **whose} for change in patch["history"]]


def test_the_history_of_a_patch_is_its_own(store: Path, cli: Cli) -> None:
    longest = max(patches(cli, store), key=lambda patch: len(patch["history"]))
    assert len(longest["history"]) > 1
    assert changes(cli, store, longest["id"][:8]) == of(longest)


def test_without_an_id_it_is_that_of_all_in_order_of_time(store: Path, cli: Cli) -> None:
    found = changes(cli, store)
    times = [(change["at"], change["trace_id"]) for change in found]
    assert times == sorted(times)
    for patch in patches(cli, store):
        assert [change for change in found if change["patch_id"] == patch["id"]] == of(patch)
    assert len(found) == sum(len(patch["history"]) for patch in patches(cli, store))


def test_what_a_person_does_is_the_latest_change_and_has_no_trace(store: Path, cli: Cli) -> None:
    active = next(patch for patch in patches(cli, store) if patch["status"] == "active")
    cli("patches", "disable", active["id"], "--store", store)
    *_, last = changes(cli, store)
    assert (last["patch_id"], last["status"]) == (active["id"], "disabled")
    assert (last["cause"], last["trace_id"]) == ("disabled by hand", "")


def test_the_table_has_a_line_for_each_change(store: Path, cli: Cli) -> None:
    result = cli("patches", "history", "--store", store)
    assert (result.code, result.err) == (0, "")
    assert "time patch trigger became cause trace" in result.text
    assert [(row[1], row[5]) for row in rows(result.out)] == [
        (change["patch_id"][:8], change["trace_id"]) for change in changes(cli, store)
    ]


@pytest.mark.parametrize("as_json", [(), ("--json",)])
def test_a_store_without_patches_has_no_history(cli: Cli, as_json: tuple[str, ...]) -> None:
    cli("answer", "Ship 2 kg books box to US", "--store", "s")
    result = cli("patches", "history", "--store", "s", *as_json)
    assert (result.code, result.err) == (0, "")
    assert result.out == ("[]\n" if as_json else "No patch yet.\n")


def test_an_unknown_id_is_refused(store: Path, cli: Cli) -> None:
    for unknown in ("xyz", "", "[/]"):
        result = cli("patches", "history", unknown, "--store", store)
        assert_refused(result, 3, repr(unknown), "see `patches list`")


def test_where_there_is_no_store_none_is_made(cli: Cli) -> None:
    assert_refused(cli("patches", "history", "--store", "nowhere"), 4, "There is no store")
    assert not Path("nowhere").exists()


def test_looking_changes_nothing(store: Path, cli: Cli) -> None:
    before = contents(store)
    changes(cli, store)
    assert contents(store) == before
