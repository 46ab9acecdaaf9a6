"""Which examples turn an answer wrong, each left out alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from patchlab_agent.agent.agent import Question
from patchlab_agent.errors import BackendUnavailable
from patchlab_agent.gate.batching import in_batches
from patchlab_agent.gate.examples import PURPOSE, harmful
from patchlab_agent.gate.request_trial import Limits
from patchlab_agent.models.base import Output
from patchlab_agent.models.trace import Attempt, Context, Example, Feedback
from patchlab_agent.statistics import e_value
from tests.support.make import make_attempt

pytestmark = pytest.mark.quick

BAD, GOOD, FINE = (Example(id=name, request=name, answer={}) for name in ("bad", "good", "fine"))
WHOLE = Context(examples=(BAD, GOOD, FINE))
ONCE = Limits(varies=False, patience=1, max_pairs=1, bound=20)
LONG = Limits(varies=True, patience=3, max_pairs=12, bound=20)
Asked = tuple[int, tuple[str, ...]]
Scores = Callable[[int, tuple[str, ...]], float]
"""A draw and the examples in place → how right the answer is."""


def judge(output: Output | None) -> Feedback:
    score = float(str((output or {})["score"]))
    return Feedback() if score >= 1 else Feedback(label="odd", score=score)


def found(
    scores: Scores, limits: Limits, suspects: Sequence[Example] = (BAD, GOOD, FINE)
) -> tuple[list[str], list[Asked]]:
    """Ids of the harmful examples, and what was asked in which order."""
    asked: list[Asked] = []

    def answers(questions: list[Question]) -> list[Attempt]:
        shown = [
            (int(each.draw.removeprefix("gate:")), tuple(e.id for e in each.context.examples))
            for each in questions
        ]
        assert {(each.request, each.purpose) for each in questions} == {("a zok", PURPOSE)}
        asked.extend(shown)
        return [make_attempt(output={"score": scores(*each)}) for each in shown]

    dialogue = harmful(suspects, "a zok", WHOLE, judge, limits=limits)
    [told] = in_batches(answers, [dialogue])
    assert isinstance(told, list)
    return [each.id for each in told], asked


def without_bad(_: int, shown: tuple[str, ...]) -> float:
    return float("bad" not in shown)


ALL = ("bad", "good", "fine")
LEFT_OUT = [("good", "fine"), ("bad", "fine"), ("bad", "good")]


def test_the_only_draw_decides_where_answers_do_not_vary() -> None:
    assert found(without_bad, ONCE) == (["bad"], [(0, ALL), *((0, each) for each in LEFT_OUT)])


def test_a_right_answer_with_all_in_place_clears_all() -> None:
    assert found(lambda *_: 1.0, ONCE) == ([], [(0, ALL)])
    # So does one that comes later.
    told, asked = found(lambda draw, shown: float(draw >= 3 or "bad" not in shown), LONG)
    assert (told, asked[-1]) == ([], (3, ALL))


def test_where_answers_vary_harm_is_found_beyond_their_noise_and_the_others_given_up() -> None:
    told, asked = found(without_bad, LONG)
    assert told == ["bad"]
    # Five draws tell; those that never helped by their absence are cleared after three.
    assert [draw for draw, shown in asked if shown == ALL] == [0, 1, 2, 3, 4]
    assert [draw for draw, shown in asked if shown == ("good", "fine")] == [0, 1, 2, 3, 4]
    assert [draw for draw, shown in asked if shown == ("bad", "fine")] == [0, 1, 2]


def test_evidence_that_just_reaches_the_bound_is_enough() -> None:
    just = replace(LONG, bound=e_value(4, 0))
    told, asked = found(without_bad, just, suspects=(BAD,))
    assert (told, asked[-1][0]) == (["bad"], 3)


def test_nothing_is_asked_once_all_are_cleared_or_the_limit_is_reached() -> None:
    told, asked = found(lambda *_: 0.0, LONG)
    assert (told, len(asked)) == ([], 3 * 4)
    few = Limits(varies=True, patience=3, max_pairs=4, bound=20)
    told, asked = found(without_bad, few, suspects=(BAD,))
    assert (told, len(asked)) == ([], 4 * 2)


def test_an_example_that_helps_as_often_as_it_harms_is_not_found() -> None:
    def either(draw: int, shown: tuple[str, ...]) -> float:
        return 0.5 if "bad" in shown else float(draw % 2)

    told, asked = found(either, LONG, suspects=(BAD,))
    assert (told, len(asked)) == ([], 12 * 2)
    # One that harms, though not so that the answer would be right, is.
    told, _ = found(lambda _, shown: 0.5 if "bad" in shown else 0.75, LONG)
    assert told == ["bad"]


def test_several_are_found_in_the_order_of_their_harm() -> None:
    def later(draw: int, shown: tuple[str, ...]) -> float:
        return float("good" not in shown or ("bad" not in shown and draw > 0))

    assert found(later, LONG)[0] == ["good", "bad"]


def test_a_failure_of_the_models_side_ends_it() -> None:
    outage = BackendUnavailable("out")
    dialogue = harmful([BAD], "a zok", WHOLE, judge, limits=ONCE)
    assert in_batches(lambda questions: [outage for _ in questions], [dialogue]) == [outage]
