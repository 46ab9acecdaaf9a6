"""Several candidates for one failure: whose evidence is best, and what finding out may cost."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from patchlab_agent.gate.base import AcceptanceCriterion, Candidate, Examination
from patchlab_agent.learning import contest as module
from patchlab_agent.learning.contest import Contest, contest
from patchlab_agent.models.patch import Patch
from patchlab_agent.models.trace import OK
from patchlab_agent.models.trigger import Similar
from tests.support.make import make_attempt, make_patch, make_report, make_tested

WORDS = ("zok", "blim", "tarn", "quil")
PATCHES = {word: make_patch(word) for word in WORDS}
IN, OUT = make_report("mends"), make_report("still_wrong")


class Told:
    """A gate that finds what it is told to."""

    def __init__(self, found: Mapping[str, Examination]) -> None:
        self.found = found
        self.asked: list[str] = []

    def examine(self, candidate: Candidate) -> Examination:
        self.asked.append(candidate.patch.trigger_text)
        return self.found[candidate.patch.trigger_text]


def held(found: Mapping[str, Examination], order: tuple[str, ...] = WORDS) -> tuple[Contest, Told]:
    gate = Told(found)
    offered = [PATCHES[word] for word in order if word in found]
    candidates = {patch.id: Candidate(patch) for patch in offered}
    return contest(cast("AcceptanceCriterion", gate), offered, candidates), gate


def triggers(found: Contest) -> list[str]:
    return [patch.trigger_text for patch in found.order]


def test_the_best_evidence_comes_first_and_not_the_first_that_passes() -> None:
    broken = make_report("mends", results=(make_tested(), make_tested("broken", "b")))
    two = make_report("mends", results=(make_tested(), make_tested(request="b")))
    found, _ = held(
        {
            "zok": Examination(broken, agreement=0.9),
            "blim": Examination(IN, agreement=0.4),
            "tarn": Examination(IN, agreement=0.7),
            "quil": Examination(two, agreement=0.7),
        }
    )
    assert triggers(found) == ["quil", "tarn", "blim", "zok"]


def test_agreement_that_a_trigger_was_fitted_to_comes_after_that_of_a_phrase() -> None:
    near = Similar(requests=("a zok",), radius=0.5)
    found, _ = held(
        {
            "zok": Examination(IN, agreement=0.9, trigger=near),
            "blim": Examination(IN, agreement=0.4, trigger="blim"),
        }
    )
    assert triggers(found) == ["blim", "zok"]


def test_what_can_be_let_in_comes_before_what_leaves_a_complaint_and_that_before_the_rest() -> None:
    left = Examination(OUT, remaining=(make_attempt(), OK))
    found, _ = held({"zok": Examination(OUT), "blim": left, "tarn": Examination(IN)})
    assert triggers(found) == ["tarn", "blim", "zok"]
    kept_out = [candidate.patch.trigger_text for candidate, _ in found.kept_out()]
    assert kept_out == ["zok", "blim"]


def test_where_none_is_let_in_each_is_decided_on_by_itself() -> None:
    found, _ = held({"zok": Examination(OUT), "blim": Examination(OUT)})
    assert list(found.kept_out()) == []
    assert found.examination(PATCHES["blim"]) is not None
    assert found.examination(PATCHES["quil"]) is None


def test_once_one_is_let_in_and_the_calls_are_spent_no_other_is_examined() -> None:
    dear = IN.model_copy(update={"calls": module.MAX_CALLS})
    spent = OUT.model_copy(update={"calls": module.MAX_CALLS})
    found, gate = held(
        {"zok": Examination(spent), "blim": Examination(dear), "tarn": Examination(IN)}
    )
    assert gate.asked == ["zok", "blim"]
    assert triggers(found) == ["blim", "zok", "tarn"]


@given(
    st.dictionaries(
        st.sampled_from(WORDS),
        st.tuples(st.sampled_from([IN, OUT]), st.floats(0, 1)).map(
            lambda t: Examination(t[0], agreement=t[1])
        ),
    ),
    st.integers(),
)
def test_the_order_of_the_proposer_decides_only_between_equals(
    found: dict[str, Examination], seed: int
) -> None:
    def rank(patch: Patch) -> tuple[bool, float]:
        told = found[patch.trigger_text]
        is_in = told.report.decision == "active"
        return (not is_in, -told.agreement if is_in else 0)

    shuffled = tuple(random.Random(seed).sample(WORDS, len(WORDS)))
    order = held(found, shuffled)[0].order
    assert [rank(patch) for patch in order] == sorted(rank(patch) for patch in order)
    assert {patch.trigger_text for patch in order} == set(found)
