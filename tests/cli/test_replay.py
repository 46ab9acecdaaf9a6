"""A recorded run of a real model, played back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from patchlab_agent.backends.cassette import Cassette
from patchlab_agent.lab.backend_choice import cassette_path
from patchlab_agent.settings import RECORDED
from patchlab_agent.shipping.requests import RequestGenerator
from patchlab_agent.shipping.simulator import ShippingSimulator
from patchlab_agent.shipping.skill import shipping
from tests.backends.llm.helpers import GOOD
from tests.cli.helpers import Cli
from tests.cli.servers import serving

CASSETTE = cassette_path(shipping(), None)
HEADER = "request,weight_kg,item,parcel,country"
SHORT = ("run", "--backend", "replay", "--runs", 12, "--golden", 0)


def without_times(report: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in report.items() if name != "timing"}


def test_a_replay_is_the_same_each_time_and_starts_anew(cli: Cli) -> None:
    once, twice = (cli(*SHORT, "--json").json for _ in range(2))
    assert without_times(once) == without_times(twice)
    assert once["runs"] == 12
    assert once["run"] == "run-0001"
    assert once["structure"] == "json_schema"
    assert once["backend"].startswith("replay of openai/qwen15b(temperature=0")


def test_a_replay_takes_up_the_settings_of_the_recording(cli: Cli) -> None:
    recorded = json.loads(CASSETTE.read_text("utf-8").splitlines()[0])["settings"]
    settings = cli(*SHORT, "--json").json["settings"]
    assert {name: settings[name] for name in ("examples", "concurrency", "seed")} == {
        name: recorded[name] for name in ("examples", "concurrency", "seed")
    }


def test_a_replay_has_a_store_of_its_own(cli: Cli, own_folder: Path) -> None:
    assert cli("run", "--runs", 3, "--golden", 0).code == 0
    before = cli("patches", "list", "--json").json
    assert cli(*SHORT).code == 0
    assert cli("patches", "list", "--json").json == before
    assert {path.name for path in own_folder.iterdir()} == {".patchlab", ".patchlab-replay"}


def test_the_answers_show_what_they_cost_when_they_were_recorded(cli: Cli) -> None:
    report = cli(*SHORT, "--json").json
    costs = {cost["purpose"]: cost for cost in report["cost"]}
    assert costs["patched"]["calls"] == 12
    assert costs["patched"]["prompt_tokens"] > 12 * 1000
    assert report["timing"]["seconds_per_call"]["patched"] > 0.5
    assert 0 < report["gate_calls"]["asked"] < 0.5 * report["gate_calls"]["full"]


@pytest.mark.parametrize("option", ["--backend=replay", f"--replay={CASSETTE}"])
def test_either_option_asks_for_a_replay(cli: Cli, option: str) -> None:
    report = cli("run", option, "--runs", 4, "--golden", 0, "--json").json
    assert report["backend"].startswith("replay of ")


def test_an_unseen_prompt_is_named_and_what_was_done_is_reported(cli: Cli, tmp_path: Path) -> None:
    lines = CASSETTE.read_text("utf-8").splitlines(keepends=True)
    gap = tmp_path / "gap.jsonl"
    gap.write_text("".join(line for line in lines if '\\"Please ship a' not in line), "utf-8")
    result = cli(*SHORT, "--replay", gap, "--json")
    assert result.code == 9
    assert "has no answer to the prompt about 'Please ship a" in result.error
    assert "record it again with --record" in result.error
    assert result.json["stopped"]["kind"] == "refused"
    assert 0 < result.json["runs"] < 12


def test_an_unseen_prompt_at_the_start_is_an_error_without_a_report(
    cli: Cli, tmp_path: Path
) -> None:
    lines = CASSETTE.read_text("utf-8").splitlines(keepends=True)
    gap = tmp_path / "gap.jsonl"
    gap.write_text("".join(line for line in lines if '"text"' not in line), "utf-8")
    result = cli(*SHORT, "--replay", gap)
    assert result.code == 5
    assert result.out == ""


def test_a_replay_asks_what_was_recorded_whatever_would_be_generated_today(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = cli(*SHORT, "--golden", 3, "--json").json

    def changed(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(RequestGenerator, "cases", changed)
    monkeypatch.setattr(ShippingSimulator, "golden", changed)
    monkeypatch.setattr(ShippingSimulator, "regression", changed)
    after = cli(*SHORT, "--golden", 3, "--seed", 8, "--json").json
    for name in ("overall", "golden", "patches", "gate_calls", "cost"):
        assert after[name] == before[name]


def test_more_than_was_recorded_cannot_be_replayed(cli: Cli, own_folder: Path) -> None:
    held = Cassette(CASSETTE).cases
    result = cli("run", "--backend", "replay", "--runs", len(held.stream) + 1)
    assert result.code == 2
    assert f"holds {len(held.stream)} requests; give --runs a number from 1" in result.error
    result = cli("run", "--backend", "replay", "--golden", len(held.golden) + 1)
    assert result.code == 2
    assert f"The golden set has {len(held.golden)} cases" in result.error
    assert list(own_folder.iterdir()) == []


def test_a_replay_on_what_another_run_taught_is_refused_and_says_what_to_do(cli: Cli) -> None:
    assert cli(*SHORT, "--store", "mine").code == 0
    again = cli(*SHORT, "--store", "mine")
    assert again.code == 2
    assert "add --fresh, or name another one than mine with --store" in again.error
    assert cli(*SHORT, "--store", "mine", "--fresh", "--yes").code == 0


def test_a_run_that_could_not_be_replayed_is_not_recorded(cli: Cli, own_folder: Path) -> None:
    assert cli("run", "--runs", 1, "--golden", 0).code == 0
    real = ("run", "--backend", "litellm", "--model", "openai/m", "--record", "new.jsonl")
    result = cli(*real, "--api-base", "http://127.0.0.1:9/v1")
    assert result.code == 2
    assert "To record a run takes a store with nothing in it; add --fresh" in result.error
    assert not (own_folder / "new.jsonl").exists()


def test_other_requests_than_the_recorded_ones_are_not_replayed(cli: Cli, own_folder: Path) -> None:
    mine = own_folder / "mine.csv"
    mine.write_text(f"{HEADER}\n1 kg tea box to Spain,1,tea,box,ES\n", "utf-8")
    result = cli(*SHORT, "--requests", mine)
    assert result.code == 2
    assert "recorded on other requests; leave out --requests" in result.error


def test_a_recorded_run_of_ones_own_requests_is_replayed_without_their_file(
    cli: Cli, own_folder: Path
) -> None:
    mine = own_folder / "mine.csv"
    tea, coffee = ("1 kg tea box to Spain,1,tea,box,ES", "2 kg coffee bag to US,2,coffee,bag,US")
    mine.write_text(f"{HEADER}\n{tea}\n{coffee}\n", "utf-8")
    cassette = own_folder / "mine.jsonl"
    with serving(GOOD) as (base, received):
        real = (
            *("run", "--backend", "litellm", "--model", "openai/m", "--api-base", base),
            *("--golden", 3, "--store", "a", "--record", cassette),
        )
        recorded = cli(*real, "--requests", mine, "--json")
        asked = len(received)
        for different in (("--seed", 8), ()):
            refused = cli(*real, *different, "--fresh", "--yes")
            assert refused.code == 3
            assert "name another file" in refused.error
        other = own_folder / "other.csv"
        other.write_text(f"{HEADER}\n{coffee}\n{tea}\n", "utf-8")
        refused = cli(*real, "--requests", other, "--fresh", "--yes")
        assert refused.code == 3
        assert "was recorded on other requests; name another file" in refused.error
        assert len(received) == asked > 0
    assert (recorded.code, recorded.json["runs"]) == (0, 2)
    # What was refused has cost nothing.
    assert len(cli("traces", "list", "--store", "a", "--json").json) == 2
    told = json.loads(cassette.read_text("utf-8").splitlines()[0])["settings"]
    assert told.keys() == {*RECORDED, "own_requests"}
    assert (told["golden"], told["runs"]) == (3, None)
    for given in ((), ("--requests", mine)):
        replayed = cli("run", "--replay", cassette, *given, "--json")
        assert replayed.code == 0
        assert replayed.json["overall"] == recorded.json["overall"]
        assert replayed.json["golden"] == recorded.json["golden"]


def test_a_recording_that_goes_on_with_more_requests_replays_whole(
    cli: Cli, own_folder: Path
) -> None:
    cassette = own_folder / "generated.jsonl"
    with serving(GOOD) as (base, received):
        real = (
            *("run", "--backend", "litellm", "--model", "openai/m", "--api-base", base),
            *("--golden", 2, "--record", cassette, "--fresh", "--yes", "--json"),
        )
        assert cli(*real, "--runs", 2).code == 0
        asked, held = len(received), Cassette(cassette).cases
        longer = cli(*real, "--runs", 4)
        assert (longer.code, len(received) > asked) == (0, True)
    more = Cassette(cassette).cases
    assert (more.stream[:2], len(more.stream), more.golden) == (held.stream, 4, held.golden)
    for settings, runs in (((), 4), (("--runs", 3), 3)):
        replayed = cli("run", "--replay", cassette, *settings, "--json")
        assert (replayed.code, replayed.json["runs"]) == (0, runs)
    assert cli("run", "--replay", cassette, "--json").json["overall"] == longer.json["overall"]


def test_a_quote_can_be_replayed_on_what_the_replay_learned(cli: Cli) -> None:
    assert cli(*SHORT).code == 0
    request = cli("traces", "list", "--store", ".patchlab-replay", "--json").json[0]["request"]
    known = cli("answer", request, "--backend", "replay")
    unknown = cli("answer", "Ship 77 kg of something nobody asked for", "--backend", "replay")
    assert (known.code, unknown.code) == (0, 5)
    assert "Ship 77 kg of something nobody asked for" in unknown.error


def test_a_cassette_that_is_none_names_the_line(cli: Cli, own_folder: Path) -> None:
    broken = own_folder / "broken.jsonl"
    broken.write_text(CASSETTE.read_text("utf-8").splitlines()[0] + '\n{"key": 1}\n', "utf-8")
    result = cli("run", "--replay", broken)
    assert result.code == 3
    assert "Line 2 of" in result.error


def test_a_replay_beside_another_backend_is_refused(cli: Cli) -> None:
    result = cli("run", "--backend", "toy", "--replay", CASSETTE)
    assert result.code == 2
    assert "--replay is for --backend replay" in result.error
