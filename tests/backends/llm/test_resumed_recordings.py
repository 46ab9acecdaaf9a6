"""A run that records a model, is killed and resumed, ends in the same report and cassette."""

from __future__ import annotations

import json
import random
import re
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from patchlab_agent.backends.recording import RecordingBackend
from patchlab_agent.lab.opening import open_lab
from patchlab_agent.lab.resuming import started_run
from patchlab_agent.models.base import JsonObject
from patchlab_agent.settings import RunSettings
from patchlab_agent.text import words
from tests.backends.llm.helpers import OPENAI, Body, Provider, Server, ok
from tests.support.moments import moments
from tests.support.words_skill import CLOCK, case, install, words_skill

pytestmark = pytest.mark.parametrize("provider", [OPENAI], indirect=True, ids=str)

CASES = [
    case(text) for text in ("a zok", "one zok", "a blim", "zok blim", "a tarn", "salt", "blim")
]
IMAGES = 5
"""Moments of a run that are tried; there are more than ten times as many."""
_RULE = re.compile(r'^- (".*") means (".*")$', re.MULTILINE)
_SECONDS = re.compile(r', "seconds": [0-9.e-]+')
_REQUEST = re.compile(r"^Request: (.*)$", re.MULTILINE)


def read_as_told(body: Body) -> str:
    """What a model answers that does what its prompt says, and slips now and then."""
    texts = [message["content"] for message in body["messages"]]
    told = {json.loads(w): json.loads(m) for text in texts for w, m in _RULE.findall(text)}
    request = json.loads(_REQUEST.findall(texts[-1])[-1])
    answer = {word: told.get(word) for word in words(request)}
    if random.Random("".join(texts)).random() < 0.1:
        answer.popitem()
    return json.dumps(answer)


def lines(work: Path) -> list[str]:
    """The lines of the cassette, but for how long the answers took."""
    return [_SECONDS.sub("", line) for line in (work / "run.jsonl").read_text("utf-8").splitlines()]


@pytest.fixture
def record(
    provider: Provider, server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., JsonObject]:
    """Records a run in the working folder, or goes on with it."""
    install(monkeypatch, words_skill(tmp_path / "prompts"))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-local")
    server.otherwise = lambda body: ok(provider.answer(read_as_told(body)))

    def run(width: int, *, resume: bool = False) -> JsonObject:
        settings = RunSettings(golden=2, concurrency=width, record=Path("work/run.jsonl"))
        given: Any = {
            **settings.model_dump(include={"record", "concurrency"}),
            "model": provider.model,
            "api_base": provider.api_base,
            "store": "work/store",
        }
        with open_lab(backend="litellm", clock=lambda: CLOCK, **given) as lab:
            report = lab.run(settings, CASES, resume=resume)
        return report.model_dump(mode="json", exclude={"timing"})

    return run


@pytest.mark.parametrize("width", [1, 3])
def test_wherever_a_recording_is_killed_it_ends_as_if_it_had_not_been(
    record: Callable[..., JsonObject],
    server: Server,
    own_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    width: int,
) -> None:
    work, images = own_folder / "work", list[Path]()

    def take() -> None:
        images.append(own_folder / f"image-{len(images)}")
        shutil.copytree(work, images[-1])

    whole = RecordingBackend._write

    def write(self: RecordingBackend, line: Any) -> None:
        whole(self, line)
        take()

    with monkeypatch.context() as patch, moments(take):
        patch.setattr(RecordingBackend, "_write", write)
        expected = record(width)
    recorded = lines(work)
    answers, asked = Counter(recorded), len(server.bodies)
    begun = [image for image in images if started_run(image / "store") is not None]
    for image in random.Random(width).sample(begun, IMAGES):
        shutil.rmtree(work)
        shutil.copytree(image, work)
        del server.bodies[:]
        assert record(width, resume=True) == expected
        held = lines(work)
        assert Counter(held) == answers
        # One after the other, they stand in the same order as well.
        assert width > 1 or held == recorded
        assert len(server.bodies) <= asked
