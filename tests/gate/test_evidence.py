"""Who tells right from wrong, and how answers that were taken before are judged."""

from __future__ import annotations

import pytest

from patchlab_agent.gate.evidence import (
    DIFFERENT,
    UNJUDGED,
    accepted_probe,
    labeled_probe,
    refereed_probe,
)
from patchlab_agent.models.base import Output
from patchlab_agent.models.evidence import EvidenceSource
from tests.support.make import labeled
from tests.support.words_skill import WordsReferee

pytestmark = pytest.mark.quick


@pytest.mark.parametrize(
    ("quote", "same"),
    [
        ({"zok": "red", "n": 2}, True),
        ({"zok": "Red", "n": 2.01, "more": 1}, True),
        ({"zok": "red", "n": 2.1}, False),
        ({"zok": "red"}, False),
        (None, False),
    ],
)
def test_without_a_referee_an_accepted_answer_has_to_stay_as_it_was(
    quote: Output | None, same: bool
) -> None:
    probe = accepted_probe("a zok", {"zok": "red", "n": 2}, None)
    assert (probe.source, probe.request) == (EvidenceSource.ACCEPTED, "a zok")
    assert probe.answer == {"zok": "red", "n": 2}
    assert probe.judge(quote).ok is same
    if not same:
        assert probe.judge(quote) == DIFFERENT


def test_a_referee_that_can_judge_an_accepted_request_has_the_last_word() -> None:
    changed = accepted_probe("a zok", {"zok": "red"}, WordsReferee(zok="blue"))
    assert changed.judge({"zok": "blue"}).ok
    assert changed.judge({"zok": "red"}).detail == "blue"
    deaf = accepted_probe("a zok", {"zok": "red"}, WordsReferee(unheard=["a zok"], zok="blue"))
    assert deaf.judge({"zok": "red"}).ok


def test_a_labeled_case_is_asked_as_it_is() -> None:
    case = labeled("a zok", {"zok": "red"})
    probe = labeled_probe(case)
    assert (probe.source, probe.request, probe.answer) == (
        EvidenceSource.LABELS,
        "a zok",
        {"zok": "red"},
    )
    assert probe.judge({"zok": "red", "length": 9}).ok
    assert not probe.judge(None).ok


def test_what_the_referee_cannot_judge_is_not_right() -> None:
    probe = refereed_probe("a zok", WordsReferee(unheard=["a zok"]))
    assert probe.answer is None
    assert probe.judge({"zok": "red"}) == UNJUDGED
    assert refereed_probe("a zok", WordsReferee()).judge({"zok": "red"}).ok
