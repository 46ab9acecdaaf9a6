"""`patches list`, `patches show` and `patches search`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from patchlab_agent.lab.stores import raw_store
from patchlab_agent.models.evidence import Record, Standing
from patchlab_agent.models.patch import Patch
from tests.cli.helpers import Cli, assert_refused, contents, rows

TALLY = ("uses", "saves", "harms")


@pytest.fixture
def patches(store: Path, cli: Cli) -> list[dict[str, Any]]:
    result = cli("patches", "list", "--store", store, "--json")
    assert (result.code, result.err) == (0, "")
    found: list[dict[str, Any]] = result.json
    return found


def test_json_lists_whole_patches_with_their_ids(patches: list[dict[str, Any]]) -> None:
    assert len(patches) > 10
    for patch in patches:
        assert list(patch) == ["id", *Patch.model_fields, "standing", "set_aside", *TALLY]
        is_active = patch["status"] == "active"
        assert patch["standing"] == (patch["record"]["standing"] if is_active else None)
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
    assert "id status trigger kind teaches label why uses saves harms" in result.text
    assert [(row[0], row[1].replace(" ", ""), row[3], row[5]) for row in rows(result.out)] == [
        (
            patch["id"][:8],
            ",".join(filter(None, [patch["status"], patch["standing"]])).replace(" ", ""),
            patch["fix"]["kind"],
            patch["provenance"]["label"],
        )
        for patch in patches
    ]
    for row, patch in zip(rows(result.out), patches, strict=True):
        assert row[2].replace(" ", "") == patch["trigger"].replace(" ", "")
        for reason in patch["gate"]["reasons"]:
            assert reason["code"] in row[6]
        assert row[7:] == [str(patch[name]) for name in ("uses", "saves", "harms")]


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
            f"status {', '.join(filter(None, [status, patch['standing']]))} ",
            "origin stream ",
            f"trigger {patch['trigger']} ",
            f"kind {patch['fix']['kind']} ",
            f"learned from {born['trace_id']}: ",
            f"feedback {born['label']} ",
            f"Gate: {status}: ",
            "source request outcome right with pairs gained lost",
            "claims of the patch, not evidence that it is true",
            "History",
            f"{patch['history'][0]['at']} {status} new: ",
        ):
            assert word in result.text
        if patch["gate"]["results"]:
            assert "source requests mended broken failed answers" in result.text


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
            assert {name: result.json[name] for name in patch} == patch


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
    shown = (("show", patches[0]["id"]), ("show", "unknown"), ("show", ""), ("search", "battery"))
    for arguments in (("list",), *shown):
        cli("patches", *arguments, "--store", store)
    assert contents(store) == before


def listed(cli: Cli, store: Path, *options: object) -> list[str]:
    """The ids that `patches list` finds."""
    result = cli("patches", "list", *options, "--store", store, "--json")
    assert (result.code, result.err) == (0, "")
    return [patch["id"] for patch in result.json]


def test_uses_saves_and_harms_are_those_of_the_stored_traces(
    store: Path, cli: Cli, patches: list[dict[str, Any]]
) -> None:
    traces = cli("traces", "list", "--limit", 1000, "--store", store, "--json").json
    for patch in patches:
        applied = [
            (trace["baseline"]["feedback"]["label"] is None, trace["feedback"]["label"] is None)
            for trace in traces
            if any(r["patch_id"] == patch["id"] and r["applied"] for r in trace["retrieved"])
        ]
        assert (patch["uses"], patch["saves"], patch["harms"]) == (
            len(applied),
            applied.count((False, True)),
            applied.count((True, False)),
        )
    assert sum(patch["saves"] for patch in patches) > 0


def test_an_answer_that_was_not_compared_is_a_use_alone(
    store: Path, cli: Cli, patches: list[dict[str, Any]]
) -> None:
    trace = cli("answer", patches[0]["provenance"]["request"], "--store", store, "--json").json
    applied = [ref["patch_id"] for ref in trace["retrieved"] if ref["applied"]]
    assert applied
    before = {patch["id"]: patch for patch in patches}
    for patch in cli("patches", "list", "--store", store, "--json").json:
        old = before[patch["id"]]
        assert patch["uses"] == old["uses"] + (patch["id"] in applied)
        assert (patch["saves"], patch["harms"]) == (old["saves"], old["harms"])


def test_filters_select_by_what_they_say(
    store: Path, cli: Cli, patches: list[dict[str, Any]]
) -> None:
    def ids(wanted: Callable[[dict[str, Any]], bool]) -> list[str]:
        found = [patch["id"] for patch in patches if wanted(patch)]
        assert 0 < len(found) < len(patches)
        return found

    label, kind = patches[0]["provenance"]["label"], patches[0]["fix"]["kind"]
    assert listed(cli, store, "--label", label.upper()) == ids(
        lambda patch: patch["provenance"]["label"] == label
    )
    assert listed(cli, store, "--kind", kind) == ids(lambda patch: patch["fix"]["kind"] == kind)
    assert listed(cli, store, "--unused") == ids(lambda patch: patch["uses"] == 0)
    both = ("--unused", "--kind", kind, "--label", label, "--status", "active")
    assert set(listed(cli, store, *both)) <= set(listed(cli, store, "--unused"))


def test_trigger_selects_by_its_words(store: Path, cli: Cli, patches: list[dict[str, Any]]) -> None:
    first = patches[0]["trigger"]
    assert patches[0]["id"] in listed(cli, store, first.title())
    assert listed(cli, store, first[:-1]) == []


@pytest.mark.parametrize("order", ["uses", "effect"])
def test_sorting_puts_the_highest_first_and_equal_ones_by_trigger(
    store: Path, cli: Cli, patches: list[dict[str, Any]], order: str
) -> None:
    def value(patch: dict[str, Any]) -> int:
        return int(patch["uses"] if order == "uses" else patch["saves"] - patch["harms"])

    expected = sorted(patches, key=lambda patch: (-value(patch), patch["trigger"], patch["id"]))
    assert listed(cli, store, "--sort", order) == [patch["id"] for patch in expected]


def prove(store: Path, patch_id: str) -> None:
    """Give a patch the record of one that its uses have proven."""
    with raw_store(store, write=True) as opened:
        patch = opened.patches.get(patch_id)
        assert patch is not None
        record = Record(outcomes="+++-+++", standing=Standing.PROVEN)
        opened.patches.upsert(patch.model_copy(update={"record": record}))


@pytest.mark.parametrize(("name", "standing"), [("trial", "on trial"), ("proven", "proven")])
def test_standing_selects_active_patches(
    store: Path, cli: Cli, patches: list[dict[str, Any]], name: str, standing: str
) -> None:
    prove(store, next(patch["id"] for patch in patches if patch["status"] == "active"))
    now = cli("patches", "list", "--store", store, "--json").json
    chosen = [patch["id"] for patch in now if patch["standing"] == standing]
    assert chosen
    assert listed(cli, store, "--standing", name) == chosen
    assert listed(cli, store, "--standing", name, "--status", "active") == chosen
    assert listed(cli, store, "--standing", name, "--status", "quarantined") == []


def test_origin_selects_by_who_brought_a_patch(
    store: Path, cli: Cli, patches: list[dict[str, Any]]
) -> None:
    assert listed(cli, store, "--origin", "stream") == [patch["id"] for patch in patches]
    assert listed(cli, store, "--origin", "person") == []
    quoted = cli("answer", "Ship 2 kg zorble box to US", "--store", store, "--json").json
    said = ("--label", "item_unknown", "--field", "item", "--detail", "zorble: toys")
    told = cli("feedback", quoted["id"], *said, "--store", store, "--json").json
    assert listed(cli, store, "--origin", "person") == [told["events"][0]["patch_id"]]
    assert listed(cli, store, "--origin", "person", "--standing", "proven") == []


@pytest.mark.parametrize(
    ("option", "value"),
    [("--standing", "on trial"), ("--standing", "convicted"), ("--origin", "carrier")],
)
def test_what_no_patch_can_be_is_refused(store: Path, cli: Cli, option: str, value: str) -> None:
    result = cli("patches", "list", option, value, "--store", store)
    assert_refused(result, 2, option, repr(value))


def test_show_tells_the_evidence_of_a_proven_patch(
    store: Path, cli: Cli, patches: list[dict[str, Any]]
) -> None:
    active = next(patch["id"] for patch in patches if patch["status"] == "active")
    prove(store, active)
    text = cli("patches", "show", active, "--store", store).text
    assert "status active, proven " in text
    assert "evidence 6 requests turned right, 1 wrong (+++-+++) " in text
    line = next(
        row for row in rows(cli("patches", "list", "--store", store).out) if row[0] == (active[:8])
    )
    assert line[1].replace(" ", "") == "active,proven"


def test_a_misspelt_label_is_refused_with_the_nearest(store: Path, cli: Cli) -> None:
    result = cli("patches", "list", "--label", "item_unknwon", "--store", store)
    assert_refused(result, 3, "'item_unknwon'", "did you mean item_unknown?")


def test_show_brings_the_trace_that_a_patch_was_born_of(
    store: Path, cli: Cli, patches: list[dict[str, Any]]
) -> None:
    born = patches[0]["provenance"]["trace_id"]
    trace = cli("traces", "show", born, "--store", store, "--json").json
    shown = cli("patches", "show", patches[0]["id"], "--store", store, "--json").json
    assert shown["birth"] == trace
    assert shown["superseded_by"] is None
    text = cli("patches", "show", patches[0]["id"], "--store", store).text
    assert f"Learned from trace {born} " in text
    assert f" answers {patches[0]['uses']} use" in text


def found(cli: Cli, store: Path, text: str, *options: object) -> list[dict[str, Any]]:
    """What `patches search` finds."""
    result = cli("patches", "search", text, *options, "--store", store, "--json")
    assert (result.code, result.err) == (0, "")
    hits: list[dict[str, Any]] = result.json
    return hits


def test_search_puts_triggers_that_occur_first_whatever_their_status(
    store: Path, cli: Cli, patches: list[dict[str, Any]]
) -> None:
    for status in ("active", "quarantined"):
        patch = next(patch for patch in patches if patch["status"] == status)
        hits = found(cli, store, f"two boxes, {patch['trigger'].upper()}!", "--limit", 30)
        occurring = [hit for hit in hits if hit["occurs"]]
        assert hits[: len(occurring)] == occurring
        assert patch["id"] in {hit["id"] for hit in occurring}
        for part in (occurring, hits[len(occurring) :]):
            keys = [(hit["distance"], hit["id"]) for hit in part]
            assert keys == sorted(keys)
        assert list(hits[0]) == [*patch, "distance", "occurs"]


def test_search_finds_what_a_patch_teaches(store: Path, cli: Cli) -> None:
    hits = found(cli, store, "KG_PER_UNIT=", "--limit", 3)
    assert hits
    assert all(hit["fix"]["kind"] == "unit" for hit in hits if "kg_per_unit" in hit["fix"])
    assert "kg_per_unit" in hits[0]["fix"]


def test_search_shows_so_many_in_a_table(store: Path, cli: Cli) -> None:
    result = cli("patches", "search", "battery", "--limit", 4, "--store", store)
    assert (result.code, result.err) == (0, "")
    assert len(rows(result.out)) == 4
    assert "id status trigger teaches in text distance uses saves harms" in result.text


@pytest.mark.parametrize("text", ["", "  ", "x" * 2001])
def test_what_cannot_be_searched_for_is_refused(store: Path, cli: Cli, text: str) -> None:
    assert_refused(cli("patches", "search", text, "--store", store), 3, "request")
