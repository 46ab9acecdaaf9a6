"""Dialogues that run concurrently, one batch of questions at a time."""

from __future__ import annotations

import pytest

from patchlab_agent.agent.agent import EMPTY, Question
from patchlab_agent.errors import BackendUnavailable, Interruption
from patchlab_agent.gate.batching import Answers, Dialogue, in_batches
from patchlab_agent.models.trace import Attempt
from tests.support.make import make_attempt

pytestmark = pytest.mark.quick


class Answering:
    """Answers a question with its own request, and keeps the batches; `bad` is an outage."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []

    def __call__(self, questions: list[Question]) -> Answers:
        self.batches.append([question.request for question in questions])
        return [
            BackendUnavailable("out") if q.request == "bad" else make_attempt({"asked": q.request})
            for q in questions
        ]


def asks(*rounds: str) -> Dialogue[str]:
    """Asks each round's letters, and returns all answers put together."""
    heard = ""
    for requests in rounds:
        answers = yield [Question(each, EMPTY, "0") for each in requests.split()]
        for answer in answers:
            if isinstance(answer, Interruption):
                raise answer
            assert answer.answer is not None
            heard += str(answer.answer["asked"])
    return heard


def test_what_all_dialogues_ask_next_is_one_batch() -> None:
    ask = Answering()
    found = in_batches(ask, [asks("a b", "c"), asks("d"), asks("e", "f g", "h")])
    assert found == ["abc", "d", "efgh"]
    assert ask.batches == [["a", "b", "d", "e"], ["c", "f", "g"], ["h"]]


def test_a_dialogue_without_questions_is_done_at_once() -> None:
    ask = Answering()
    assert in_batches(ask, [asks(), asks("a")]) == ["", "a"]
    assert ask.batches == [["a"]]
    assert in_batches(ask, []) == []
    assert len(ask.batches) == 1


def test_an_outage_ends_its_own_dialogue_only() -> None:
    ask = Answering()
    first, second, third = in_batches(ask, [asks("a", "b"), asks("bad", "c"), asks("d", "e")])
    assert (first, third) == ("ab", "de")
    assert isinstance(second, BackendUnavailable)
    assert ask.batches == [["a", "bad", "d"], ["b", "e"]]


def test_a_bug_is_not_taken_for_an_outage() -> None:
    def crash() -> Dialogue[Attempt]:
        yield []
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        in_batches(Answering(), [crash()])
