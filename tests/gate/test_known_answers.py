"""What right answers at hand say of a patch before any model is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import pytest

from patchlab_agent.agent.agent import Agent
from patchlab_agent.gate import known_answers, reach
from patchlab_agent.gate.base import Candidate, Foreknowledge
from patchlab_agent.gate.evidence import Labeled
from patchlab_agent.gate.known_answers import KnownAnswers
from patchlab_agent.gate.reach import Distance
from patchlab_agent.models.base import JsonObject, Output
from patchlab_agent.models.patch import Patch
from patchlab_agent.models.trace import Retrieved, Trace
from patchlab_agent.models.trigger import Always, Similar
from patchlab_agent.statistics import proportion
from tests.support.gates import OTHERS, RED, Accepted, taken, zok
from tests.support.make import labeled, make_hit, make_patch, spoiled
from tests.support.words_skill import WordsReferee

pytestmark = pytest.mark.quick

BLUE: JsonObject = {"zok": "blue"}
NEAR = {"one zok": 0.1, "two zok": 0.2, "six zok": 0.3, "far zok": 0.9}
"""Requests by their distance from the trigger."""
SIMILAR = zok().model_copy(update={"trigger": Similar(requests=("a zok",))})


class Distant:
    """As much of an agent as is asked: how far a request is from a trigger."""

    def __init__(self, distances: Mapping[str, float]) -> None:
        self._distances = distances

    def relation(self, patch: Patch, request: str) -> Retrieved:
        return make_hit(patch, self._distances.get(request, 1.0))


def answers(
    *suite: Labeled, accepted: tuple[Trace, ...] = (), max_trigger_share: float = 0.5
) -> KnownAnswers:
    return KnownAnswers(
        suite,
        Accepted(*accepted),
        cast("Agent", Distant(NEAR)),
        judged=_complete,
        max_trigger_share=max_trigger_share,
    )


def _complete(output: Output) -> Output:
    return {} if None in output.values() else output


def objection(known: KnownAnswers, patch: Patch) -> str:
    found = known.objection(known.about(Candidate(patch)))
    return "" if found is None else f"{found.code}: {found.text}"


def test_it_concerns_labels_with_its_trigger_and_accepted_answers() -> None:
    known = answers(*OTHERS, labeled("one zok", RED), accepted=(taken("my zok", RED),))
    about = known.about(Candidate(zok()))
    assert [case.request for case in about.touched] == ["one zok"]
    assert [probe.request for probe in about.answers] == ["one zok", "my zok"]
    assert about.unreached is None


def test_a_trigger_by_similarity_reaches_as_far_as_labels_agree() -> None:
    near = [labeled(request, RED) for request in ("one zok", "two zok")]
    known = answers(*OTHERS, *near, labeled("six zok", BLUE), labeled("far zok", RED))
    about = known.about(Candidate(SIMILAR))
    assert isinstance(about.candidate.patch.trigger, Similar)
    assert about.candidate.patch.trigger.radius == 0.2
    assert [case.request for case in about.touched] == ["one zok", "two zok"]
    assert objection(known, SIMILAR) == ""
    # One label that agrees is too few.
    few = answers(*OTHERS, labeled("one zok", RED))
    assert objection(few, SIMILAR).startswith("no_evidence: too few labeled requests agree")


def test_a_trigger_that_occurs_too_often_or_says_nothing_is_too_broad() -> None:
    half = [*OTHERS, *(labeled(f"zok {n}", RED) for n in range(4))]
    assert objection(answers(*half), zok()) == ""
    more = [*half, labeled("zok 5", RED)]
    told = objection(answers(*more), zok())
    assert told == "trigger_too_broad: 'zok' occurs in 56% of the regression suite"
    assert objection(answers(*more, max_trigger_share=0.6), zok()) == ""
    assert objection(answers(), make_patch("zok", trigger="→")).startswith("trigger_too_broad")
    # What is meant for every request is no trigger that is too broad.
    assert objection(answers(*more), zok().model_copy(update={"trigger": Always()})) == ""


def test_most_right_answers_with_the_trigger_must_not_say_otherwise() -> None:
    agree, differ = labeled("one zok", RED), labeled("two zok", BLUE)
    assert objection(answers(*OTHERS, agree, differ), zok()) == ""
    told = objection(answers(*OTHERS, *OTHERS, agree, differ, labeled("six zok", BLUE)), zok())
    assert told == "contradicted: 2 of 3 right answers to requests with 'zok' say otherwise"


def test_foreknown_is_by_how_much_the_right_answers_here_may_fall_short() -> None:
    suite = [labeled("one zok", RED), labeled("two zok", BLUE)]
    # One of three, among all labels and here, where it may be as few as the interval says.
    known = answers(*suite, labeled("salt", BLUE))
    low = proportion([True, False]).low or 0
    found = known.foreknown(Candidate(zok()))
    assert not found.is_fitted
    assert found.shortfall == pytest.approx(1 / 3 - low)
    # Accepted answers count here.
    more = answers(*suite, labeled("salt", BLUE), accepted=(taken("my zok", RED),))
    low = proportion([True, False, True]).low or 0
    assert more.foreknown(Candidate(zok())).shortfall == pytest.approx(1 / 3 - low)
    assert answers().foreknown(Candidate(zok())) == Foreknowledge(shortfall=0)


def test_foreknown_of_a_similar_trigger_says_that_labels_chose_its_reach() -> None:
    near = [labeled(request, RED) for request in ("one zok", "two zok")]
    found = answers(*OTHERS, *near).foreknown(Candidate(SIMILAR))
    assert found.is_fitted
    assert found.shortfall == pytest.approx(1 - (proportion([True, True]).low or 0))
    assert answers(*OTHERS).foreknown(Candidate(SIMILAR)) == Foreknowledge(is_fitted=True)


def test_what_it_spoiled_is_tried_again_unless_it_taught_the_patch() -> None:
    patch = zok(spoiled("zok salt", {**RED, "salt": "white"}), spoiled("zok blim", None))
    known = answers(accepted=(taken("a zok", RED), taken("zok quil", {"zok": None})))
    # Without anybody who judges, what was right in part cannot be told again; an answer that
    # leaves something open vouches for nothing in it.
    alone = known.accepted_before(Candidate(patch))
    assert [(each.request, each.answer) for each in alone] == [
        ("zok salt", {**RED, "salt": "white"}),
        ("zok quil", {}),
    ]
    judged = known.accepted_before(Candidate(patch, WordsReferee()))
    assert [each.request for each in judged] == ["zok salt", "zok blim"]
    # Rules may have changed: what is no longer right is no standard.
    changed = known.accepted_before(Candidate(patch, WordsReferee(salt="grey")))
    assert [each.request for each in changed] == ["zok blim"]


def test_the_five_newest_accepted_answers_are_enough() -> None:
    known = answers(accepted=tuple(taken(f"zok {number}", RED) for number in range(9)))
    found = known.accepted_before(Candidate(zok()))
    assert [each.request for each in found] == [f"zok {number}" for number in range(5)]


def test_the_labels_of_a_phrase_are_looked_for_once_and_not_all_are_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked_for: list[str] = []

    def concerns(patch: Patch, request: str, distance: Distance) -> bool:
        looked_for.append(str(patch.trigger))
        return reach.concerns(patch, request, distance)

    monkeypatch.setattr(known_answers, "concerns", concerns)
    monkeypatch.setattr(known_answers, "REMEMBERED", 2)
    known = answers(labeled("a zok", RED))
    for word in ("zok", "zok", "blim", "zok", "tarn", "blim"):
        touched = known.touched(make_patch(word))
        assert [case.request for case in touched] == (["a zok"] if word == "zok" else [])
    assert looked_for == ["zok", "blim", "tarn", "blim"]
