"""What the evidence heard about a patch so far shows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from patchlab_agent.agent.agent import Agent
from patchlab_agent.gate.base import Candidate
from patchlab_agent.gate.evidence import Probe, Referee, labeled_probe, refereed_probe
from patchlab_agent.gate.grading import Pair, Subject
from patchlab_agent.gate.hearing import Hearing
from patchlab_agent.gate.request_trial import Limits, RequestTrial
from patchlab_agent.gate.trial import PatchTrial
from patchlab_agent.models.base import JsonObject
from patchlab_agent.models.evidence import Outcome, Record
from patchlab_agent.models.patch import Patch
from patchlab_agent.models.trace import OK, Fault, Feedback
from patchlab_agent.models.trigger import Always
from tests.support.gates import RED, NoExamples, Shelf, zok
from tests.support.make import failing, labeled, make_attempt, make_patch
from tests.support.words_skill import Reader, WordFix, WordsReferee, WordsTask, write_templates

pytestmark = pytest.mark.quick

LIMITS = Limits(varies=True, patience=6, max_pairs=12, bound=20)
KNOWS = WordsReferee()
PARTLY = Feedback.of([Fault(label="word_unknown", field="blim")], 0.5)
WRONG = Feedback(label="word_unknown", field="zok")


class Unshown(WordFix):
    """A lesson that no answer shows."""

    shows_in_answers = False


@pytest.fixture
def trial(tmp_path: Path) -> PatchTrial:
    task = WordsTask(write_templates(tmp_path / "t"))
    agent = Agent(task, Reader(), Shelf(), NoExamples())
    return PatchTrial(agent, zok(), judged=task.judged, limits=LIMITS, max_calls=40)


def hearing(
    trial: PatchTrial,
    patch: Patch | None = None,
    *,
    referee: Referee | None = KNOWS,
    known: Sequence[Probe] = (),
    trusts_origin: bool = True,
) -> Hearing:
    return Hearing(Candidate(patch or zok(), referee), known, trial, trusts_origin)


def tried(
    trial: PatchTrial, outcome: Outcome, request: str = "a zok", output: JsonObject | None = None
) -> RequestTrial:
    """A request whose only answer with the patch was right, with this outcome."""
    [each] = trial.begin([refereed_probe(request, KNOWS)])
    each.outcome = outcome
    each.given = [(make_attempt(output=output), OK)]
    return each


def test_only_requests_that_turn_right_can_speak_for_what_no_answer_shows(
    trial: PatchTrial,
) -> None:
    unshown = make_patch("zok", fix=Unshown(word="zok", meaning="red"), tests=zok().tests)
    everywhere = zok().model_copy(update={"trigger": Always()})
    assert [hearing(trial, each).has_to_gain for each in (zok(), unshown, everywhere)] == [
        False,
        True,
        True,
    ]
    # What agrees with them is at hand, and says nothing of them.
    known = [labeled_probe(labeled("zok", RED))]
    assert not hearing(trial, unshown, known=known).is_shown
    tried(trial, "mended")
    assert hearing(trial, unshown).is_shown


def test_a_request_that_turns_right_shows_a_patch_if_its_answer_says_so(trial: PatchTrial) -> None:
    tried(trial, "kept", output={"zok": "red"})
    assert not hearing(trial).is_shown
    mended = tried(trial, "mended", output={"blim": "green"})
    assert hearing(trial).mended == 1
    assert not hearing(trial).is_shown
    mended.given = [(make_attempt(output={"zok": "red"}), OK)]
    assert hearing(trial).is_shown


def test_right_answers_at_hand_confirm_what_turns_a_request_right(trial: PatchTrial) -> None:
    known = [labeled_probe(labeled("zok blim", RED))]
    assert not hearing(trial, known=known).is_shown
    # One that no failure taught has nothing to turn right.
    unprompted = make_patch("zok")
    assert hearing(trial, unprompted).is_unprompted
    assert hearing(trial, unprompted, known=known).is_shown
    assert not hearing(trial, unprompted).is_shown
    tried(trial, "mended")
    assert hearing(trial, known=known).is_shown
    assert not hearing(trial, known=[labeled_probe(labeled("zok", {"zok": "blue"}))]).is_shown


def test_a_word_is_taken_only_where_nobody_can_judge_and_somebody_complained(
    trial: PatchTrial,
) -> None:
    unshown = make_patch("zok", fix=Unshown(word="zok", meaning="red"), tests=zok().tests)
    assert hearing(trial, referee=None).is_trusted
    assert not hearing(trial, referee=KNOWS).is_trusted
    assert not hearing(trial, referee=None, trusts_origin=False).is_trusted
    assert not hearing(trial, make_patch("zok"), referee=None).is_trusted
    assert not hearing(trial, unshown, referee=None).is_trusted


def test_a_record_vouches_only_where_nobody_can_judge_again(trial: PatchTrial) -> None:
    def with_record(outcomes: str) -> Patch:
        return zok().model_copy(update={"record": Record(outcomes=outcomes)})

    assert hearing(trial, with_record("++-"), referee=None).vouched
    assert not hearing(trial, with_record("++-")).vouched
    assert not hearing(trial, with_record("+-"), referee=None).vouched


def test_what_is_taken_answers_the_latest_failing_request(trial: PatchTrial) -> None:
    patch = make_patch("zok", tests=(failing("a zok"), failing("the zok")))
    found = hearing(trial, patch)
    assert found.taken is None
    found.failing = [tried(trial, "mended", "a zok")]
    assert found.taken is None
    found.failing.append(tried(trial, "mended", "the zok", {"zok": "red"}))
    assert found.taken == make_attempt(output={"zok": "red"})


def test_a_better_answer_is_improved_only_where_none_is_right(trial: PatchTrial) -> None:
    found = hearing(trial)
    each = tried(trial, "mended")
    found.failing = [each]
    pair = Pair(Subject("word_unknown", "zok"), WRONG, PARTLY, make_attempt())
    each.pairs = [pair]
    assert found.improved is None
    each.given = [(make_attempt(), PARTLY)]
    assert found.improved == (make_attempt(), PARTLY)
    each.probe = refereed_probe("another zok", KNOWS)
    assert found.improved is None


def test_the_complaint_is_that_of_a_request_that_stays_wrong(trial: PatchTrial) -> None:
    found = hearing(trial)
    found.failing = [tried(trial, "mended"), tried(trial, "failed")]
    assert found.complaint is None
    found.failing[1].given.append((make_attempt(), WRONG))
    assert found.complaint == (make_attempt(), WRONG)


def test_what_all_requests_gain_is_less_what_they_lose(trial: PatchTrial) -> None:
    subject = Subject("word_unknown", "zok")
    tried(trial, "mended").pairs = [Pair(subject, WRONG, OK, make_attempt())]
    tried(trial, "broken").pairs = [Pair(subject, OK, PARTLY, make_attempt())]
    tried(trial, "kept").pairs = [Pair(subject, OK, WRONG, make_attempt())]
    assert hearing(trial).change == pytest.approx(1 - 0.5)
