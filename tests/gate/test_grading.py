"""Answers that are right in part: what counts for a lesson, and what against it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchlab_agent.gate.base import Candidate
from patchlab_agent.gate.evidence import Labeled
from patchlab_agent.gate.grading import TOLERANCE, Pair, Subject, is_better, typical_change
from patchlab_agent.models.base import JsonObject, Output
from patchlab_agent.models.patch import Patch
from patchlab_agent.models.trace import OK, Fault, Feedback
from tests.support.gates import Disturb, decide, make_gate, zok
from tests.support.make import failing, make_attempt, make_patch, spoiled
from tests.support.words_skill import Reader

pytestmark = pytest.mark.quick

ZOK = Subject("word_unknown", "zok")
TRUTH: JsonObject = {"zok": "red", "blim": "green", "tarn": "round", "salt": "white"}


def told(wrong: Sequence[str], of: int) -> Feedback:
    faults = [Fault(label="word_unknown", field=name) for name in wrong]
    return Feedback.of(faults, 1 - len(wrong) / of) if faults else OK


def graded(truth: JsonObject) -> Callable[[Output | None], Feedback]:
    def judge(output: Output | None) -> Feedback:
        given = output or {}
        return told([name for name in truth if given.get(name) != truth[name]], len(truth))

    return judge


@dataclass
class Grader:
    """A referee that gives a score, the share of right words, and names all wrong ones."""

    truth: JsonObject

    def judge(self, request: str, output: Output | None) -> Feedback | None:
        words = request.split()
        return graded({w: m for w, m in self.truth.items() if w in words})(output)


GRADER = Grader(TRUTH)


def case(request: str, **changed: str) -> Labeled:
    truth = {word: TRUTH[word] for word in request.split() if word in TRUTH} | changed
    return Labeled(request, truth, graded(truth))


def spoils(*words: str) -> Disturb:
    """Told what a zok is, the model gets these words wrong, all of which it knows without."""

    def disturb(request: str, draw: str, answer: JsonObject) -> None:
        for word in set(words) & answer.keys():
            answer[word] = "odd" if answer.get("zok") else TRUTH[word]

    return disturb


def plain(feedback: Feedback) -> Feedback:
    return Feedback(label=feedback.label, field=feedback.field)


SIDES = st.lists(st.sampled_from(["zok", "blim", "tarn"]), unique=True).map(lambda w: told(w, 3))


def pair(without: Feedback, with_it: Feedback) -> Pair:
    return Pair(ZOK, without, with_it, make_attempt())


@given(SIDES.map(plain), SIDES.map(plain))
def test_right_and_wrong_alone_are_compared_as_right_and_wrong(
    without: Feedback, with_it: Feedback
) -> None:
    found = pair(without, with_it)
    assert found.is_gained is (with_it.ok and not without.ok)
    assert found.is_lost is (without.ok and not with_it.ok)
    assert found.is_calm is (without.ok and with_it.ok)
    assert not found.is_idle
    assert typical_change([found]) == with_it.ok - without.ok


@given(SIDES, SIDES)
def test_a_pair_speaks_one_way_at_most_and_for_a_lesson_only_in_what_it_is_about(
    without: Feedback, with_it: Feedback
) -> None:
    found = pair(without, with_it)
    assert not (found.is_gained and (found.is_lost or found.is_calm or found.is_idle))
    was, remains = (ZOK.is_complained_of(said) for said in (without, with_it))
    if found.is_gained:
        assert with_it.score > without.score
        assert was
        assert not remains
    if with_it.score < without.score or (remains and not was):
        assert found.is_lost


def test_a_gain_in_part_leaves_something_to_say() -> None:
    both = told(["zok", "blim"], 3)
    assert pair(both, told(["blim"], 3)).is_gained_in_part
    assert not pair(both, OK).is_gained_in_part
    assert not pair(both, told(["zok"], 3)).is_gained_in_part
    assert not pair(both, both).is_gained_in_part


def test_a_difference_that_rounding_may_make_is_none() -> None:
    def zok_at(score: float) -> Feedback:
        return Feedback.of([Fault(label="word_unknown", field="zok", score=score)], score)

    for more, tells in ((TOLERANCE, False), (2 * TOLERANCE, True)):
        less, higher = zok_at(0), zok_at(more)
        assert is_better(higher, less) is tells
        assert ZOK.is_eased(less, higher) is tells
        assert ZOK.is_worse(higher, less) is tells


def test_one_named_fault_may_hide_another() -> None:
    other = told(["blim"], 3)
    assert pair(other, other).is_calm
    assert pair(OK, other).is_calm
    # Who names a single fault has not said that the rest is right.
    assert not pair(plain(other), other).is_calm
    assert not pair(OK, plain(other)).is_calm


def test_the_typical_change_is_that_of_the_median_pair() -> None:
    changes = [pair(told(["zok", "blim"], 3), told(wrong, 3)) for wrong in ([], ["zok"], ["blim"])]
    assert typical_change(changes) == pytest.approx(1 / 3)
    assert typical_change([]) == 0


def test_a_lesson_that_mends_one_of_several_faults_is_let_in_and_the_rest_remains(
    tmp_path: Path,
) -> None:
    patch = zok(request="zok blim tarn")
    gate = make_gate(tmp_path, Reader(), (case("zok blim"), case("salt")))
    found = gate.examine(Candidate(patch, GRADER))
    assert found.report.decision == "active"
    assert found.report.reasons[0].text == "by the referee, 1 request gets better and none worse"
    (result, *_) = found.report.results
    assert (result.outcome, result.right_with, result.gained) == ("mended", 0, 1)
    assert result.scores == (0.0, round(1 / 3, 6))
    assert found.taken is None
    assert found.remaining is not None
    assert [c.field for c in found.remaining[1].complaints] == ["blim", "tarn"]


@pytest.mark.parametrize(
    ("meaning", "disturb", "code"),
    [
        # It says what is false, and the model knows another word because of it.
        ("blue", "knows_blim", "still_wrong"),
        # It is true, and costs as much as it brings, or more.
        ("red", "forgets_one", "other_complaint"),
        ("red", "forgets_two", "other_complaint"),
    ],
)
def test_what_a_lesson_raises_elsewhere_or_loses_elsewhere_does_not_let_it_in(
    tmp_path: Path, meaning: str, disturb: str, code: str
) -> None:
    def knows_blim(request: str, draw: str, answer: JsonObject) -> None:
        if answer.get("zok"):
            answer["blim"] = "green"

    kinds = {
        "knows_blim": knows_blim,
        "forgets_one": spoils("tarn"),
        "forgets_two": spoils("tarn", "blim"),
    }
    patch = zok(meaning=meaning, request="zok blim tarn")
    report = decide(make_gate(tmp_path, Reader(kinds[disturb])), patch, GRADER)
    assert (report.decision, report.codes) == ("quarantined", (code,))


def test_a_lesson_that_makes_as_many_labeled_answers_worse_as_better_is_kept_out(
    tmp_path: Path,
) -> None:
    suite = (case("zok tarn salt"), case("salt"), case("blim"), case("tarn"), case("tarn salt"))
    patch = zok(request="zok blim")
    report = decide(make_gate(tmp_path, Reader(spoils("tarn", "salt")), suite), patch, GRADER)
    assert (report.decision, report.codes) == ("quarantined", ("outweighed",))
    assert report.reasons[0].text == (
        "1 request gets worse and 1 better; worse is 'zok tarn salt' (labels)"
    )


def test_many_small_gains_do_not_make_up_for_what_is_lost(tmp_path: Path) -> None:
    many: JsonObject = {**TRUTH, **dict.fromkeys("abcdefgh", "x")}
    grader = Grader(many)
    requests = [f"zok blim {' '.join('abcdefgh')} {n}" for n in ("one", "two", "six")]
    tests = [failing(request) for request in requests]
    patch = make_patch("zok", tests=tuple(tests))
    suite = (case("zok tarn salt"),)
    report = decide(make_gate(tmp_path, Reader(spoils("tarn", "salt")), suite), patch, grader)
    assert (report.decision, report.codes) == ("quarantined", ("outweighed",))
    assert report.reasons[0].text.startswith("1 request gets worse and 3 better")
    assert report.reasons[0].text.endswith("and the score changes by -0.03 in all")


def test_a_fault_that_a_lesson_adds_counts_against_it_though_the_score_stays() -> None:
    before = Feedback.of([Fault(label="topics:a", field="topics")])
    after = Feedback.of(
        [Fault(label="topics:a", field="topics"), Fault(label="topics:b", field="topics")]
    )
    adds = Subject("topics:b", "topics")
    assert before.score == after.score == 0
    assert Pair(adds, before, after, make_attempt()).is_lost
    assert not Pair(Subject("topics:c", "topics"), before, after, make_attempt()).is_lost


def varied(folder: Path, patch: Patch, disturb: Disturb) -> tuple[str, str, int]:
    backend = Reader(disturb, varies=True)
    report = decide(make_gate(folder, backend), patch, GRADER)
    return report.decision, report.codes[0], report.results[0].pairs


def test_where_answers_vary_partly_right_ones_are_tested_pair_by_pair(tmp_path: Path) -> None:
    def nothing(request: str, draw: str, answer: JsonObject) -> None:
        answer["salt"] = "white"

    def ignores(request: str, draw: str, answer: JsonObject) -> None:
        answer.update(zok=None, salt="white")

    patch = zok(request="zok blim salt")
    assert varied(tmp_path / "a", patch, nothing) == ("active", "mends", 5)
    decision, code, pairs = varied(tmp_path / "b", patch, ignores)
    assert (decision, code) == ("quarantined", "still_wrong")
    # It is given up after as many draws as one that is never right in anything.
    assert pairs == 12


def test_a_request_that_a_lesson_made_worse_is_tried_again_though_no_answer_was_right(
    tmp_path: Path,
) -> None:
    patch = zok(spoiled("zok tarn salt blim", None), request="zok blim")
    gate = make_gate(tmp_path, Reader(spoils("tarn", "salt")))
    report = decide(gate, patch, GRADER)
    assert report.codes == ("outweighed",)
    assert "'zok tarn salt blim' (referee)" in report.reasons[0].text
