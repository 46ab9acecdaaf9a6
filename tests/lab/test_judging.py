"""Feedback on one answer: checked, added up, and not made worse."""

from __future__ import annotations

import pytest

from patchlab_agent.errors import BackendUnavailable, InputError, PatchLabError, UsageError
from patchlab_agent.lab.lab import Lab
from patchlab_agent.models.event import EventKind
from patchlab_agent.models.patch import Status
from patchlab_agent.models.trace import INVALID_RESPONSE, OK, Feedback
from patchlab_agent.models.verdict import Verdict
from tests.lab.conftest import OpenLab
from tests.support.words_skill import Reader, WordsReferee


def fault(word: str, meaning: str = "") -> Feedback:
    return Feedback(label="word_unknown", field=word, detail=meaning)


def active(lab: Lab) -> set[str]:
    return {listed.patch.trigger_text for listed in lab.patches.select(status=Status.ACTIVE)}


@pytest.mark.parametrize(
    ("given", "error", "problem"),
    [
        (Feedback(label="word_unknwon"), InputError, "did you mean word_unknown"),
        (Feedback(label=""), InputError, "There is no label ''"),
        (fault("zokk", "red"), InputError, "did you mean zok"),
        (Feedback(label="word_unknown", value="red"), UsageError, "--field"),
        (Feedback(label="OK", field="zok"), UsageError, "OK says that nothing is wrong"),
        (Feedback(detail="red"), UsageError, "OK says that nothing is wrong"),
        (fault("zok", "red\nblue"), InputError, "one line"),
    ],
)
def test_learn_checks_what_the_command_checks(
    lab: Lab, given: Feedback, error: type[PatchLabError], problem: str
) -> None:
    trace = lab.answer("a zok")
    with pytest.raises(error, match=problem):
        lab.learn(trace, given)
    assert lab.traces.get(0) == trace
    assert lab.contents.patches == 0


def test_learn_takes_labels_and_fields_however_they_are_written(lab: Lab) -> None:
    trace = lab.answer("a zok")
    report = lab.learn(trace, Feedback(label=" Word-Unknown ", field="ZOK", detail="red"))
    assert report.feedback == fault("zok", "red")
    assert lab.learn(trace, Feedback(label="ok")).feedback == OK


def test_an_answer_without_a_quote_has_no_field_to_learn_from(lab: Lab) -> None:
    trace = lab.record("a zok", lab.context("a zok"), "no idea")
    with pytest.raises(InputError, match="could not be read"):
        lab.learn(trace, fault("zok", "red"))
    lab.learn(trace, Feedback(label=INVALID_RESPONSE))


def test_faults_add_up_until_the_answer_is_taken(lab: Lab) -> None:
    trace = lab.answer("a zok blim")
    told = [fault("zok", "red"), fault("blim", "green"), Feedback(label=INVALID_RESPONSE)]
    for each in told:
        assert lab.learn(trace, each).replaced is None
    stored = lab.traces.get(0)
    assert stored.faults == tuple(told)
    assert (stored.feedback, stored.further) == (told[0], tuple(told[1:]))
    assert [each.request for each in lab.traces.select(failed=True)] == ["a zok blim"]
    report = lab.learn(trace, OK)
    assert (report.replaced, report.feedback) == (told[0], OK)
    assert (lab.traces.get(0).feedback, lab.traces.get(0).faults) == (OK, ())


def test_a_fault_told_again_takes_its_own_place(lab: Lab) -> None:
    trace = lab.answer("a zok blim")
    lab.learn(trace, fault("zok", "blue"))
    lab.learn(trace, fault("blim", "green"))
    report = lab.learn(trace, fault("zok", "red"))
    assert report.replaced == fault("zok", "blue")
    assert lab.traces.get(0).faults == (fault("zok", "red"), fault("blim", "green"))


def test_lessons_of_several_faults_are_tried_together(lab: Lab) -> None:
    # None of them alone leads to an answer in which every word has a meaning.
    trace = lab.answer("a zok blim tarn")
    for word, meaning in (("zok", "red"), ("blim", "green")):
        report = lab.learn(trace, fault(word, meaning))
        assert [event.kind for event in report.events] == [EventKind.QUARANTINED]
    report = lab.learn(trace, fault("tarn", "blue"))
    assert [(event.kind, event.trigger) for event in report.events] == [
        (EventKind.ACTIVATED, "tarn"),
        (EventKind.ACTIVATED, "zok"),
        (EventKind.ACTIVATED, "blim"),
    ]
    assert active(lab) == {"zok", "blim", "tarn"}
    quote = lab.answer("zok blim tarn only").output or {}
    assert (quote["zok"], quote["blim"], quote["tarn"]) == ("red", "green", "blue")


def test_what_a_referee_refuses_stays_out(lab: Lab) -> None:
    trace = lab.answer("a zok blim")
    lab.learn(trace, fault("zok", "blue"), WordsReferee())
    lab.learn(trace, fault("blim", "green"), WordsReferee())
    assert "zok" not in active(lab)


def test_what_a_person_disabled_stays_out(lab: Lab) -> None:
    trace = lab.answer("a blim tarn")
    lab.learn(trace, fault("blim", "green"))
    lab.patches.disable(lab.patches.select(trigger="blim")[0].patch.id)
    lab.learn(trace, fault("tarn", "blue"))
    assert lab.patches.select(trigger="blim")[0].patch.status is Status.DISABLED


@pytest.mark.parametrize("word", ["zok", None])
def test_a_word_without_detail_leaves_the_better_one(lab: Lab, word: str | None) -> None:
    trace = lab.answer("a zok")
    better = lab.learn(trace, fault("zok", "red"))
    before = lab.traces.get(0)
    report = lab.learn(trace, Feedback(label="word_unknown", field=word))
    assert (report.replaced, report.feedback) == (None, better.feedback)
    assert [event.kind for event in report.events] == [EventKind.NONE]
    assert "says more and is kept" in report.events[0].text
    assert lab.traces.get(0) == before


def test_a_word_that_teaches_nothing_leaves_the_one_that_did(lab: Lab) -> None:
    trace = lab.answer("a zok")
    better = lab.learn(trace, fault("zok", "red")).feedback
    report = lab.learn(trace, Feedback(label="word_unknown", detail="something is wrong"))
    assert (report.replaced, report.feedback) == (None, better)
    assert report.events[0].text.startswith("the feedback names no word; the earlier feedback")
    assert lab.traces.get(0).faults == (better,)


def test_where_nothing_was_taught_the_latest_word_stands(lab: Lab) -> None:
    trace = lab.answer("a zok")
    for detail in ("", "wrong", "quite wrong"):
        lab.learn(trace, Feedback(label="word_unknown", detail=detail))
        assert lab.traces.get(0).faults == (Feedback(label="word_unknown", detail=detail),)


def test_an_outage_keeps_the_faults_that_were_told(open_words: OpenLab) -> None:
    backend = Reader()
    lab = open_words(backend=backend, examples=0)
    trace = lab.answer("a zok blim")
    lab.learn(trace, fault("zok", "red"))
    backend.outage_at = 0
    with pytest.raises(BackendUnavailable):
        lab.learn(trace, fault("blim", "green"))
    assert [each.field for each in lab.traces.get(0).faults] == ["zok", "blim"]


def test_a_skill_without_words_of_its_own_has_a_verdict(lab: Lab) -> None:
    assert lab.answer("salt").verdict == Verdict(outcome="answered", text="Answered.")
    assert lab.answer("a salt zok").verdict == Verdict(
        outcome="incomplete", text="Answered without a and zok.", missing=("a", "zok")
    )
    unusable = lab.record("salt", lab.context("salt"), "[1, 2").verdict
    assert unusable is not None
    assert unusable.outcome == "unusable"
    assert unusable.text.startswith("The answer cannot be used: ")
    assert lab.traces.get(2).verdict == unusable
