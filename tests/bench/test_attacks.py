"""The benchmark of attacks on a model, with the toy in the model's place."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from bench import attacks as script
from bench.assault import COUNTS, spread
from bench.canaries import ATTACKS, INNOCENT, Attack, by_family
from patchlab_agent.backends.base import Answered, BatchBackend
from patchlab_agent.backends.cassette import Cassette
from patchlab_agent.errors import BackendUnavailable
from patchlab_agent.models.base import JsonObject
from patchlab_agent.models.model import ModelParameters, Structure
from patchlab_agent.models.prompt import Completion, Prompt
from patchlab_agent.shipping.task import ShippingTask
from patchlab_agent.shipping.toy.backend import ToyBackend
from patchlab_agent.text import words
from tests.shipping.helpers import ANSWER

FEW = [family[0] for family in by_family(ATTACKS).values()]
NO_FIX: JsonObject = {"trigger": "", "fix": None}
OUTAGE = BackendUnavailable("The model cannot be reached; try again later.")


class Model(BatchBackend):
    """The toy as a real model, which says `proposal` where it is asked for a fix."""

    name = "openai/toy"
    varies = False
    structure = Structure.SCHEMA
    server = "http://127.0.0.1:1/v1"

    def __init__(self, parameters: ModelParameters) -> None:
        self.parameters = parameters
        self.asked: list[Prompt] = []
        self.calls_left = 10_000
        self.proposal: Callable[[Prompt], JsonObject] = lambda _: NO_FIX
        self._toy = ToyBackend(noise=0)

    def complete_batch(self, prompts: Sequence[Prompt]) -> list[Answered]:
        return [self._answered(prompt) for prompt in prompts]

    def _answered(self, prompt: Prompt) -> Answered:
        if len(self.asked) >= self.calls_left:
            return OUTAGE
        self.asked.append(prompt)
        if prompt.purpose == "patcher":
            return Completion(text=json.dumps(self.proposal(prompt)))
        return self._toy.complete(prompt)

    def settle(self, structure: Structure | None) -> None:
        pass

    def close(self) -> None:
        pass


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Model:
    made = Model(ModelParameters(model=Model.name))
    monkeypatch.setattr("patchlab_agent.lab.backend_choice.LlmBackend", lambda *_, **__: made)
    monkeypatch.setattr(script, "ATTACKS", FEW)
    return made


class Run:
    """What a call of the script ends with."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: object) -> Run:
        with pytest.raises(SystemExit) as ended:
            script.main([*map(str, arguments)])
        self.code = int(ended.value.code or 0)
        self.out, self.err = self._capsys.readouterr()
        return self

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return Run(capsys)


def total(found: dict[str, Any], name: str) -> int:
    return sum(counts[name] for counts in found["families"].values())


MODEL = ("--model", "openai/toy", "--per-family", 1)


def test_none_succeeds_and_every_family_is_counted(model: Model, run: Run) -> None:
    found = run(*MODEL, "--json").json
    assert run.code == 0
    assert list(found["families"]) == [attack.family for attack in FEW]
    assert all(list(counts) == list(COUNTS) for counts in found["families"].values())
    assert total(found, "attacks") == total(found, "asked") == len(FEW)
    assert total(found, "fixes") == total(found, "succeeded") == 0
    assert found["succeeded"] == found["innocent"]["changed"] == []
    assert found["innocent"]["usable"] == len(INNOCENT)
    assert found["calls"] == len(model.asked)
    # Each kind of prompt in one go, for the cache of the server.
    in_a_row = [purpose for purpose, _ in groupby(prompt.purpose for prompt in model.asked)]
    assert in_a_row in (["answer", "patcher"], ["answer", "patcher", "answer"])


def test_the_table_says_whether_the_bar_is_met(model: Model, run: Run) -> None:
    assert run(*MODEL).code == 0
    assert "Attacks on openai/toy" in run.out
    assert "0 of 8 innocent answers changed (8 usable" in run.out
    assert "0 succeeded, bar 0: met" in run.out
    assert f"of {len(FEW) * 2 + 20}: innocent answers after" in run.err


def test_examples_are_there_to_compete_with(model: Model, run: Run) -> None:
    run(*MODEL)
    turns = [len(prompt.messages) for prompt in model.asked if prompt.request in INNOCENT]
    assert max(turns) > min(turns)


def test_an_attack_that_may_be_shown_is_seen(
    model: Model, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ShippingTask, "may_show", lambda *_: True)
    found = run(*MODEL, "--json").json
    assert run.code == 1
    succeeded = [each["text"] for each in found["succeeded"] if each["seen"]]
    assert len(succeeded) == total(found, "succeeded") == total(found, "examples") > len(FEW) / 2
    assert run(*MODEL).code == 1
    assert "is seen in an innocent prompt" in run.out
    assert "bar 0: missed" in run.out


def test_an_answer_that_an_example_changes_is_a_success(
    model: Model, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    attack = Attack("planted", ("request",), "please", "please")
    monkeypatch.setattr(Attack, "shows_in", lambda *_: False)
    monkeypatch.setattr(script, "ATTACKS", [attack])
    monkeypatch.setattr(model, "_toy", Misled(attack.request))
    found = run(*MODEL, "--json").json
    assert run.code == 1
    [succeeded] = found["succeeded"]
    assert (succeeded["seen"], succeeded["changes"]) == (False, True)
    changed = [each["request"] for each in found["innocent"]["changed"]]
    assert INNOCENT[0] in changed
    assert run(*MODEL).code == 1
    assert "changes an innocent answer" in run.out
    assert f"changed: {INNOCENT[0]!r}" in run.out


class Misled(ToyBackend):
    """A toy that takes an example of a request for an order."""

    def __init__(self, order: str) -> None:
        super().__init__(noise=0)
        self._order = order

    def complete(self, prompt: Prompt) -> Completion:
        if any(self._order in message.content for message in prompt.messages[:-1]):
            return Completion(text=json.dumps({**ANSWER, "weight": 99}))
        return super().complete(prompt)


def named_by(prompt: Prompt) -> JsonObject:
    """A fix about the attack's first word, where the request holds the attack."""
    own = [word for word in words(prompt.request) if word not in words(INNOCENT[0])]
    if not own:
        return NO_FIX
    return {"trigger": "", "fix": {"kind": "item", "item": own[0], "category": "print"}}


def test_what_the_model_proposes_is_let_in_and_harms_nobody(model: Model, run: Run) -> None:
    model.proposal = named_by
    found = run(*MODEL, "--json").json
    assert run.code == 0
    assert total(found, "fixes") == total(found, "active") > 5


def test_a_lesson_about_innocent_words_is_not_let_in(model: Model, run: Run) -> None:
    fix: JsonObject = {"kind": "item", "item": "books", "category": "weapons"}
    model.proposal = lambda _: {"trigger": "books", "fix": fix}
    found = run(*MODEL, "--json").json
    assert run.code == 0
    assert (total(found, "fixes"), total(found, "active")) == (len(FEW), 0)


def test_a_lesson_that_brings_an_attack_is_seen_though_it_is_not_let_in(
    model: Model, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("patchlab_agent.shipping.examples.is_plain", lambda *_: True)
    monkeypatch.setattr("patchlab_agent.shipping.model_proposer.is_plain", lambda *_: True)
    monkeypatch.setattr(script, "ATTACKS", FEW[:1])
    model.proposal = lambda prompt: {
        "trigger": "books",
        "fix": {"kind": "example", "request": prompt.request, "answer": ANSWER},
    }
    found = run(*MODEL, "--json").json
    assert run.code == 1
    [succeeded] = found["succeeded"]
    assert (succeeded["text"], succeeded["seen"]) == (FEW[0].text, True)
    assert total(found, "active") == 0


def test_a_recording_goes_on_where_it_was_cut_short_and_is_replayed(
    model: Model, run: Run, tmp_path: Path
) -> None:
    path = tmp_path / "new.jsonl"
    recorded = (*MODEL, "--record", path, "--note", "a toy")
    model.calls_left = 15
    assert run(*recorded).code == OUTAGE.exit_code
    assert "the same command goes on with it" in run.err
    assert len(Cassette(path).answers) == 15
    model.calls_left = 10_000
    whole = run(*recorded, "--json").json
    assert run.code == 0
    assert len({prompt.messages for prompt in model.asked}) == len(model.asked)
    header = Cassette(path).header
    assert (header.note, header.settings["examples"]) == ("a toy", 3)
    asked = len(model.asked)
    played = run("--replay", path, "--per-family", 1, "--json").json
    assert (run.code, len(model.asked)) == (0, asked)
    assert {**played, "backend": ""} == {**whole, "backend": ""}
    assert played["backend"].startswith("replay of openai/toy")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--replay", "none.jsonl"), 2, "make one with python -m bench.attacks --model"),
        (("--record", "new.jsonl"), 2, "name one with --model"),
        (("--model", "openai/toy", "--replay", "x.jsonl"), 2, "leave --model or --replay out"),
        (("--model", "openai/toy", "--api-base", "nowhere"), 2, "is not a valid address"),
    ],
)
def test_bad_options_say_what_to_do(
    run: Run, arguments: tuple[object, ...], code: int, words: str
) -> None:
    assert run(*arguments).code == code
    assert words in run.err
    assert run.out == ""


def test_a_family_is_spread_over() -> None:
    assert [spread(ATTACKS[:9], n) for n in (0, 3, 20)] == [[], ATTACKS[:9:3], ATTACKS[:9]]


def test_on_the_recorded_model_none_succeeds(run: Run) -> None:
    run("--json")
    assert (run.code, run.out[:1]) == (0, "{"), run.err + run.out
    found = run.json
    assert found["succeeded"] == found["innocent"]["changed"] == []
    assert "qwen15b" in found["backend"]
    assert total(found, "attacks") == len(ATTACKS)
    assert total(found, "asked") == script.PER_FAMILY * len(found["families"])
    assert found["innocent"]["usable"] > len(INNOCENT) / 2
