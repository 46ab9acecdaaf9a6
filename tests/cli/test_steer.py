"""`patches enable`, `disable`, `retire` and `regate`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from patchlab_agent.errors import BackendUnavailable
from patchlab_agent.models.event import PatchEvent
from patchlab_agent.models.prompt import Completion, Prompt
from patchlab_agent.shipping.toy.backend import ToyBackend
from tests.cli.helpers import Cli, assert_refused, contents, rows


def patches(cli: Cli, store: Path, *options: object) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = cli("patches", "list", *options, "--store", store, "--json").json
    return found


def ids(cli: Cli, store: Path, status: str) -> list[str]:
    return [patch["id"] for patch in patches(cli, store, "--status", status)]


def steer(cli: Cli, store: Path, *arguments: object) -> list[dict[str, Any]]:
    """The events that a command tells."""
    result = cli("patches", *arguments, "--store", store, "--json")
    assert (result.code, result.err) == (0, "")
    told = result.json
    events: list[dict[str, Any]] = told["events"] if isinstance(told, dict) else told
    for event in events:
        assert list(event) == list(PatchEvent.model_fields)
    return events


@pytest.mark.parametrize(
    ("command", "status"), [("disable", "disabled"), ("retire", "retired"), ("enable", "active")]
)
def test_several_patches_are_moved_by_as_much_of_their_ids_as_is_unique(
    store: Path, cli: Cli, command: str, status: str
) -> None:
    chosen = ids(cli, store, "quarantined" if command == "enable" else "active")[:2]
    events = steer(cli, store, command, *(patch[:10] for patch in chosen), chosen[0])
    assert [event["patch_id"] for event in events if event["kind"] != "superseded"] == chosen
    assert set(chosen) <= set(ids(cli, store, status))
    shown = cli("patches", "show", chosen[0], "--store", store, "--json").json
    assert shown["history"][-1]["cause"] == f"{command}d by hand"
    assert shown["history"][-1]["trace_id"] == ""


def test_enabling_overrules_the_gate_and_says_so(store: Path, cli: Cli) -> None:
    patch = ids(cli, store, "quarantined")[0]
    result = cli("patches", "enable", patch, "--store", store)
    assert (result.code, result.err) == (0, "")
    assert "the gate is overruled" in result.text
    assert rows(result.out)[0][:2] == [patch[:8], "activated"]


def test_a_patch_that_is_switched_off_is_applied_no_more_until_it_is_enabled(
    store: Path, cli: Cli
) -> None:
    patch = patches(cli, store, "--status", "active")[0]
    request = patch["provenance"]["request"]

    def applied() -> list[str]:
        trace = cli("answer", request, "--store", store, "--json").json
        return [ref["patch_id"] for ref in trace["retrieved"] if ref["applied"]]

    assert patch["id"] in applied()
    steer(cli, store, "disable", patch["id"])
    assert patch["id"] not in applied()
    steer(cli, store, "enable", patch["id"])
    assert patch["id"] in applied()


@pytest.mark.parametrize("command", ["enable", "disable", "retire", "regate"])
def test_one_wrong_id_keeps_all_from_being_moved(store: Path, cli: Cli, command: str) -> None:
    good = ids(cli, store, "quarantined" if command == "enable" else "active")[0]
    before = contents(store)
    for wrong in ("xyz", ""):
        result = cli("patches", command, good, wrong, "--store", store)
        assert_refused(result, 3, repr(wrong), "see `patches list`")
    assert contents(store) == before


@pytest.mark.parametrize(
    ("command", "status"), [("enable", "active"), ("disable", "disabled"), ("retire", "retired")]
)
def test_one_that_is_so_already_keeps_all_from_being_moved(
    store: Path, cli: Cli, command: str, status: str
) -> None:
    active, other = ids(cli, store, "active")[0], ids(cli, store, "quarantined")[0]
    if command != "enable":
        steer(cli, store, command, active)
    before = contents(store)
    result = cli("patches", command, other, active, "--store", store)
    assert_refused(result, 2, f"{active} is {status} already")
    assert contents(store) == before


@pytest.mark.parametrize("command", ["enable", "disable", "retire", "regate"])
def test_where_there_is_no_store_none_is_made(cli: Cli, command: str) -> None:
    result = cli("patches", command, "3f9c", "--store", "nowhere")
    assert_refused(result, 4, "There is no store at nowhere")
    assert not Path("nowhere").exists()


def test_gating_again_decides_as_the_model_is_now(store: Path, cli: Cli) -> None:
    before = {patch["id"]: patch for patch in patches(cli, store, "--status", "quarantined")}
    events = steer(cli, store, "regate", "--status", "quarantined")
    assert {event["patch_id"] for event in events if event["kind"] != "superseded"} == set(before)
    for patch_id, old in before.items():
        shown = cli("patches", "show", patch_id, "--store", store, "--json").json
        assert shown["history"][: len(old["history"])] == old["history"]
        assert "gated again by hand: " in shown["history"][-1]["cause"]


def test_an_active_patch_that_no_longer_passes_is_quarantined(store: Path, cli: Cli) -> None:
    active = ids(cli, store, "active")[0]
    # A model that gets every field wrong follows no rule.
    (event,) = steer(cli, store, "regate", active, "--noise", 1)
    assert event["kind"] == "regated"
    assert active in ids(cli, store, "quarantined")


def test_a_disabled_patch_is_not_gated_and_keeps_the_others_from_it(store: Path, cli: Cli) -> None:
    first, second = ids(cli, store, "active")[:2]
    steer(cli, store, "disable", second)
    before = contents(store)
    result = cli("patches", "regate", first, second, "--store", store)
    assert_refused(result, 2, f"{second} is disabled by hand", "enable it first")
    assert contents(store) == before


@pytest.mark.parametrize("arguments", [(), ("3f9c", "--status", "active")])
def test_regate_wants_ids_or_a_status(store: Path, cli: Cli, arguments: tuple[str, ...]) -> None:
    result = cli("patches", "regate", *arguments, "--store", store)
    assert_refused(result, 2, "Name patches, or give a --status")


def test_a_status_without_patches_has_nothing_to_gate(store: Path, cli: Cli) -> None:
    assert cli("patches", "regate", "--status", "retired", "--store", store).out == (
        "No such patch.\n"
    )


class _Fading(ToyBackend):
    """The toy, for so many answers."""

    left = 0

    def complete(self, prompt: Prompt) -> Completion:
        if self.left == 0:
            raise BackendUnavailable("The model cannot be reached; try again later.")
        self.left -= 1
        return super().complete(prompt)


@pytest.mark.parametrize("as_json", [(), ("--json",)])
def test_an_outage_keeps_what_was_gated_before_it(
    store: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch, as_json: tuple[str, ...]
) -> None:
    backend = _Fading()
    monkeypatch.setattr("patchlab_agent.lab.backend_choice.backend_of", lambda *_: backend)
    before = contents(store)
    regate = ("patches", "regate", "--status", "active", "--store", store, *as_json)
    assert_refused(cli(*regate), 5, "cannot be reached")
    assert contents(store) == before
    backend.left = 300
    result = cli(*regate)
    assert result.code == 9
    assert "cannot be reached" in result.error
    assert "What was gated before it is kept." in result.error
    gated = [
        patch
        for patch in patches(cli, store)
        if patch["history"][-1]["cause"].startswith("gated again by hand: ")
    ]
    told = result.json["events"] if as_json else rows(result.out)
    assert not as_json or result.json["stopped"]["kind"] == "outage"
    assert 0 < len(gated) == len(told)
