"""Several candidates for one failure: whose evidence is best, and what finding out may cost."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchlab_agent.gate.base import AcceptanceCriterion, Candidate, Examination, Foreknowledge
from patchlab_agent.learning import contest as module
from patchlab_agent.learning.contest import Contest, contest
from patchlab_agent.models.trace import OK
from tests.support.make import make_attempt, make_patch, make_report, make_tested

WORDS = ("zok", "blim", "tarn", "quil")
PATCHES = {word: make_patch(word) for word in WORDS}
IN, OUT = make_report("mends"), make_report("still_wrong")


Findings = Mapping[str, tuple[Examination, Foreknowledge]]


class Told:
    """A gate that knows and finds what it is told to."""

    def __init__(self, found: Findings) -> None:
        self.found = found
        self.asked: list[str] = []

    def foreknown(self, candidate: Candidate) -> Foreknowledge:
        return self.found[candidate.patch.trigger_text][1]

    def examine(self, candidate: Candidate) -> Examination:
        self.asked.append(candidate.patch.trigger_text)
        return self.found[candidate.patch.trigger_text][0]


def held(found: Findings, order: tuple[str, ...] = WORDS) -> tuple[Contest, Told]:
    gate = Told(found)
    offered = [PATCHES[word] for word in order if word in found]
    candidates = {patch.id: Candidate(patch) for patch in offered}
    return contest(cast("AcceptanceCriterion", gate), offered, candidates), gate


def triggers(found: Contest) -> list[str]:
    return [patch.trigger_text for patch in found.order]


def agreed(share: float) -> Foreknowledge:
    return Foreknowledge(shortfall=-share)


def test_the_best_evidence_wins_and_not_the_first_that_passes() -> None:
    found, gate = held(
        {
            "zok": (Examination(IN), agreed(0.4)),
            "blim": (Examination(OUT), agreed(0.9)),
            "tarn": (Examination(IN), agreed(0.7)),
        }
    )
    assert triggers(found)[0] == "tarn"
    assert gate.asked == ["blim", "tarn"]
    assert found.examination(PATCHES["zok"]) is None


def test_what_does_harm_comes_after_all_that_does_none() -> None:
    broken = make_report("mends", results=(make_tested(), make_tested("broken", "b")))
    found, gate = held(
        {
            "zok": (Examination(broken), agreed(0.9)),
            "blim": (Examination(broken), agreed(0.8)),
            "tarn": (Examination(IN), agreed(0.2)),
        }
    )
    assert triggers(found) == ["tarn", "zok", "blim"]
    assert gate.asked == ["zok", "blim", "tarn"]


def test_agreement_that_a_trigger_was_fitted_to_comes_after_that_of_a_phrase() -> None:
    found, _ = held(
        {
            "zok": (Examination(IN), Foreknowledge(is_fitted=True, shortfall=-0.9)),
            "blim": (Examination(IN), agreed(0.4)),
        }
    )
    assert triggers(found) == ["blim", "zok"]


def test_what_can_be_let_in_comes_before_what_leaves_a_complaint_and_that_before_the_rest() -> None:
    left = Examination(OUT, remaining=(make_attempt(), OK))
    found, _ = held(
        {
            "zok": (Examination(OUT), agreed(0.9)),
            "blim": (left, agreed(0.8)),
            "tarn": (Examination(IN), agreed(0.7)),
        }
    )
    assert triggers(found) == ["tarn", "blim", "zok"]
    kept_out = [candidate.patch.trigger_text for candidate, _ in found.kept_out()]
    assert kept_out == ["zok", "blim"]


def test_where_none_is_let_in_each_is_decided_on_by_itself() -> None:
    found, _ = held({word: (Examination(OUT), agreed(0.5)) for word in ("zok", "blim")})
    assert list(found.kept_out()) == []
    assert found.examination(PATCHES["blim"]) is not None
    assert found.examination(PATCHES["quil"]) is None


@pytest.mark.parametrize(
    ("calls", "goes_on"), [(module.MAX_CALLS - 1, True), (module.MAX_CALLS, False)]
)
def test_once_one_is_let_in_with_harm_and_the_calls_are_spent_no_other_is_examined(
    calls: int, goes_on: bool
) -> None:
    results = (make_tested(), make_tested("broken", "b"))
    harmful = make_report("mends", results=results).model_copy(update={"calls": calls - 100})
    spent = OUT.model_copy(update={"calls": 100})
    found, gate = held(
        {
            "zok": (Examination(spent), agreed(0.9)),
            "blim": (Examination(harmful), agreed(0.8)),
            "tarn": (Examination(IN), agreed(0.7)),
        }
    )
    assert gate.asked == (["zok", "blim", "tarn"] if goes_on else ["zok", "blim"])
    assert triggers(found) == (["tarn", "blim", "zok"] if goes_on else ["blim", "zok", "tarn"])


@given(
    st.dictionaries(
        st.sampled_from(WORDS),
        st.tuples(
            st.sampled_from([Examination(IN), Examination(OUT)]), st.floats(0, 1).map(agreed)
        ),
        min_size=1,
    ),
    st.integers(),
)
def test_the_order_of_the_proposer_decides_only_between_equals(
    found: dict[str, tuple[Examination, Foreknowledge]], seed: int
) -> None:
    shuffled = tuple(random.Random(seed).sample(WORDS, len(WORDS)))
    contest, _ = held(found, shuffled)
    best, known = found[triggers(contest)[0]]
    let_in = [foreknown for each, foreknown in found.values() if each.report.decision == "active"]
    assert {patch.trigger_text for patch in contest.order} == set(found)
    assert (best.report.decision == "active") is bool(let_in)
    assert not let_in or known == min(let_in)
