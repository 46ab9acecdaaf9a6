"""The cases of a run in its cassette: written once, added to, and read back whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from patchlab_agent.backends.base import Answered, BatchBackend
from patchlab_agent.backends.cassette import Cassette
from patchlab_agent.backends.llm import LlmBackend
from patchlab_agent.backends.recording import RecordingBackend
from patchlab_agent.errors import InputError
from patchlab_agent.models.case import Case, CaseSets
from patchlab_agent.models.model import ModelParameters
from patchlab_agent.models.prompt import Completion, Message, Prompt

SETTINGS: dict[str, Any] = {"runs": 3, "own_requests": False}


class Echo(BatchBackend):
    """Answers with what it was asked."""

    name, varies = "echo", False

    def complete_batch(self, prompts: Sequence[Prompt]) -> list[Answered]:
        return [Completion(text=prompt.user) for prompt in prompts]

    def close(self) -> None:
        """Nothing is open."""


def cases(name: str, count: int) -> tuple[Case, ...]:
    return tuple(
        Case(request=f"{name} {n}", truth={"n": n, "é": [None, 0.5]}, stratum="x" * (n % 2))
        for n in range(count)
    )


def sets(stream: int = 3, golden: int = 2, regression: int = 2) -> CaseSets:
    return CaseSets(
        stream=cases("s", stream), golden=cases("g", golden), regression=cases("r", regression)
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cassette.jsonl"


@pytest.fixture
def model() -> Iterator[LlmBackend]:
    backend = LlmBackend(ModelParameters(model="openai/m"))
    yield backend
    backend.close()


def record(path: Path, model: LlmBackend, held: CaseSets | None, asked: str = "hello") -> None:
    recording = RecordingBackend(Echo(), model, path)
    recording.begin(SETTINGS, held)
    said = (Message(role="user", content=asked),)
    recording.complete(Prompt(messages=said, answer_schema={}, draw="0"))
    recording.close()


def test_what_was_recorded_is_read_back_in_order(path: Path, model: LlmBackend) -> None:
    record(path, model, sets())
    assert Cassette(path).cases == sets()
    assert len(Cassette(path).answers) == 1
    found = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert found[1] == {
        "case": "golden",
        "number": 1,
        "of": 2,
        "request": "g 0",
        "truth": {"n": 0, "é": [None, 0.5]},
    }


def test_a_recording_of_single_answers_holds_no_case(path: Path, model: LlmBackend) -> None:
    record(path, model, None)
    assert Cassette(path).cases == CaseSets()


def test_a_run_that_goes_on_adds_its_further_requests_and_nothing_else(
    path: Path, model: LlmBackend
) -> None:
    record(path, model, sets(stream=3))
    before = path.read_bytes()
    record(path, model, sets(stream=2))
    assert path.read_bytes() == before
    record(path, model, sets(stream=5, golden=4, regression=9))
    assert Cassette(path).cases == sets(stream=5)
    added = path.read_bytes().removeprefix(before).splitlines()
    assert [json.loads(line)["number"] for line in added] == [4, 5]


def test_a_recording_without_cases_gets_them_when_it_goes_on(path: Path, model: LlmBackend) -> None:
    record(path, model, None)
    record(path, model, sets())
    assert Cassette(path).cases == sets()


@pytest.mark.parametrize("lines", range(8))
def test_a_set_that_was_cut_short_is_none_and_is_written_again(
    path: Path, model: LlmBackend, lines: int
) -> None:
    record(path, model, sets())
    kept = path.read_bytes().splitlines(keepends=True)[: lines + 1]
    path.write_bytes(b"".join(kept) + b'{"case": "gol')
    found = Cassette(path).cases
    assert found.golden in ((), cases("g", 2))
    assert found.regression in ((), cases("r", 2))
    assert found.stream == cases("s", max(0, lines - 4))
    # By then there may be more of them.
    golden, regression = (3 if lines < whole else 2 for whole in (2, 4))
    record(path, model, sets(golden=3, regression=3))
    assert Cassette(path).cases == sets(golden=golden, regression=regression)


def test_a_shorter_set_takes_the_place_of_one_that_was_cut_short(
    path: Path, model: LlmBackend
) -> None:
    record(path, model, sets(golden=9))
    kept = path.read_bytes().splitlines(keepends=True)[:6]
    path.write_bytes(b"".join(kept))
    record(path, model, sets(golden=3))
    assert Cassette(path).cases == sets(golden=3)


def test_other_requests_are_not_added(path: Path, model: LlmBackend) -> None:
    record(path, model, sets())
    before = path.read_bytes()
    other = CaseSets(stream=(*cases("s", 2), *cases("t", 2)))
    with pytest.raises(InputError, match="was recorded on other requests; name another file"):
        record(path, model, other)
    assert path.read_bytes() == before


def test_two_that_record_the_same_run_are_one_run(path: Path, model: LlmBackend) -> None:
    one, two = (RecordingBackend(Echo(), model, path) for _ in range(2))
    for number, recording in enumerate((one, two, one)):
        if number < 2:
            recording.begin(SETTINGS, sets())
        said = (Message(role="user", content=str(number)),)
        recording.complete(Prompt(messages=said, answer_schema={}, draw="0"))
    one.close()
    two.close()
    assert Cassette(path).cases == sets()
    assert len(Cassette(path).answers) == 3


def test_a_key_in_a_request_is_not_written_and_does_not_stop_the_recording(
    path: Path, model: LlmBackend
) -> None:
    secret = "sk-proj-Abcdefgh_12345678"
    held = CaseSets(stream=(Case(request=f"Ship {secret}", truth={"key": secret}),))
    record(path, model, held)
    assert secret not in path.read_text("utf-8")
    record(path, model, held)
    assert [case.request for case in Cassette(path).cases.stream] == ["Ship ***"]


@pytest.mark.parametrize(
    "line",
    ['{"case": "silver", "number": 1, "request": "a", "truth": {}}', '{"case": "golden"}'],
)
def test_a_line_that_is_no_case_is_named(path: Path, model: LlmBackend, line: str) -> None:
    record(path, model, sets())
    number = len(path.read_text("utf-8").splitlines()) + 1
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")
    with pytest.raises(InputError, match=rf"^Line {number} of "):
        Cassette(path)
