"""Putting a skill, a store and a model together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from patchlab_agent.agent.agent import EMPTY
from patchlab_agent.agent.conversation import MAX_REPAIRS
from patchlab_agent.backends.base import Backend, ScriptedBackend
from patchlab_agent.errors import (
    BackendUnavailable,
    InputError,
    MissingExtra,
    PatchLabError,
    PromptError,
    SkillError,
    StoreError,
    UsageError,
)
from patchlab_agent.gate.base import OpenGate
from patchlab_agent.lab.opening import lab_of, open_lab
from patchlab_agent.lab.preflight import check_settings
from patchlab_agent.lab.stores import delete_store, raw_store, store_contents
from patchlab_agent.models.listing import StoreContents
from patchlab_agent.models.patch import Origin
from patchlab_agent.models.trace import OK, Feedback
from patchlab_agent.runs.suite import labeled_cases
from patchlab_agent.settings import AgentSettings, RunSettings
from patchlab_agent.skill.seam import Proposer
from tests.backends.test_base import Echo, prompt
from tests.support.make import listing, make_patch
from tests.support.words_skill import (
    CLOCK,
    Reader,
    WordsProposer,
    WordsReferee,
    WordsSimulator,
    install,
    words_skill,
    write_templates,
)

RED = Feedback(label="word_unknown", field="zok", detail="red")


@pytest.fixture
def _words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the small skill be the installed one."""
    skill = words_skill(tmp_path / "prompts")
    install(monkeypatch, skill)


def test_the_default_lab_answers_out_of_the_box(own_folder: Path) -> None:
    with open_lab(noise=0) as lab:
        trace = lab.agent.answer("Ship 2 kg books box to US")
        assert lab.agent.backend.name == "toy(seed=7, noise=0)"
    assert trace.output is not None
    assert trace.output["price_eur"] is not None
    assert {"patchlab.json", "chroma.sqlite3", "prompts"} <= set(listing(own_folder / ".patchlab"))


def test_settings_reach_the_simulated_backend(tmp_path: Path) -> None:
    with open_lab(store=tmp_path, seed=11, noise=0.25) as lab:
        assert lab.agent.backend.name == "toy(seed=11, noise=0.25)"
        assert lab.agent.backend.varies


@pytest.mark.parametrize(
    ("wrong", "error", "problem"),
    [
        ({"skill": "cooking"}, SkillError, "no skill 'cooking'; installed are: shipping"),
        ({"backend": "gpt"}, UsageError, "no backend 'gpt'; choose one of: simulated, toy"),
        ({"embedder": "magic"}, UsageError, "no embedder 'magic'"),
        ({"noise": 1.5}, UsageError, "noise=1.5"),
        ({"noise": -0.1}, UsageError, "noise=-0.1"),
        ({"top_k": 51}, UsageError, "top_k=51"),
        ({"examples": -1}, UsageError, "examples=-1"),
        ({"holdout": 1}, UsageError, "holdout=1 cannot be used: Input should be less than 1"),
        ({"holdout": -0.1}, UsageError, "holdout=-0.1"),
        ({"holdout": float("nan")}, UsageError, "holdout=nan"),
        ({"seed": "x"}, UsageError, "seed='x'"),
    ],
)
def test_what_cannot_be_opened_is_an_error_that_leaves_nothing(
    tmp_path: Path, wrong: dict[str, Any], error: type[PatchLabError], problem: str
) -> None:
    with pytest.raises(error, match=problem):
        open_lab(**{"store": tmp_path / "s", **wrong})
    assert listing(tmp_path) == []


def test_a_missing_extra_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("patchlab_agent.embedding.find_spec", lambda name: None)
    with pytest.raises(MissingExtra):
        open_lab(store=tmp_path / "s", embedder="wordllama")
    assert listing(tmp_path) == []


def test_a_backend_of_ones_own_is_used_and_closed(tmp_path: Path) -> None:
    backend = Reader(name="my model")
    with pytest.MonkeyPatch.context() as patched:
        install(patched, words_skill(tmp_path / "prompts"))
        with open_lab(backend=backend, store=tmp_path / "s", examples=0) as lab:
            assert lab.agent.answer("salt").output == {"salt": "white", "length": 1}
            assert lab.agent.backend.name == "my model"
            assert not backend.closed
    assert backend.closed
    assert len(backend.prompts) == 1


def test_a_scripted_backend_serves_the_shipping_skill(tmp_path: Path) -> None:
    backend = ScriptedBackend(["I do not know.", "Nor now.", "Never."])
    with open_lab(backend=backend, store=tmp_path) as lab:
        trace = lab.agent.answer("Ship 2 kg books box to US")
        assert trace.output is None
        with pytest.raises(BackendUnavailable):
            lab.agent.answer("Ship 3 kg books box to US")
    assert (trace.attempt.raw, trace.attempt.repairs) == ("Never.", MAX_REPAIRS)
    assert "the answer holds no JSON object" in backend.history[1].user


def test_a_simulated_backend_is_asked_once(tmp_path: Path) -> None:
    with open_lab(store=tmp_path, noise=1) as lab:
        attempts = [
            lab.agent.attempt("Ship 2 kg books box to US", EMPTY, str(n)) for n in range(40)
        ]
    assert any(attempt.output is None for attempt in attempts)
    assert not any(attempt.repairs for attempt in attempts)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"backend": "litellm"}, "litellm needs --model"),
        ({"model": "ollama_chat/x"}, "--model is for a real model; add --backend litellm"),
        (
            {"backend": "litellm", "model": "openai/x", "api_base": "localhost:8080/v1"},
            "--api-base 'localhost:8080/v1' is not a valid address; write it as in http://",
        ),
        (
            {"backend": "litellm", "model": "openai/x", "api_base": "http://[me:hush@x"},
            r"--api-base 'http://\*\*\*@x' is not a valid address",
        ),
        ({"temperature": 0.5}, "--temperature is for a real model"),
        ({"max_tokens_total": 5}, "--max-tokens-total is for a real model"),
        ({"backend": "replay", "record": "c.jsonl"}, "--record is for a real model"),
        ({"backend": "gpt"}, "no backend 'gpt'; choose one of: simulated, toy, litellm, replay"),
    ],
)
def test_settings_of_a_model_that_contradict_each_other_are_refused(
    own_folder: Path, given: dict[str, Any], problem: str
) -> None:
    with pytest.raises(UsageError, match=problem):
        check_settings(RunSettings.model_validate(given))
    assert listing(own_folder) == []


@pytest.mark.usefixtures("_words")
def test_a_skill_without_a_cassette_or_a_proposer_of_its_own_says_so(own_folder: Path) -> None:
    for given, problem in (
        ({"backend": "replay"}, "'words' brings no cassette; name one with --replay FILE"),
        ({"backend": "reader", "patcher": "llm"}, "no --patcher llm; use --patcher rules"),
    ):
        with pytest.raises(UsageError, match=problem):
            check_settings(RunSettings.model_validate({**given, "golden": 3}))


def test_a_model_that_proposes_is_asked_behind_cache_and_books(tmp_path: Path) -> None:
    asked: list[Backend] = []

    def propose(backend: Backend) -> Proposer:
        asked.append(backend)
        return skill.proposer

    skill = replace(words_skill(tmp_path / "prompts"), model_proposer=propose)
    with pytest.MonkeyPatch.context() as patched:
        install(patched, skill)
        settings = AgentSettings(backend="reader", store=tmp_path / "s", patcher="llm")
        with lab_of(settings) as lab:
            assert isinstance(lab.proposer, WordsProposer)
            assert asked == [lab.meter]


@pytest.mark.usefixtures("_words")
def test_leaving_by_an_error_closes_store_and_model(tmp_path: Path) -> None:
    backend = Reader()

    def crash() -> None:
        with open_lab(backend=backend, store=tmp_path / "s") as lab:
            lab.learn(lab.agent.answer("salt"), OK)
            raise InputError

    with pytest.raises(InputError):
        crash()
    assert backend.closed
    with open_lab(backend=backend, store=tmp_path / "s") as again:
        assert again.store.traces.count() == 1


@pytest.mark.usefixtures("_words")
def test_broken_templates_let_go_of_the_store(tmp_path: Path) -> None:
    write_templates(tmp_path / "prompts", user="{{ mood }}")
    with pytest.raises(PromptError, match=r"user\.j2: mood") as caught:
        open_lab(backend="reader", store=tmp_path / "s")
    write_templates(tmp_path / "prompts")
    open_lab(backend="reader", store=tmp_path / "s").close()
    # Held until here, and with it all that was opened: nobody else closed the store.
    assert caught.tb is not None


@pytest.mark.usefixtures("_words")
def test_learning_stores_the_judged_trace_with_its_events(tmp_path: Path) -> None:
    with open_lab(backend="reader", store=tmp_path / "s", clock=lambda: CLOCK) as lab:
        trace = lab.agent.answer("a zok")
        assert lab.store.traces.get(trace.id) is None
        events = lab.learn(trace, RED).events
        assert [event.kind for event in events] == ["activated"]
        stored = lab.store.traces.get(trace.id)
        right = lab.agent.answer("one zok")
        assert lab.learn(right, OK).events == ()
        assert lab.meter.spent["gate"].calls == 1
    assert stored is not None
    assert (stored.feedback, stored.events) == (RED, events)
    assert stored.at == CLOCK
    with raw_store(tmp_path / "s") as store:
        kept = store.traces.get(right.id)
        assert kept is not None
        assert kept.ok
        assert [shown.id for shown in store.examples.similar("one zok", 3)] == [right.id]


@pytest.mark.usefixtures("_words")
def test_feedback_given_twice_leaves_both_events(tmp_path: Path) -> None:
    with open_lab(backend="reader", store=tmp_path / "s") as lab:
        trace = lab.agent.answer("a zok")
        lab.learn(trace, RED)
        once = lab.store.traces.get(trace.id)
        assert once is not None
        lab.learn(once, RED)
        twice = lab.store.traces.get(trace.id)
    assert twice is not None
    assert [event.kind for event in twice.events] == ["activated", "active_already"]


@pytest.mark.usefixtures("_words")
def test_an_outage_while_learning_stores_the_feedback_and_no_patch(tmp_path: Path) -> None:
    backend = Reader(outage_at=1)
    with open_lab(backend=backend, store=tmp_path / "s") as lab:
        trace = lab.agent.answer("a zok")
        with pytest.raises(BackendUnavailable):
            lab.learn(trace, RED)
        assert lab.store.patches.count() == 0
        stored = lab.store.traces.get(trace.id)
        assert stored is not None
        assert (stored.feedback, stored.events) == (RED, ())


def test_the_stable_prompt_is_kept_under_the_digest_that_traces_name(tmp_path: Path) -> None:
    with open_lab(store=tmp_path, noise=0) as lab:
        trace = lab.agent.answer("Ship 2 kg books box to US")
    kept = tmp_path / "prompts" / f"{trace.attempt.system_digest}.txt"
    assert kept.read_text("utf-8") == lab.agent.system


def test_the_gates_suite_is_the_worlds_regression_set(tmp_path: Path) -> None:
    with open_lab(store=tmp_path, noise=0) as lab:
        trace = lab.agent.answer("Ship 2 lb books box to US")
        pound = Feedback(label="unit_unknown", field="unit", value="lb", detail="1 lb is 0.4536 kg")
        event, *_ = lab.learn(trace, pound).events
        patch = lab.store.patches.get(event.patch_id or "")
        assert patch is not None
        assert patch.gate is not None
        assert patch.gate.suite_size == len(lab.skill.simulator.regression())


def test_a_store_can_be_looked_into_beside_its_writer(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with pytest.raises(StoreError, match="There is no store"):
        raw_store(path)
    assert store_contents(path) is None
    assert listing(tmp_path) == []
    with open_lab(store=path, noise=0) as lab:
        trace = lab.agent.answer("Ship 1 kg battery box to EU")
        lab.learn(trace, Feedback(label="hazmat_undeclared", detail="battery: hazmat"))
        lab.store.traces.flush()
        with raw_store(path) as beside:
            assert [patch.trigger for patch in beside.patches.all()] == ["battery"]
        assert store_contents(path) == StoreContents(patches=1, active=1, traces=1, runs=0)


def test_a_forgotten_store_is_gone(tmp_path: Path) -> None:
    open_lab(store=tmp_path / "s").close()
    delete_store(tmp_path / "s")
    assert listing(tmp_path) == []


@pytest.mark.parametrize(
    ("wrong", "error", "problem"),
    [
        ({"skill": "cooking"}, SkillError, "cooking"),
        ({"backend": "gpt"}, UsageError, "gpt"),
        ({"embedder": "magic"}, UsageError, "magic"),
        ({"golden": 100_000}, UsageError, "from 0 to "),
        ({"requests": "nowhere.jsonl"}, InputError, "nowhere.jsonl"),
        ({"store": __file__}, StoreError, "is a file"),
    ],
)
def test_settings_are_checked_before_anything_is_touched(
    own_folder: Path, wrong: dict[str, Any], error: type[PatchLabError], problem: str
) -> None:
    assert check_settings(RunSettings()) is None
    with pytest.raises(error, match=problem):
        check_settings(RunSettings.model_validate(wrong))
    assert listing(own_folder) == []


def test_checking_settings_reads_the_users_requests(own_folder: Path) -> None:
    Path("mine.jsonl").write_text(
        '{"request": "2.5 kg of tea in a box to Kenya, by camel", "weight_kg": 2.5, '
        '"item": "tea", "parcel": "box", "country": "KE"}\n',
        "utf-8",
    )
    cases = check_settings(RunSettings(requests=Path("mine.jsonl")))
    assert cases is not None
    assert [case.request for case in cases] == ["2.5 kg of tea in a box to Kenya, by camel"]


@pytest.mark.parametrize(("limits", "asked"), [({}, "abcd"), ({"max_calls": 99}, "a")])
def test_where_spending_is_limited_nothing_is_asked_before_it_is_needed(
    tmp_path: Path, limits: dict[str, int], asked: str
) -> None:
    echo = Echo()
    settings = RunSettings(
        backend="litellm", model="openai/x", concurrency=4, store=tmp_path / "s", **limits
    )
    with lab_of(settings, model=echo) as lab:
        lab.meter.expect(map(prompt, "bcd"))
        lab.meter.complete(prompt("a"))
    assert echo.batches == [list(asked)]


@pytest.mark.usefixtures("_words")
def test_a_referee_judges_what_is_learned_by_hand(tmp_path: Path) -> None:
    with open_lab(backend="reader", store=tmp_path / "s") as lab:
        blue = Feedback(label="word_unknown", field="zok", detail="blue")
        (event,) = lab.learn(lab.agent.answer("a zok"), blue, WordsReferee()).events
        assert (event.kind, event.patch_id and event.text.partition(":")[0]) == (
            "quarantined",
            "with the patch the referee still says",
        )
        (event,) = lab.learn(lab.agent.answer("a zok"), RED, WordsReferee()).events
        assert event.text == "by the referee, 1 request turns right and none wrong; on trial"


@pytest.mark.usefixtures("_words")
def test_settings_reach_the_gate(tmp_path: Path) -> None:
    settings = {"backend": "reader", "store": tmp_path / "s"}
    digests = set()
    for changed in ({}, {"gate_alpha": 0.01}, {"gate_max_calls": 9}, {"trust": "model"}):
        with lab_of(AgentSettings.model_validate({**settings, **changed})) as lab:
            patch = make_patch("zok").brought_by(Origin.PERSON)
            digests.add(lab.gate.conditions(patch))
    assert len(digests) == 4


@pytest.mark.usefixtures("_words")
@pytest.mark.parametrize(
    ("trust", "kind", "code"),
    [
        ("person,model,import", "activated", "taken_on_trust"),
        ("model", "quarantined", "no_evidence"),
        ("nobody", "quarantined", "no_evidence"),
    ],
)
def test_whose_word_is_taken_is_set(tmp_path: Path, trust: str, kind: str, code: str) -> None:
    settings = AgentSettings(backend="reader", store=tmp_path / "s", trust=trust)
    with lab_of(settings) as lab:
        (event,) = lab.learn(lab.agent.answer("a zok"), RED).events
        patch = lab.store.patches.get(event.patch_id or "")
    assert patch is not None
    assert patch.gate is not None
    assert (event.kind, patch.gate.codes) == (kind, (code,))


@pytest.mark.usefixtures("_words")
def test_a_gate_that_is_off_lets_everything_in(tmp_path: Path) -> None:
    settings = AgentSettings(backend="reader", store=tmp_path / "s", gate="off")
    with lab_of(settings) as lab:
        assert isinstance(lab.gate, OpenGate)


def test_labeled_cases_are_judged_by_the_rules_that_hold_now() -> None:
    cases = labeled_cases(WordsSimulator())
    assert [case.request for case in cases] == [c.request for c in WordsSimulator().regression()]
    assert all(case.answer == {"salt": "white"} for case in cases)
    assert cases[0].judge({"salt": "white"}).ok
    assert cases[0].judge({"salt": "grey"}).detail == "white"
    assert not cases[0].judge(None).ok
