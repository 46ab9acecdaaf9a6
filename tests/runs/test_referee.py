"""The judge of a run that says something false now and then, asked again."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest

from patchlab_agent.models.base import Output
from patchlab_agent.models.case import Case
from patchlab_agent.models.trace import Feedback, Judged
from patchlab_agent.runs import loop as loop_module
from patchlab_agent.runs.loop import SimulatedReferee
from tests.support.make import make_trace
from tests.support.words_skill import WordsSimulator, case

pytestmark = pytest.mark.quick

LIE = Feedback(label="lie")
RIGHT: dict[str, Any] = {"zok": "red"}


def lies(case: Case, output: Output | None, true: Feedback, rng: random.Random) -> Feedback:
    return LIE


def referee_of(*requests: str, share: float = 0.5, seed: int = 0) -> SimulatedReferee:
    made = SimulatedReferee(WordsSimulator(), falsify=lies, share=share, seed=seed)
    for request in requests:
        made.remember(case(request))
    return made


def said(referee: SimulatedReferee, request: str = "a zok", times: int = 20) -> list[bool]:
    """Which of so many judgements are false."""
    return [referee.judge(request, RIGHT) == LIE for _ in range(times)]


def test_a_share_of_what_it_says_is_false() -> None:
    requests = [f"zok {number}" for number in range(200)]
    referee = referee_of(*requests, share=0.2)
    found = [lie for request in requests for lie in said(referee, request, 5)]
    assert 0.15 < sum(found) / len(found) < 0.25
    assert said(referee_of("a zok", share=1.0)) == [True] * 20
    assert said(referee_of("a zok", share=0.0)) == [False] * 20


def test_what_is_false_depends_on_the_request_the_seed_and_how_often_it_was_asked() -> None:
    found = said(referee_of("a zok"))
    assert 0 < sum(found) < 20
    # Others that are asked about in between change nothing.
    beside = referee_of("a zok", "the zok")
    assert [said(beside, "the zok", 2) and said(beside, times=1)[0] for _ in range(20)] == found
    assert said(referee_of("the zok"), "the zok") != found
    assert said(referee_of("a zok", seed=1)) != found


def test_a_run_that_goes_on_is_told_what_it_would_have_been_told() -> None:
    told: list[list[Any]] = []
    whole, first = referee_of("a zok"), referee_of("a zok")
    first.tell = told.append
    found = said(whole)
    assert said(first, times=7) == found[:7]
    assert told == [["asked", "a zok"]] * 7
    for entries in (told, list(first.entries())):
        again = referee_of("a zok")
        again.restore(entries)
        assert said(again, times=13) == found[7:]


def test_one_that_is_always_right_counts_nothing() -> None:
    told: list[list[Any]] = []
    referee = SimulatedReferee(WordsSimulator(), share=0.5)
    referee.remember(case("a zok"))
    referee.tell = told.append
    assert said(referee) == [False] * 20
    assert told == list(referee.entries()) == []


def test_what_is_forgotten_is_counted_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_module, "REMEMBERED", 2)
    told: list[list[Any]] = []
    referee = referee_of("a zok", "the zok")
    found = said(referee, times=3)
    referee.tell = told.append
    referee.remember(case("one zok"))
    # Nobody asked about the one that is forgotten next.
    referee.remember(case("two zok"))
    assert told == [["forgotten", "a zok"]]
    assert list(referee.entries()) == []
    referee.remember(case("a zok"))
    assert said(referee, times=3) == found
    again = referee_of("a zok")
    again.restore([["asked", "a zok"], told[0]])
    assert list(again.entries()) == []
    assert said(again, times=3) == found


def test_a_trace_is_learned_from_as_it_is_told_and_counted_as_it_is_true() -> None:
    compared = Judged(attempt=make_trace(output={"zok": "blue"}).attempt, feedback=LIE)
    trace = make_trace(request="a zok", output=RIGHT).model_copy(update={"baseline": compared})
    referee = referee_of("a zok", share=1.0)
    heard = referee.heard(trace)
    assert heard.baseline is not None
    assert (heard.feedback, heard.baseline.feedback) == (LIE, LIE)
    true = referee.truly(heard)
    assert true.baseline is not None
    assert true.ok
    assert true.baseline.feedback.label == "word_unknown"
    alone = make_trace(request="a zok", output=RIGHT)
    assert referee.truly(referee.heard(alone)) == alone
    # Each judgement of both was asked for once.
    assert Counter(request for _, request in referee.entries()) == {"a zok": 3}
    honest = SimulatedReferee(WordsSimulator())
    assert honest.heard(trace) is honest.truly(trace) is trace
