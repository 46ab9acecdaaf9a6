"""What the answers to one request show."""

from __future__ import annotations

import pytest

from patchlab_agent.gate.evidence import refereed_probe
from patchlab_agent.gate.grading import Pair, Subject
from patchlab_agent.gate.request_trial import Limits, RequestTrial
from patchlab_agent.models.evidence import EvidenceSource
from patchlab_agent.models.trace import OK, Fault, Feedback
from tests.support.make import make_attempt
from tests.support.words_skill import WordsReferee

pytestmark = pytest.mark.quick

LONG = Limits(varies=True, patience=6, max_pairs=12, bound=20)
ONCE = Limits(varies=False, patience=1, max_pairs=1, bound=20)
ZOK = Subject("word_unknown", "zok")
WRONG = Feedback(label="word_unknown", field="zok")
_FAULTS = [Fault(label="word_unknown", field=name) for name in ("zok", "blim")]
BOTH, OTHER = Feedback.of(_FAULTS, 1 / 3), Feedback.of(_FAULTS[1:], 2 / 3)
"""Of three words, two are wrong; the other one alone is."""


def test_the_most_frequent_complaint_is_told_with_the_first_answer_to_it() -> None:
    probe = refereed_probe("a zok", WordsReferee())
    tried = RequestTrial(probe, Subject("odd", None), LONG)
    assert tried.complaint is None
    said = [Feedback(label=label) for label in ("late", "wrong", "wrong")]
    given = [(make_attempt({"n": n}), each) for n, each in enumerate([OK, *said])]
    tried.given = given
    assert tried.complaint == given[2]
    assert (tried.right, tried.result().complaint) == (1, "")
    tried.outcome = "failed"
    result = tried.result()
    assert (result.source, result.complaint) == (EvidenceSource.REFEREE, "wrong")
    assert (result.draws, result.right_with) == (4, 1)


def paired(limits: Limits, *pairs: tuple[Feedback, Feedback]) -> RequestTrial:
    """A trial with these pairs of judgements, without the patch and with it."""
    tried = RequestTrial(refereed_probe("a zok", WordsReferee()), ZOK, limits)
    tried.given = [(make_attempt(), with_it) for _, with_it in pairs]
    tried.pairs = [Pair(ZOK, without, with_it, make_attempt()) for without, with_it in pairs]
    return tried


@pytest.mark.parametrize(
    ("without", "with_it", "mended", "kept"),
    [
        (WRONG, OK, "mended", "kept"),
        (OK, OK, "kept", "kept"),
        (WRONG, WRONG, "failed", "kept"),
        (OK, WRONG, "failed", "broken"),
        # Nearer to right, in what the patch is about.
        (BOTH, OTHER, "mended", "kept"),
        # Wrong in something else alone, either way.
        (OTHER, OTHER, "kept", "kept"),
        (OTHER, BOTH, "failed", "broken"),
    ],
)
def test_the_only_pair_decides_where_answers_do_not_vary(
    without: Feedback, with_it: Feedback, mended: str, kept: str
) -> None:
    tried = paired(ONCE, (without, with_it))
    tried.decide_mended()
    assert (tried.outcome, tried.goes_on) == (mended, False)
    tried.outcome = "open"
    tried.decide_kept()
    assert (tried.outcome, tried.goes_on) == (kept, False)


def test_a_request_goes_on_until_it_is_decided_or_has_had_its_pairs() -> None:
    tried = paired(LONG, *[(OK, WRONG), (WRONG, OK)] * 5)
    tried.decide_mended()
    assert (tried.outcome, tried.goes_on) == ("open", True)
    tried.pairs *= 2
    assert not tried.goes_on
    few = paired(LONG, (WRONG, OK))
    assert few.goes_on
    few.outcome = "mended"
    assert not few.goes_on


def test_what_a_request_gained_is_the_typical_pair_of_its_outcome() -> None:
    tried = paired(LONG, (BOTH, OTHER), (OTHER, BOTH), (OK, WRONG))
    assert tried.change == 0
    tried.outcome = "mended"
    assert tried.change == pytest.approx(1 / 3)
    tried.outcome = "broken"
    assert tried.change == pytest.approx((-1 / 3 - 1) / 2)


def test_scores_are_told_only_of_answers_that_are_right_in_part() -> None:
    assert paired(LONG, (WRONG, OK)).result().scores is None
    told = paired(LONG, (BOTH, OTHER), (WRONG, OK)).result()
    assert told.scores == (round((1 / 3) / 2, 6), round((2 / 3 + 1) / 2, 6))
    assert (told.gained, told.lost, told.pairs) == (2, 0, 2)
    alone = paired(LONG)
    alone.given = [(make_attempt(), OTHER)]
    assert alone.is_partial
    assert alone.result().scores is None


def test_answers_at_their_best_count_for_the_models_noise() -> None:
    assert paired(LONG, (OK, OTHER), (OK, OTHER), (OK, BOTH)).at_best == 2
    assert paired(LONG, (OK, OTHER), (OK, OK)).at_best == 1
    assert paired(LONG, (OK, WRONG)).at_best == 0
