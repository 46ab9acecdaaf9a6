"""What the answers to one request show."""

from __future__ import annotations

import pytest

from patchlab_agent.gate.evidence import refereed_probe
from patchlab_agent.gate.grading import Subject
from patchlab_agent.gate.request_trial import Limits, RequestTrial
from patchlab_agent.models.evidence import EvidenceSource
from patchlab_agent.models.trace import OK, Feedback
from tests.support.make import make_attempt
from tests.support.words_skill import WordsReferee

pytestmark = pytest.mark.quick

LONG = Limits(varies=True, patience=6, max_pairs=12, bound=20)


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
