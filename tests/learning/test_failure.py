"""A failed answer while something is learned from it, and what came of that."""

from __future__ import annotations

import pytest

from patchlab_agent.gate.grading import Subject
from patchlab_agent.learning.failure import Failure, Learned
from patchlab_agent.models.event import EventKind, PatchEvent
from patchlab_agent.models.patch import Origin
from patchlab_agent.models.trace import OK, Fault, Feedback
from tests.support.make import make_attempt, make_trace
from tests.support.words_skill import WordsReferee

pytestmark = pytest.mark.quick

NOTHING = PatchEvent(kind=EventKind.NONE, text="nothing")
LESSON = PatchEvent(kind=EventKind.QUARANTINED, text="a lesson")
LEFT = (make_attempt({"n": 1}), Feedback(label="odd"))
FAULTS = [Fault(label="word_unknown", field=f"word {n}") for n in range(5)]
SAID = Feedback.of(FAULTS, 0.5)


def failure() -> Failure:
    return Failure(make_trace(), WordsReferee(), Origin.PERSON)


def test_a_lesson_was_taught_whatever_became_of_it() -> None:
    assert not Learned().taught
    assert not Learned((NOTHING,)).taught
    assert Learned((NOTHING, LESSON)).taught


def test_what_came_later_is_added_and_a_right_answer_stays_known() -> None:
    first = Learned((NOTHING,), {"zok": "red"}, LEFT)
    whole = first.then(Learned((LESSON,)))
    assert whole == Learned((NOTHING, LESSON), {"zok": "red"}, None)
    later = Learned((), {"zok": "blue"}, LEFT)
    assert first.then(later) == Learned((NOTHING,), {"zok": "blue"}, LEFT)
    # Nothing was right before, and what is still wrong is what the latest one leaves.
    assert Learned((LESSON,)).then(later).improved == LEFT


def test_one_failure_teaches_up_to_three_lessons_of_its_gravest_faults() -> None:
    failed, found = failure(), []
    while (fault := failed.next_fault(SAID)) is not None:
        found.append(fault.field)
        failed.tried.append(Subject.of(fault))
    assert found == ["word 0", "word 1", "word 2"]


def test_no_fault_is_learned_from_twice_and_a_right_answer_has_none() -> None:
    failed = failure()
    assert failed.next_fault(OK) is None
    alone = Feedback(label="word_unknown", field="zok", detail="red")
    assert failed.next_fault(alone) == alone
    failed.tried.append(Subject.of(alone))
    # The same of the same thing, whatever it should be.
    assert failed.next_fault(alone.model_copy(update={"detail": "blue"})) is None


def test_answers_to_one_request_share_what_was_learned_from() -> None:
    failed = failure()
    again = failed.with_attempt(LEFT[0])
    assert again.trace.attempt == LEFT[0]
    assert again.trace.request == failed.trace.request
    assert (again.referee, again.origin) == (failed.referee, Origin.PERSON)
    fault = again.next_fault(SAID)
    assert fault is not None
    again.tried.append(Subject.of(fault))
    assert failed.next_fault(SAID) != fault
    assert failure().next_fault(SAID) == fault
