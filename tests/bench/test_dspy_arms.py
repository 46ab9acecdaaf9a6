"""DSPy's side of the comparison, where DSPy is installed: bench/dspy-requirements.txt."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from bench.public_tasks import measured, parsed, prepare, settings_of
from bench.scored import judging
from patchlab_agent.errors import BackendUnavailable
from patchlab_agent.models.prompt import Completion, Prompt, Usage
from patchlab_agent.tasks.folder import read_task
from tests.bench.public_data import write_public_data
from tests.cli.servers import serving

dspy = pytest.importorskip("dspy", reason="DSPy is not installed: bench/dspy-requirements.txt")
from bench import dspy_arms  # noqa: E402 - it imports DSPy

pytestmark = pytest.mark.filterwarnings("default")
"""DSPy's own warnings are not ours to mend."""


class Scripted:
    """Answers every prompt alike, or with a failure, and keeps what it was asked."""

    name = "scripted"
    varies = False

    def __init__(self, text: str, failure: Exception | None = None) -> None:
        self.text, self.failure = text, failure
        self.asked: list[Prompt] = []

    def complete(self, prompt: Prompt) -> Completion:
        self.asked.append(prompt)
        if self.failure is not None:
            raise self.failure
        return Completion(text=self.text, usage=Usage(prompt_tokens=9, completion_tokens=2))

    def close(self) -> None:
        """Nothing to release."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_public_data(tmp_path_factory.mktemp("data"))


def arms(data: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, backend: Scripted) -> Any:
    prepare("banking", data, folder / "task")
    monkeypatch.setattr(dspy_arms, "backend_of", lambda skill, settings: backend)
    told = ["banking", "--out", str(folder), "--model", "openai/some", "--golden", "4"]
    settings = settings_of(parsed(told))
    assert settings.task is not None
    golden = [row.case() for row in read_task(settings.task).rows if row.split == "golden"]
    told_of: list[str] = []
    found = dspy_arms.dspy_arms(
        settings,
        judging(settings.task),
        golden[:4],
        lambda name, total: told_of.append(f"{name} {total}"),
        added=40,
        longest=3000,
    )
    assert len(told_of) == 16
    return found


def test_each_program_answers_the_same_cases(
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    backend = Scripted('{"intents": ["card"]}')
    found = arms(data, tmp_path, monkeypatch, backend)
    assert capsys.readouterr().out == ""
    assert [each.name.split()[1].strip(",") for each in found] == [
        "Predict",
        "LabeledFewShot",
        "LabeledFewShot",
        "BootstrapFewShot",
    ]
    assert [each.shows for each in found] == ["", "1 demos", "16 demos", "16 demos"]
    assert {each.scores for each in found} == {found[0].scores}
    assert 0 < sum(found[0].right) < 4
    assert found[0].prompt_tokens == (9, 9, 9, 9)
    # Every other row is about a card, so four demos are found among the first seven or so.
    assert [each.learning_calls for each in found[:3]] == [0, 0, 0]
    assert 4 <= found[3].learning_calls <= 12
    assert found[3].learning_tokens == 11 * found[3].learning_calls
    first = backend.asked[0]
    schema: Any = first.answer_schema
    assert [message.role for message in first.messages] == ["system", "user"]
    assert "card: to ask about a card" in first.system
    assert schema["properties"]["intents"]["items"]["enum"] == ["card", "thank"]
    assert len(backend.asked[4].messages) == 4


def test_demos_come_from_what_a_run_may_see(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = Scripted('{"intents": ["card"]}')
    arms(data, tmp_path, monkeypatch, backend)
    golden = [r.request for r in read_task(tmp_path / "task").rows if r.split == "golden"]
    for prompt in backend.asked:
        shown = "".join(message.content for message in prompt.messages[:-1])
        assert not any(f"{request}\n" in f"{shown}\n" for request in golden)


def test_a_shorter_run_leaves_fewer_rows_for_demos(data: Path, tmp_path: Path) -> None:
    prepare("banking", data, tmp_path / "task")
    folder = read_task(tmp_path / "task")
    found = dspy_arms.FewShot(folder, judging(tmp_path / "task"), runs=3)
    sizes = Counter(row.split for row in folder.rows)
    assert len(found.train) == 3 + sizes["regression"] < sizes["stream"] + sizes["regression"]


def test_an_answer_that_cannot_be_read_is_wrong(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = arms(data, tmp_path, monkeypatch, Scripted("I am not sure."))
    assert {each.scores for each in found} == {(0.0,) * 4}


def test_an_outage_is_no_wrong_answer(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = Scripted("", BackendUnavailable("The server is down."))
    with pytest.raises(BackendUnavailable, match="The server is down"):
        arms(data, tmp_path, monkeypatch, backend)
    assert len(backend.asked) == 1


def test_its_answers_are_recorded_beside_the_runs(data: Path, tmp_path: Path) -> None:
    prepare("banking", data, tmp_path / "task")
    with serving('{"intents": ["card"]}') as (address, received):
        told = ["banking", "--out", str(tmp_path), "--model", "openai/some", "--runs", "2"]
        settings = settings_of(parsed([*told, "--golden", "3", "--api-base", address]))
        first = measured(settings, tmp_path)
        calls = len(received)
        assert measured(settings, tmp_path) == first
        assert len(received) == calls
    assert len(first) == 6
    lines = (tmp_path / "dspy.jsonl").read_text("utf-8").splitlines()
    assert "key" in json.loads(lines[-1])
