"""Where settings come from, who outranks whom, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.main import get_command

from patchlab_agent.cli.app import app
from patchlab_agent.config import NAMES
from patchlab_agent.settings import REPLAY_STORE, RunSettings
from tests.cli.helpers import Cli, Result, assert_refused, called

REQUEST = "Ship 2 kg books box to US"


def table(text: str, folder: Path = Path()) -> Path:
    path = folder / "pyproject.toml"
    path.write_text(f"[tool.patchlab]\n{text}\n", "utf-8")
    return path


def effective(result: Result) -> dict[str, tuple[object, str]]:
    """Value and source of each setting that `config --json` shows."""
    assert (result.code, result.err) == (0, "")
    return {s["name"]: (s["value"], s["source"]) for s in result.json["settings"]}


def test_nothing_said_is_all_defaults(cli: Cli) -> None:
    found = cli("config", "--json")
    assert set(found.json) == {"file", "settings"}
    assert found.json["file"] is None
    assert {source for _, source in effective(found).values()} == {"default"}
    assert {name: value for name, (value, _) in effective(found).items()} == json.loads(
        RunSettings().model_dump_json()
    )


def test_each_outranks_what_is_below_it(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    path = table("top-k = 1\nseed = 1\nexamples = 1").absolute()
    monkeypatch.setenv("PATCHLAB_TOP_K", "2")
    monkeypatch.setenv("PATCHLAB_SEED", "2")
    monkeypatch.setenv("PATCHLAB_NOISE", "")
    result = cli("config", "--top-k", 3, "--json")
    found = effective(result)
    assert found["top_k"] == (3, "command line")
    assert found["seed"] == (2, "environment")
    assert found["examples"] == (1, "pyproject.toml")
    assert found["noise"] == (0.03, "default")
    where = {s["name"]: s["where"] for s in result.json["settings"]}
    assert where["top_k"] == "--top-k"
    assert where["seed"] == "PATCHLAB_SEED"
    assert where["examples"] == f"{path}: examples"
    assert result.json["file"] == str(path)


def test_the_table_reaches_every_command_below(cli: Cli, store: Path) -> None:
    table(f'store = "{store}"')
    assert cli("patches", "list", "--json").json
    assert cli("traces", "list", "--json").json
    Path("deeper").mkdir()
    assert not Path(".patchlab").exists()


def test_a_store_of_the_table_is_beside_the_file(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    table('store = "lab"')
    (tmp_path / "deeper").mkdir()
    monkeypatch.chdir(tmp_path / "deeper")
    assert cli("answer", REQUEST).code == 0
    assert (tmp_path / "lab" / "patchlab.json").exists()
    assert list((tmp_path / "deeper").iterdir()) == []


def test_a_table_means_what_the_options_mean(cli: Cli) -> None:
    said = cli("run", "--runs", 8, "--golden", 2, "--seed", 3, "--store", "one", "--json").json
    table('runs = 8\ngolden = 2\nseed = 3\nstore = "two"')
    heard = cli("run", "--json").json
    leave = {"timing", "store"}
    assert {k: v for k, v in said.items() if k not in leave} == {
        k: v for k, v in heard.items() if k not in leave
    }


def test_help_shows_the_tables_value_as_the_default(cli: Cli) -> None:
    table("top-k = 17")
    assert "[default: 17]" in cli("run", "--help").text


def test_a_replay_heeds_nothing_around_the_command_line(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    table('top-k = 1\nstore = "mine"\ngate = "off"')
    monkeypatch.setenv("PATCHLAB_SEED", "99")
    monkeypatch.setenv("PATCHLAB_REQUESTS", "mine.csv")
    found = effective(cli("config", "--backend", "replay", "--json"))
    plain = effective(called("config", "--backend", "replay", "--json"))
    assert found == plain
    assert found["seed"][1] == "recording"
    assert found["store"] == (str(REPLAY_STORE), "recording")
    assert found["gate"][0] == "on"
    assert found["requests"] == (None, "default")


def test_the_command_line_outranks_a_recording(cli: Cli) -> None:
    found = effective(cli("config", "--backend", "replay", "--seed", 5, "--json"))
    assert found["seed"] == (5, "command line")


def test_which_recording_to_play_may_stand_in_the_table(cli: Cli) -> None:
    Path("mine.jsonl").write_text(
        '{"cassette": 1, "parameters": {"model": "a/b"}, "settings": {"seed": 41}}\n', "utf-8"
    )
    table('backend = "replay"\nreplay = "mine.jsonl"\nseed = 1')
    found = effective(cli("config", "--json"))
    assert found["seed"] == (41, "recording")
    assert found["backend"] == ("replay", "pyproject.toml")


def test_a_table_may_describe_a_model_that_another_call_does_without(cli: Cli) -> None:
    table('backend = "litellm"\nmodel = "openai/x"\napi-base = "http://127.0.0.1:1"\nmax-calls = 3')
    toy = cli("answer", REQUEST, "--backend", "toy", "--json")
    assert (toy.code, toy.err) == (0, "")
    real = effective(cli("config", "--json"))
    assert real["model"] == ("openai/x", "pyproject.toml")
    assert effective(cli("config", "--backend", "toy", "--json"))["model"] == (None, "default")


def test_a_model_on_the_command_line_still_needs_its_backend(cli: Cli) -> None:
    assert_refused(cli("answer", REQUEST, "--model", "openai/x"), 2, "--backend litellm")


@pytest.mark.parametrize(
    "command", [("run",), ("answer", REQUEST), ("patches", "list"), ("config",)]
)
def test_what_is_wrong_with_a_table_is_said_before_anything_is_done(
    cli: Cli, command: tuple[str, ...]
) -> None:
    path = table("topk = 3").absolute()
    result = cli(*command)
    assert (result.code, result.out) == (2, "")
    assert result.err == (
        f"Error: {path}: [tool.patchlab] has no key 'topk'; did you mean 'top-k'?\n"
    )
    assert not Path(".patchlab").exists()


def test_a_broken_table_leaves_help_and_version_alone(cli: Cli) -> None:
    table("= =")
    assert cli("--help").code == 0
    assert cli("--version").code == 0


def test_a_wrong_variable_is_named(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATCHLAB_TOP_K", "many")
    assert_refused(cli("config"), 2, "PATCHLAB_TOP_K", "many")


def test_an_unknown_variable_is_a_warning_beside_the_result(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATCHLAB_TOPK", "3")
    result = cli("config", "--json")
    assert result.code == 0
    assert result.json["settings"]
    assert result.err == (
        "Warning: PATCHLAB_TOPK is not a setting; did you mean 'PATCHLAB_TOP_K'?\n"
    )


def test_a_deleted_working_directory_has_no_table(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert effective(cli("config", "--json"))["seed"] == (7, "default")


def test_config_on_a_terminal_names_each_setting_once(cli: Cli) -> None:
    table("top-k = 3")
    lines = cli("config").out.splitlines()
    names = [line.split()[0] for line in lines if line and not line.startswith(("setting", "─"))]
    assert [n for n in names if n.replace("-", "_") in NAMES] == [
        name.replace("_", "-") for name in RunSettings.model_fields
    ]


def test_a_password_in_an_address_is_not_shown(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATCHLAB_BACKEND", "litellm")
    monkeypatch.setenv("PATCHLAB_API_BASE", "http://me:hush@127.0.0.1:1/v1")
    for result in (cli("config"), cli("config", "--json")):
        assert "hush" not in result.out
        assert "127.0.0.1" in result.out


def _options() -> list[typer.core.TyperOption]:
    found, open_ends = [], [get_command(app)]
    while open_ends:
        command = open_ends.pop()
        open_ends += getattr(command, "commands", {}).values()
        found += [p for p in command.params if isinstance(p, typer.core.TyperOption)]
    return found


def test_settings_have_a_variable_and_one_shot_options_have_none() -> None:
    options = _options()
    for option in options:
        expected = f"PATCHLAB_{option.name.upper()}" if option.name in NAMES else None
        assert option.envvar == expected, option.name
    named = {option.name for option in options}
    assert named >= NAMES
    assert {"fresh", "yes", "as_json", "verbose"} <= named - NAMES


def test_help_says_that_settings_have_other_sources(cli: Cli) -> None:
    for path in (("run",), ("patches", "list")):
        assert "PATCHLAB_STORE" in cli(*path, "--help").text
