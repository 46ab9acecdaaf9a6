"""What a run is configured by, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from patchlab_agent.errors import UsageError
from patchlab_agent.settings import (
    DEFAULT_STORE,
    MAX_CONCURRENCY,
    MAX_EXAMPLES,
    MAX_TOP_K,
    MODEL,
    PATHS,
    RECORDED,
    SIMULATION,
    AgentSettings,
    LabOptions,
    Option,
    RunSettings,
    checked,
    unheeded,
)

pytestmark = pytest.mark.quick


def test_defaults_are_the_simulated_model_of_the_first_skill() -> None:
    settings = checked(AgentSettings, {})
    assert (settings.skill, settings.backend) == ("shipping", "simulated")
    assert settings.store == DEFAULT_STORE
    assert settings == AgentSettings()


def test_values_are_taken_and_turned_into_their_kind() -> None:
    settings = checked(
        AgentSettings, {"store": "here", "top_k": 0, "noise": 1, "examples": MAX_EXAMPLES}
    )
    assert settings.store == Path("here")
    assert (settings.top_k, settings.noise, settings.examples) == (0, 1.0, MAX_EXAMPLES)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("noise", -0.001),
        ("noise", 1.001),
        ("noise", float("nan")),
        ("noise", "loud"),
        ("top_k", -1),
        ("top_k", MAX_TOP_K + 1),
        ("examples", -1),
        ("examples", MAX_EXAMPLES + 1),
        ("seed", 1.5),
        ("seed", "seven"),
        ("store", 3),
        ("patcher", "magic"),
        ("temperature", -0.1),
        ("temperature", 2.1),
        ("max_tokens", 0),
        ("timeout", 0),
        ("concurrency", 0),
        ("concurrency", MAX_CONCURRENCY + 1),
        ("max_calls", 0),
        ("max_cost", 0),
        ("max_tokens_total", 0),
    ],
)
def test_what_cannot_be_used_is_named(name: str, value: object) -> None:
    with pytest.raises(UsageError, match=f"^{name}="):
        checked(AgentSettings, {name: value})


def test_the_message_is_one_sentence_with_value_and_bound() -> None:
    with pytest.raises(UsageError) as caught:
        checked(AgentSettings, {"noise": 2})
    assert str(caught.value).startswith("noise=2 cannot be used: ")
    assert "less than or equal to 1" in str(caught.value)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seed", "http://me:swordfish@h/v1"),
        ("top_k", "http:me:swordfish@h"),
        ("noise", "sk-swordfish-1234"),
        ("api_base", ["http://me:swordfish@h/v1"]),
        ("timeout", "https://h/v1?api_key=swordfish"),
    ],
)
def test_the_message_repeats_no_login_and_no_key(name: str, value: object) -> None:
    with pytest.raises(UsageError, match=f"^{name}=.*\\*\\*\\*") as caught:
        checked(AgentSettings, {name: value})
    assert "swordfish" not in str(caught.value)


def test_a_run_has_at_least_one_request_and_no_negative_golden_set() -> None:
    assert RunSettings().runs is None
    assert RunSettings(golden=0, runs=1).golden == 0
    for wrong in ({"runs": 0}, {"golden": -1}):
        with pytest.raises(ValidationError):
            RunSettings.model_validate(wrong)


def test_settings_do_not_change_under_a_run() -> None:
    with pytest.raises(ValidationError):
        RunSettings().seed = 8  # type: ignore[misc]


def test_settings_of_another_kind_are_left_out() -> None:
    values = {"runs": 5, "top_k": 2, "as_json": True}
    assert checked(AgentSettings, values) == AgentSettings(top_k=2)
    assert checked(RunSettings, values) == RunSettings(top_k=2, runs=5)
    with pytest.raises(UsageError, match=r"^runs=0 cannot be used"):
        checked(RunSettings, {"runs": 0})


def test_every_setting_that_has_a_place_exists() -> None:
    for names in (RECORDED, SIMULATION, MODEL, PATHS):
        assert len(set(names)) == len(names)
        assert set(names) <= RunSettings.model_fields.keys()
    assert not set(RECORDED) & {*PATHS, *MODEL, *SIMULATION}


def test_each_backend_has_settings_that_it_does_not_heed() -> None:
    assert unheeded("litellm") == {"replay"}
    assert unheeded("replay") == {*MODEL, "record"}
    assert unheeded("toy") == {*MODEL, "record", "replay"}
    for backend in ("litellm", "replay", "toy"):
        assert unheeded(backend) <= RunSettings.model_fields.keys()


def test_every_setting_is_an_argument_of_open_lab_and_an_option() -> None:
    fields = RunSettings.model_fields
    # Backend and task may be objects there, so they are arguments of their own.
    assert set(LabOptions.__annotations__) == set(fields) - {"backend", "task"}
    for name, info in fields.items():
        assert [option for option in info.metadata if isinstance(option, Option)], name
        assert info.description
        assert info.description.endswith(".")
