"""`patches list` and `patches show`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from patchlab_agent.models.patch import Patch
from tests.cli.helpers import Cli, assert_refused, contents, rows


@pytest.fixture
def patches(store: Path, cli: Cli) -> list[dict[str, Any]]:
    result = cli("patches", "list", "--store", store, "--json")
    assert (result.code, result.err) == (0, "")
    found: list[dict[str, Any]] = result.json
    return found


def test_json_lists_whole_patches_with_their_ids(patches: list[dict[str, Any]]) -> None:
    assert len(patches) > 10
    for patch in patches:
        assert list(patch) == ["id", *Patch.model_fields]
        assert len(patch["id"]) == 16
        assert patch["gate"]["decision"] == patch["status"]
        assert patch["history"][-1]["status"] == patch["status"]
        assert patch["tests"]
        assert patch["fix"]["kind"]
    assert len({patch["id"] for patch in patches}) == len(patches)


def test_patches_are_listed_by_trigger(patches: list[dict[str, Any]]) -> None:
    triggers = [patch["trigger"] for patch in patches]
    assert triggers == sorted(triggers)


def test_the_table_has_a_line_for_each_with_status_trigger_kind_and_reason(
    store: Path, cli: Cli, patches: list[dict[str, Any]]
) -> None:
    result = cli("patches", "list", "--store", store)
    assert (result.code, result.err) == (0, "")
    assert "id status trigger kind teaches label why" in result.text
    assert [(row[0], row[1], row[3], row[5]) for row in rows(result.out)] == [
        (patch["id"][:8], patch["status"], patch["fix"]["kind"], patch["provenance"]["label"])
        for patch in patches
    ]
    for row, patch in zip(rows(result.out), patches, strict=True):
        assert row[2].replace(" ", "") == patch["trigger"].replace(" ", "")
        for reason in patch["gate"]["reasons"]:
            assert reason["code"] in row[6]


@pytest.mark.parametrize("status", ["active", "quarantined"])
def test_status_selects(store: Path, cli: Cli, patches: list[dict[str, Any]], status: str) -> None:
    chosen = cli("patches", "list", "--status", status, "--store", store, "--json").json
    assert chosen == [patch for patch in patches if patch["status"] == status]
    assert chosen
    table = cli("patches", "list", "--status", status, "--store", store).text
    for patch in patches:
        assert (patch["id"][:8] in table) == (patch["status"] == status)


def test_a_status_that_no_patch_has_lists_none(store: Path, cli: Cli) -> None:
    retired = ("patches", "list", "--status", "retired", "--store", store)
    assert cli(*retired).out == "No such patch.\n"
    assert cli(*retired, "--json").json == []


def test_show_tells_all_of_one_patch(store: Path, cli: Cli, patches: list[dict[str, Any]]) -> None:
    for status in ("active", "quarantined"):
        patch = next(patch for patch in patches if patch["status"] == status)
        result = cli("patches", "show", patch["id"], "--store", store)
        assert (result.code, result.err) == (0, "")
        born = patch["provenance"]
        for word in (
            f"id {patch['id']} ",
            f"status {status} ",
            f"trigger {patch['trigger']} ",
            f"kind {patch['fix']['kind']} ",
            f"born of {born['trace_id']}: ",
            f"feedback {born['label']} ",
            f"Gate: {status}: ",
            "test request without with broken",
            "chance that noise alone passes",
            "History",
            f"{patch['history'][0]['at']} {status} new: ",
        ):
            assert word in result.text


def test_as_much_of_an_id_as_is_unique_is_enough(
    store: Path, cli: Cli, patches: list[dict[str, Any]]
) -> None:
    patch = patches[3]
    for length in (1, 3, 8, 16):
        prefix = patch["id"][:length]
        result = cli("patches", "show", prefix, "--store", store, "--json")
        same = sum(other["id"].startswith(prefix) for other in patches)
        assert result.code == (0 if same == 1 else 3)
        if same == 1:
            assert result.json == patch


def test_an_ambiguous_id_is_refused_with_the_number_of_patches(
    store: Path, cli: Cli, patches: list[dict[str, Any]]
) -> None:
    assert len(patches) > 16, "so that two ids begin with the same of 16 digits"
    first, number = Counter(patch["id"][0] for patch in patches).most_common(1)[0]
    result = cli("patches", "show", first, "--store", store)
    assert_refused(result, 3, f"{number} patches", f"'{first}'", "give more of it")


@pytest.mark.parametrize("unknown", ["xyz", "", "[/]", "0" * 99])
@pytest.mark.parametrize("as_json", [(), ("--json",)])
def test_an_unknown_id_is_refused(
    store: Path, cli: Cli, unknown: str, as_json: tuple[str, ...]
) -> None:
    result = cli("patches", "show", unknown, "--store", store, *as_json)
    assert_refused(result, 3, repr(unknown), "see `patches list`")


def test_looking_changes_nothing(store: Path, cli: Cli, patches: list[dict[str, Any]]) -> None:
    before = contents(store)
    for arguments in (("list",), ("show", patches[0]["id"]), ("show", "unknown"), ("show", "")):
        cli("patches", *arguments, "--store", store)
    assert contents(store) == before
