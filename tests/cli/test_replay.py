"""A recorded run of a real model, played back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from patchlab_agent.lab.models import cassette_path
from patchlab_agent.settings import RECORDED
from patchlab_agent.shipping.skill import shipping
from tests.backends.llm.helpers import GOOD
from tests.cli.helpers import Cli
from tests.cli.servers import serving

CASSETTE = cassette_path(shipping(), None)
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


def test_an_unseen_prompt_at_the_start_is_an_error_without_a_report(cli: Cli) -> None:
    result = cli(*SHORT, "--seed", 8)
    assert result.code == 5
    assert result.out == ""


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
    header, *rest = CASSETTE.read_text("utf-8").splitlines(keepends=True)
    # A recording that went on has a header for each time; the last one counts.
    answers = [line for line in rest if not line.startswith('{"cassette"')]
    told = json.loads(header)
    told["settings"]["requests_digest"] = "0123"
    other = own_folder / "other.jsonl"
    other.write_text("".join([json.dumps(told) + "\n", *answers]), "utf-8")
    result = cli(*SHORT, "--replay", other)
    assert result.code == 2
    assert "recorded on other requests; give its file with --requests" in result.error
    mine.write_text(
        "request,weight_kg,item,parcel,country\n1 kg tea box to Spain,1,tea,box,ES\n", "utf-8"
    )
    told["settings"]["requests_digest"] = None
    other.write_text("".join([json.dumps(told) + "\n", *answers]), "utf-8")
    result = cli(*SHORT, "--replay", other, "--requests", mine)
    assert result.code == 2
    assert "recorded on other requests; leave out --requests" in result.error


def test_a_recorded_run_of_ones_own_requests_is_replayed_with_them(
    cli: Cli, own_folder: Path
) -> None:
    mine = own_folder / "mine.csv"
    mine.write_text(
        "request,weight_kg,item,parcel,country\n"
        "Ship 2 kg books box to US,2,books,box,US\n1 kg tea box to Spain,1,tea,box,ES\n",
        "utf-8",
    )
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
        assert len(received) == asked > 0
    assert (recorded.code, recorded.json["runs"]) == (0, 2)
    # What was refused has cost nothing.
    assert len(cli("traces", "list", "--store", "a", "--json").json) == 2
    told = json.loads(cassette.read_text("utf-8").splitlines()[0])["settings"]
    assert told.keys() == {*RECORDED, "requests_digest"}
    assert (told["golden"], told["runs"]) == (3, None)
    replayed = cli("run", "--replay", cassette, "--requests", mine, "--json")
    assert replayed.code == 0
    assert replayed.json["overall"] == recorded.json["overall"]
    assert replayed.json["golden"] == recorded.json["golden"]
    assert "give its file with --requests" in cli("run", "--replay", cassette).error


def test_a_quote_can_be_replayed_on_what_the_replay_learned(cli: Cli) -> None:
    assert cli(*SHORT).code == 0
    request = cli("traces", "list", "--store", ".patchlab-replay", "--json").json[0]["request"]
    known = cli("quote", request, "--backend", "replay")
    unknown = cli("quote", "Ship 77 kg of something nobody asked for", "--backend", "replay")
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
