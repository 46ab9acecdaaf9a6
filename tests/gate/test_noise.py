"""How noisy a model is, and how long a request is drawn because of it."""

from __future__ import annotations

import pytest

from patchlab_agent.gate.evidence import refereed_probe
from patchlab_agent.gate.grading import Subject
from patchlab_agent.gate.noise import Noise
from patchlab_agent.gate.request_trial import Limits, RequestTrial
from patchlab_agent.models.evidence import Outcome
from patchlab_agent.models.trace import OK, Feedback
from tests.support.make import make_attempt
from tests.support.words_skill import WordsReferee

pytestmark = pytest.mark.quick

WRONG = Feedback(label="odd")


def tried(outcome: Outcome, *said: Feedback) -> RequestTrial:
    """A trial whose answers with the patch were judged so."""
    limits = Noise().limits(alpha=0.05, varies=True)
    trial = RequestTrial(refereed_probe("a zok", WordsReferee()), Subject("odd", None), limits)
    trial.given = [(make_attempt(), each) for each in said]
    trial.outcome = outcome
    return trial


def test_before_anything_is_known_one_answer_in_three_is_taken_to_be_right() -> None:
    assert Noise().share_right == 0.33


@pytest.mark.parametrize(
    ("right", "draws", "patience"),
    [
        # 0.67 ** 12 < 0.01 < 0.67 ** 11
        (1, 3, 12),
        (1, 2, 7),
        # However reliable it has been, so many wrong answers are no slips.
        (3, 4, 6),
        (9, 9, 6),
        (1, 100, 459),
    ],
)
def test_a_request_is_given_up_when_it_would_be_right_by_then_in_99_of_100_cases(
    right: int, draws: int, patience: int
) -> None:
    assert Noise(right, draws).patience == patience


def test_a_model_that_does_not_vary_is_asked_once() -> None:
    once = Noise().limits(alpha=0.05, varies=False)
    assert once == Limits(varies=False, patience=1, max_pairs=1, bound=20)
    assert Noise().fixed_draws(alpha=0.05, varies=False) == 1


def test_a_noisier_model_is_drawn_longer_and_no_request_less_than_twice_its_patience() -> None:
    noisy, quiet = (Noise(*seen).limits(alpha=0.05, varies=True) for seen in ((1, 3), (99, 100)))
    assert (quiet.varies, quiet.patience, quiet.bound) == (True, 6, 20)
    assert quiet.max_pairs == 2 * 6
    assert noisy.max_pairs > 2 * noisy.patience
    assert Noise().fixed_draws(alpha=0.05, varies=True) > 1
    # A stricter test takes more pairs, and more evidence.
    strict = Noise().limits(alpha=0.01, varies=True)
    assert strict.max_pairs > noisy.max_pairs
    assert strict.bound == 100


def test_only_requests_that_are_right_tell_of_the_noise() -> None:
    noise = Noise()
    noise.learn([tried("failed", WRONG, OK), tried("open", OK), tried("broken", WRONG)])
    assert noise == Noise(1, 3)
    noise.learn([tried("mended", OK, WRONG, OK), tried("kept", OK)])
    assert noise == Noise(1 + 2 + 1, 3 + 3 + 1)
