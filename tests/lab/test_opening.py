"""Opening a lab: what each setting decides, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from patchlab_agent.backends.base import ScriptedBackend
from patchlab_agent.backends.budget import BudgetedBackend
from patchlab_agent.backends.cassette import Cassette, ReplayBackend
from patchlab_agent.backends.llm import LlmBackend
from patchlab_agent.backends.recording import RecordingBackend
from patchlab_agent.errors import BudgetReached, InputError, StoreError, UsageError
from patchlab_agent.gate.base import OpenGate
from patchlab_agent.gate.gate import Gate
from patchlab_agent.lab.backend_choice import cassette_path
from patchlab_agent.lab.lab import Lab
from patchlab_agent.lab.opening import lab_of, open_lab
from patchlab_agent.settings import REPLAY_STORE, LabOptions, RunSettings
from tests.lab.conftest import OpenLab
from tests.support.make import listing
from tests.support.words_skill import Reader

REQUEST = "Ship 2 kg books box to US"


def test_every_setting_is_an_argument() -> None:
    assert LabOptions.__annotations__.keys() == RunSettings.model_fields.keys() - {
        "backend",
        "task",
    }


def test_the_defaults_are_those_of_the_settings(tmp_path: Path) -> None:
    with open_lab() as lab:
        assert lab.settings == RunSettings()
        assert lab.store.path == Path(".patchlab")


@pytest.mark.parametrize("path", ["s", Path("s"), "deep/er/s"])
def test_a_store_is_named_by_a_text_or_a_path(own_folder: Path, path: str | Path) -> None:
    with open_lab(store=path, noise=0) as lab:
        lab.answer(REQUEST)
    assert (own_folder / path / "patchlab.json").is_file()


def test_what_decides_about_an_answer_reaches_the_agent(tmp_path: Path) -> None:
    given = {"top_k": 2, "examples": 1, "context_tokens": 99, "holdout": 0.25, "seed": 5}
    with open_lab(store=tmp_path, noise=0, **given) as lab:  # type: ignore[arg-type]
        agent = lab.agent
        assert (agent.top_k, agent.n_examples, agent.context_tokens) == (2, 1, 99)
        assert (agent._holdout.share, agent._holdout.seed) == (0.25, 5)
        assert agent.backend.name == "toy(seed=5, noise=0)"


def test_the_clock_dates_what_is_stored(tmp_path: Path) -> None:
    with open_lab(store=tmp_path / "s", noise=0, clock=lambda: "2020-02-02T00:00:00") as lab:
        assert lab.answer(REQUEST).at == "2020-02-02T00:00:00"


def test_the_embedder_is_kept_with_the_store(tmp_path: Path) -> None:
    with open_lab(store=tmp_path / "s", embedder="hashing") as lab:
        assert lab.store.info.embedder == "hashing"
    with open_lab(store=tmp_path / "s") as again:
        assert again.store.info.embedder == "hashing"


@pytest.mark.parametrize(("gate", "kind"), [("on", Gate), ("off", OpenGate)])
def test_the_gate_can_be_switched_off(open_words: OpenLab, gate: str, kind: type) -> None:
    assert isinstance(open_words(gate=gate).gate, kind)


def test_a_real_model_is_put_together_without_being_called(tmp_path: Path) -> None:
    with open_lab(
        store=tmp_path / "s",
        backend="litellm",
        model="openai/x",
        api_base="http://127.0.0.1:9/v1",
        temperature=0.5,
        max_tokens=9,
        seed_model=3,
        timeout=1.5,
        concurrency=4,
    ) as lab:
        assert isinstance(lab.model, LlmBackend)
        assert lab.model.name == "openai/x(temperature=0.5, max_tokens=9, seed=3)"
        assert lab.model.varies


def test_limits_to_spending_and_a_cassette_wrap_around_a_real_model(tmp_path: Path) -> None:
    given = {"backend": "litellm", "model": "openai/x", "store": tmp_path / "s"}
    with open_lab(**given, max_calls=3) as lab:  # type: ignore[arg-type]
        assert isinstance(lab.model, BudgetedBackend)
        assert lab.recording is None
    with open_lab(**given, record=tmp_path / "c.jsonl") as lab:  # type: ignore[arg-type]
        assert isinstance(lab.model, RecordingBackend)
        assert lab.recording is lab.model


def test_a_replay_takes_up_the_settings_of_the_recorded_run(own_folder: Path) -> None:
    with open_lab(backend="replay", runs=5) as lab:
        assert isinstance(lab.model, ReplayBackend)
        recorded = Cassette(cassette_path(lab.skill, None)).header.settings
        assert lab.store.path == REPLAY_STORE
        assert isinstance(lab.settings, RunSettings)
        assert lab.settings.runs == 5
        for name in ("seed", "top_k", "examples", "golden", "concurrency", "gate_alpha"):
            assert getattr(lab.settings, name) == recorded[name]
    with open_lab(backend="replay", store="elsewhere", top_k=0) as lab:
        assert (lab.store.path, lab.agent.top_k) == (Path("elsewhere"), 0)


def test_a_replay_needs_a_store_with_nothing_in_it(own_folder: Path) -> None:
    with open_lab(backend="replay", store="s", runs=2, golden=0) as lab:
        report = lab.run()
        assert (report.runs, report.stopped) == (2, None)
        with pytest.raises(UsageError, match="takes a store with nothing in it"):
            lab.run()


def test_a_cassette_of_ones_own_is_played(own_folder: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.jsonl"):
        open_lab(backend="replay", replay="nowhere.jsonl")
    # As on the command line, it implies the backend of that name.
    with pytest.raises(InputError, match=r"nowhere\.jsonl"):
        open_lab(replay="nowhere.jsonl")
    with pytest.raises(UsageError, match="--replay is for --backend replay"):
        open_lab(backend="litellm", model="openai/x", replay="nowhere.jsonl")
    assert listing(own_folder) == []


def test_a_backend_of_ones_own_is_held_to_a_budget(open_words: OpenLab) -> None:
    backend = Reader()
    lab = open_words(backend=backend, max_calls=2)
    lab.answer("salt")
    lab.answer("a zok")
    with pytest.raises(BudgetReached, match="2 calls"):
        lab.answer("tarn")
    assert len(backend.prompts) == 2
    assert len(list(lab.traces.select())) == 2


@pytest.mark.parametrize(
    "given",
    [
        {"model": "openai/x"},
        {"api_base": "http://127.0.0.1:1/v1"},
        {"temperature": 0.5},
        {"max_tokens": 5},
        {"seed_model": 5},
        {"timeout": 5},
        {"record": "c.jsonl"},
        {"record_note": "mine"},
        {"replay": "c.jsonl"},
    ],
)
def test_a_backend_of_ones_own_heeds_no_settings_of_others(
    own_folder: Path, given: dict[str, Any]
) -> None:
    (name,) = given
    with pytest.raises(UsageError, match=f"^{name} is for backend='litellm' or 'replay'"):
        open_lab(backend=ScriptedBackend(), **given)
    assert listing(own_folder) == []


@pytest.mark.parametrize(
    ("name", "hint"), [("top_kk", "did you mean top_k"), ("zzz", "RunSettings describes")]
)
def test_a_setting_that_there_is_not_is_refused_with_the_nearest(
    own_folder: Path, name: str, hint: str
) -> None:
    with pytest.raises(UsageError, match=f"There is no setting '{name}'; {hint}"):
        open_lab(**{name: 3})  # type: ignore[arg-type]
    assert listing(own_folder) == []


def test_a_store_has_one_writer(tmp_path: Path) -> None:
    with (
        open_lab(store=tmp_path / "s"),
        pytest.raises(StoreError, match="in use by another"),
    ):
        open_lab(store=tmp_path / "s")
    open_lab(store=tmp_path / "s").close()


def test_a_lab_that_is_closed_says_so(lab: Lab) -> None:
    context = lab.context("a zok")
    trace = lab.answer("a zok")
    lab.close()
    for call in (
        lambda: lab.answer("salt"),
        lambda: lab.record("a zok", context, "{}"),
        lambda: lab.learn(trace, trace.feedback),  # type: ignore[arg-type]
        lab.run,
    ):
        with pytest.raises(StoreError, match="is closed; open it again"):
            call()


def test_a_lab_that_is_open_for_reading_only_writes_nothing(
    open_words: OpenLab, tmp_path: Path
) -> None:
    settings = RunSettings(backend="reader", store=tmp_path / "store")
    writer = open_words()
    trace = writer.answer("a zok")
    with lab_of(settings, write=False) as lab:
        assert lab.effects(golden=1, traces=1).calls == 0
        for call in (
            lambda: lab.answer("salt"),
            lambda: lab.feedback(trace.id, "OK"),
            lab.run,
            lambda: lab.regate("0"),
            lambda: lab.import_patches("x", []),
        ):
            with pytest.raises(StoreError, match="for reading only; open it for writing"):
                call()
    assert list(writer.traces.select()) == [trace]


def test_what_is_stored_reads_as_json(lab: Lab) -> None:
    values: list[BaseModel] = [lab.answer("a zok"), lab.context("a zok"), lab.contents]
    for value in values:
        assert json.loads(value.model_dump_json()) == value.model_dump(mode="json")
