"""From a failure to a stored patch, and from uses to evidence: each kind of event."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from patchlab_agent.agent.agent import EMPTY
from patchlab_agent.errors import BackendError, BackendUnavailable
from patchlab_agent.gate.evidence import Referee
from patchlab_agent.lab.lab import Lab
from patchlab_agent.learning.failure import MAX_LESSONS, Learned
from patchlab_agent.learning.learner import RECURRENCES, Learner
from patchlab_agent.models.base import JsonObject, Output
from patchlab_agent.models.event import PatchEvent
from patchlab_agent.models.evidence import Record, Standing
from patchlab_agent.models.patch import Form, Origin, Patch, Proposal, Role, Status
from patchlab_agent.models.prompt import Completion, Prompt
from patchlab_agent.models.trace import OK, Fault, Feedback, Judged, Trace
from tests.support.make import failing, labeled, listing, make_patch
from tests.support.words_skill import (
    CLOCK,
    MEANINGS,
    Reader,
    WordFix,
    WordsProposer,
    WordsReferee,
    words_lab,
)

RED = Feedback(label="word_unknown", field="zok", value=None, detail="red")
BLUE = Feedback(label="word_unknown", field="zok", value="red", detail="blue")
KNOWS = WordsReferee()


def spent_in_all(lab: Lab) -> int:
    """Calls so far, whatever for."""
    return sum(spent.calls for spent in lab.meter.spent.values())


def learn(
    lab: Lab, request: str, feedback: Feedback, referee: Referee | None = KNOWS
) -> tuple[PatchEvent, ...]:
    trace = lab.agent.answer(request, trace_id=f"of {request}")
    return lab.learner.learn(trace, feedback, referee).events


def patch_of(lab: Lab, event: PatchEvent) -> Patch:
    patch = lab.store.patches.get(event.patch_id or "")
    assert patch is not None
    return patch


def kinds(events: tuple[PatchEvent, ...]) -> list[str]:
    return [event.kind for event in events]


def stubborn(request: str, draw: str, answer: JsonObject) -> None:
    """Unless it is told the word `now`, the model calls a zok grey, whatever it was told."""
    if "zok" in answer and answer.get("now") != "yes":
        answer["zok"] = "grey"


def test_ok_teaches_nothing(tmp_path: Path) -> None:
    backend = Reader()
    with words_lab(tmp_path, backend) as lab:
        trace = lab.agent.answer("a zok")
        calls = len(backend.prompts)
        assert lab.learner.learn(trace, OK).events == ()
        assert lab.store.patches.count() == 0
        assert len(backend.prompts) == calls


def test_feedback_that_teaches_nothing_says_why(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        events = learn(lab, "a zok", Feedback(label="invalid_response"))
        assert events == (PatchEvent(kind="none", text="the feedback names no word"),)
        assert lab.store.patches.count() == 0


def test_a_true_lesson_becomes_an_active_patch(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        (event,) = learn(lab, "a zok", RED)
        assert event.kind == "activated"
        assert event.trigger == "zok"
        assert event.fix == {"kind": "word", "word": "zok", "meaning": "red"}
        patch = lab.store.patches.get(event.patch_id or "")
        assert patch is not None
        assert patch.status is Status.ACTIVE
        assert patch.gate is not None
        assert patch.gate.codes == ("mends",)
        assert (patch.record.outcomes, patch.standing) == ("+", Standing.TRIAL)
        (change,) = patch.history
        assert (change.status, change.trace_id, change.at) == (Status.ACTIVE, "of a zok", CLOCK)
        assert change.cause.startswith("new: ")
        assert lab.agent.answer("a zok").output == {"a": None, "zok": "red", "length": 2}


class Guessing(WordsProposer):
    """A proposer that is not sure, and offers several meanings, the likeliest first."""

    def __init__(self, *meanings: str) -> None:
        self.meanings = meanings

    def propose(self, trace: Trace, feedback: Feedback) -> Proposal:
        told = (feedback.model_copy(update={"detail": each}) for each in self.meanings)
        first, *others = (super(Guessing, self).propose(trace, each) for each in told)
        return Proposal(patch=first.patch, alternatives=tuple(p.patch for p in others if p.patch))


@pytest.mark.parametrize(
    ("meanings", "events"),
    [
        (("red", "blue"), ["activated"]),
        (("blue", "red", "green"), ["activated", "quarantined"]),
        (("blue", "green"), ["quarantined", "quarantined"]),
    ],
)
def test_of_several_candidates_the_first_with_evidence_is_let_in_and_those_before_it_are_told_of(
    tmp_path: Path, meanings: tuple[str, ...], events: list[str]
) -> None:
    with words_lab(tmp_path) as lab:
        learner = Learner(Guessing(*meanings), lab.gate, lab.lifecycle, lab.store.patches)
        found = learner.learn(lab.agent.answer("a zok", trace_id="t"), RED, KNOWS).events
        assert kinds(found) == events
        active = list(lab.store.patches.all(Status.ACTIVE))
        assert [patch.fix.model_dump()["meaning"] for patch in active] == (
            ["red"] if "activated" in events else []
        )


def test_a_lesson_that_is_active_already_is_not_learned_again(tmp_path: Path) -> None:
    backend = Reader()
    with words_lab(tmp_path, backend) as lab:
        learn(lab, "a zok", RED)
        before = list(lab.store.patches.all())
        trace = lab.agent.answer("one zok")
        calls = len(backend.prompts)
        assert kinds(lab.learner.learn(trace, RED).events) == ["active_already"]
        assert len(backend.prompts) == calls
        assert list(lab.store.patches.all()) == before


def test_a_quarantined_lesson_is_not_gated_again_in_vain(tmp_path: Path) -> None:
    backend = Reader(stubborn)
    with words_lab(tmp_path, backend) as lab:
        (event,) = learn(lab, "a zok", RED)
        assert event.kind == "quarantined"
        patch = lab.store.patches.get(event.patch_id or "")
        assert patch is not None
        assert (patch.status, lab.store.patches.active_count) == (Status.QUARANTINED, 0)
        # Another active patch that does not concern the request changes nothing.
        lab.store.patches.upsert(make_patch("blim"))
        trace = lab.agent.answer("a zok", trace_id="again")
        calls, booked = len(backend.prompts), spent_in_all(lab)
        (known,) = lab.learner.learn(trace, RED, KNOWS).events
        assert (known.kind, known.patch_id) == ("known", patch.id)
        assert "quarantined already, and nothing has changed; failure 1 of 3" in known.text
        assert (len(backend.prompts), spent_in_all(lab)) == (calls, booked)
        counted = patch.model_copy(update={"recurrences": 1})
        assert lab.store.patches.get(patch.id) == counted


def test_a_quarantined_lesson_is_gated_again_once_things_changed(tmp_path: Path) -> None:
    with words_lab(tmp_path, Reader(stubborn)) as lab:
        request = "a zok now"
        learn(lab, request, RED)
        useless = make_patch("a", "article")
        lab.store.patches.upsert(useless)
        (again,) = learn(lab, request, RED)
        assert again.kind == "regated"
        useful = make_patch("now", "yes")
        lab.store.patches.upsert(useful)
        (at_last,) = learn(lab, request, RED)
        assert at_last.kind == "activated"
        assert at_last.patch_id == again.patch_id
        patch = lab.store.patches.get(at_last.patch_id or "")
        assert patch is not None
        assert [change.status for change in patch.history] == [
            Status.QUARANTINED,
            Status.QUARANTINED,
            Status.ACTIVE,
        ]
        assert patch.history[1].cause.startswith("gated again: ")


def test_a_new_lesson_on_the_same_subject_retires_the_old_one(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        (old,) = learn(lab, "a zok", RED)
        learn(lab, "a blim", Feedback(label="word_unknown", field="blim", detail="green"))
        events = learn(lab, "a zok", BLUE, WordsReferee(zok="blue"))
        assert kinds(events) == ["activated", "superseded"]
        assert events[1].patch_id == old.patch_id
        retired = lab.store.patches.get(old.patch_id or "")
        assert retired is not None
        assert retired.status is Status.RETIRED
        assert retired.history[-1].cause == f"superseded by {events[0].patch_id}"
        assert lab.agent.answer("a zok").output == {"a": None, "zok": "blue", "length": 2}
        assert {patch.trigger for patch in lab.store.patches.all(Status.ACTIVE)} == {"zok", "blim"}


def test_a_retired_lesson_comes_back_when_it_is_true_again(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        (first,) = learn(lab, "a zok", RED)
        learn(lab, "a zok", BLUE, WordsReferee(zok="blue"))
        events = learn(lab, "a zok", RED)
        assert kinds(events) == ["activated", "superseded"]
        assert events[0].patch_id == first.patch_id
        assert [patch.fix for patch in lab.store.patches.all(Status.ACTIVE)] == [
            WordFix(word="zok", meaning="red")
        ]
        patch = lab.store.patches.get(first.patch_id or "")
        assert patch is not None
        assert [change.status for change in patch.history] == [
            Status.ACTIVE,
            Status.RETIRED,
            Status.ACTIVE,
        ]


@pytest.mark.parametrize("after", [1, 2])
def test_an_outage_in_the_gate_stores_nothing(tmp_path: Path, after: int) -> None:
    # The first call is the answer itself, the gate's follow.
    backend = Reader(outage_at=after, varies=True)
    with words_lab(tmp_path, backend) as lab:
        trace = lab.agent.answer("a zok")
        before = listing(tmp_path)
        with pytest.raises(BackendUnavailable):
            lab.learner.learn(trace, RED, KNOWS)
        assert lab.store.patches.count() == 0
        assert listing(tmp_path) == before
        backend.outage_at = None
        assert kinds(lab.learner.learn(trace, RED, KNOWS).events) == ["activated"]


def judged(lab: Lab, request: str, feedback: Feedback | None) -> Trace:
    return lab.agent.answer(request).model_copy(update={"feedback": feedback})


def test_what_is_prepared_is_learned_without_another_call(tmp_path: Path) -> None:
    backend = Reader()
    with words_lab(tmp_path, backend) as lab:
        traces = [judged(lab, "a zok", RED), judged(lab, "a salt", OK), judged(lab, "a blim", None)]
        lab.learner.prepare(traces, KNOWS)
        # The failing request without the patch is the answer that failed; with it, it is new.
        assert [prompt.purpose for prompt in backend.prompts] == ["answer"] * 3 + ["gate"]
        assert lab.store.patches.count() == 0
        assert kinds(lab.learner.learn(traces[0], RED, KNOWS).events) == ["activated"]
        assert len(backend.prompts) == 4
        # What is known already needs no gate, and so nothing to prepare.
        asked = spent_in_all(lab) + lab.meter.spent["gate"].cache_hits
        lab.learner.prepare(traces, KNOWS)
        assert spent_in_all(lab) + lab.meter.spent["gate"].cache_hits == asked


def test_preparing_for_the_same_lesson_twice_asks_once(tmp_path: Path) -> None:
    with words_lab(tmp_path, Reader(varies=True)) as lab:
        traces = [judged(lab, "a zok", RED)] * 3
        lab.learner.prepare(traces, KNOWS)
        assert lab.meter.spent["gate"].calls == 11
        assert lab.meter.spent["gate"].cache_hits == 0


def test_an_outage_while_preparing_is_told_when_it_is_learned_from(tmp_path: Path) -> None:
    with words_lab(tmp_path, Reader(outage_at=1)) as lab:
        trace = judged(lab, "a zok", RED)
        lab.learner.prepare([trace])
        with pytest.raises(BackendUnavailable):
            lab.learner.learn(trace, RED)
        assert lab.store.patches.count() == 0


@pytest.mark.parametrize("goes_on", [True, False])
def test_a_proposer_that_asks_is_told_of_all_failures_and_may_end_the_preparation(
    tmp_path: Path, goes_on: bool
) -> None:
    told: list[str] = []

    class Asking(WordsProposer):
        def prepare(self, failures: Sequence[tuple[Trace, Feedback]]) -> bool:
            told.extend(trace.request for trace, _ in failures)
            return goes_on

    backend = Reader()
    with words_lab(tmp_path, backend) as lab:
        learner = Learner(Asking(), lab.gate, lab.lifecycle, lab.store.patches)
        learner.prepare([judged(lab, text, RED) for text in ("a blim", "a zok")], KNOWS)
        assert told == ["a blim", "a zok"]
        assert any(prompt.purpose == "gate" for prompt in backend.prompts) is goes_on


def test_a_proposer_that_fails_while_preparing_hides_no_other_lesson(tmp_path: Path) -> None:
    class Failing(WordsProposer):
        def propose(self, trace: Trace, feedback: Feedback) -> Proposal:
            if trace.request == "a blim":
                raise BackendError("refused")
            return super().propose(trace, feedback)

    backend = Reader()
    with words_lab(tmp_path, backend) as lab:
        learner = Learner(Failing(), lab.gate, lab.lifecycle, lab.store.patches)
        bad, good = judged(lab, "a blim", RED), judged(lab, "a zok", RED)
        learner.prepare([bad, good], KNOWS)
        assert backend.prompts[-1].purpose == "gate"
        with pytest.raises(BackendError, match="refused"):
            learner.learn(bad, RED)


# Several lessons of one request


@pytest.mark.parametrize("varies", [False, True])
def test_two_unknown_words_of_one_request_are_both_learned_from_its_one_failure(
    tmp_path: Path, varies: bool
) -> None:
    with words_lab(tmp_path, Reader(varies=varies)) as lab:
        events = learn(lab, "zok blim", RED)
        assert [(event.kind, event.trigger) for event in events] == [
            ("quarantined", "zok"),
            ("activated", "blim"),
            ("activated", "zok"),
        ]
        zok, blim = patch_of(lab, events[0]), patch_of(lab, events[1])
        assert zok.gate is not None
        assert (zok.gate.codes, zok.record.outcomes) == (("mends",), "+")
        assert zok.history[-1].cause.startswith("gated again beside the others: by the referee")
        assert {change.trace_id for change in (*zok.history, *blim.history)} == {"of zok blim"}
        # Each is needed: without it the request fails.
        for patch in (zok, blim):
            lab.lifecycle.disable(patch)
            assert KNOWS.judge("zok blim", lab.agent.answer("zok blim").output) != OK
            lab.lifecycle.enable(patch.model_copy(update={"status": Status.DISABLED}))
        assert KNOWS.judge("zok blim", lab.agent.answer("zok blim").output) == OK


def test_as_many_lessons_are_learned_of_one_request_as_are_allowed(tmp_path: Path) -> None:
    words = ("zok", "blim", "tarn", "quil")
    with words_lab(tmp_path / "a") as lab:
        learn(lab, " ".join(words[:MAX_LESSONS]), RED)
        active = {patch.trigger for patch in lab.store.patches.all(Status.ACTIVE)}
        assert active == set(words[:MAX_LESSONS])
    with words_lab(tmp_path / "b") as lab:
        events = learn(lab, " ".join(words[: MAX_LESSONS + 1]), RED)
        assert kinds(events) == ["quarantined"] * MAX_LESSONS
        assert lab.store.patches.active_count == 0


def test_a_lesson_waits_in_vain_for_another_that_does_not_hold(tmp_path: Path) -> None:
    def never_green(request: str, draw: str, answer: JsonObject) -> None:
        if "blim" in answer:
            answer["blim"] = None

    with words_lab(tmp_path, Reader(never_green)) as lab:
        events = learn(lab, "zok blim", RED)
        assert [(event.kind, event.trigger) for event in events] == [
            ("quarantined", "zok"),
            ("quarantined", "blim"),
        ]
        assert len(patch_of(lab, events[0]).history) == 1


def waits(lab: Lab, word: str, meaning: str, request: str) -> Patch:
    """A lesson that was kept out for want of another one."""
    patch = make_patch(word, meaning, status=Status.QUARANTINED, tests=(failing(request),))
    lab.store.patches.upsert(patch)
    return patch


def test_a_lesson_is_tried_beside_those_that_wait_which_are_gated_again_once_it_is_in(
    tmp_path: Path,
) -> None:
    with words_lab(tmp_path) as lab:
        zok = waits(lab, "zok", "red", "zok blim")
        # One on the same subject is no companion, but a rival.
        rival = waits(lab, "blim", "blue", "zok blim")
        trace = lab.agent.answer("zok blim", trace_id="t")
        said = Feedback(label="word_unknown", field="blim", detail="green")
        learned = lab.learner.learn(trace, said, KNOWS, waiting=[rival, zok])
        assert [(event.kind, event.trigger) for event in learned.events] == [
            ("activated", "blim"),
            ("activated", "zok"),
        ]
        assert (
            patch_of(lab, learned.events[1])
            .history[-1]
            .cause.startswith("gated again beside the others: ")
        )
        assert learned.corrected == {"zok": "red", "blim": "green"}
        assert lab.store.patches.statuses()[rival.id] is Status.QUARANTINED


def test_the_same_subject_is_not_taught_twice_by_one_failure(tmp_path: Path) -> None:
    class Complains:
        """Says first that a zok is red, and then that it is blue."""

        def judge(self, request: str, quote: JsonObject | None) -> Feedback:
            return Feedback(label="other", field="zok", detail="blue")

    with words_lab(tmp_path) as lab:
        events = learn(lab, "a zok", RED, Complains())
        assert kinds(events) == ["quarantined"]
        assert lab.store.patches.count() == 1


# When a patch that was kept out comes before the gate again


def test_the_same_failure_again_is_spared_and_counted(tmp_path: Path) -> None:
    with words_lab(tmp_path, backend := Reader(stubborn)) as lab:
        (first,) = learn(lab, "a zok", RED)
        calls = len(backend.prompts)
        for number in range(1, RECURRENCES + 2):
            (known,) = learn(lab, "a zok", RED)
            assert (known.kind, patch_of(lab, known).recurrences) == ("known", number)
        # It is always the same request, so there is nothing new to try.
        assert len(backend.prompts) == calls
        assert patch_of(lab, first).failing == ("a zok",)


def test_the_third_further_failure_of_the_same_cause_reopens_it(tmp_path: Path) -> None:
    with words_lab(tmp_path, Reader(stubborn)) as lab:
        kept_out = learn(lab, "a zok", RED)
        assert kinds(kept_out) == ["quarantined"]
        found = [learn(lab, f"{n} zok", RED) for n in ("one", "two", "six", "ten")]
        assert [kinds(events) for events in found] == [["known"], ["known"], ["regated"], ["known"]]
        patch = patch_of(lab, kept_out[0])
        assert patch.recurrences == 1
        assert patch.failing == ("one zok", "two zok", "six zok", "ten zok")


def test_want_of_evidence_is_met_by_the_next_request_that_fails_alike(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        # Nobody can judge the first one again, and a run's lessons are not taken on trust.
        (event,) = learn(lab, "a zok", RED, None)
        patch = patch_of(lab, event)
        assert (event.kind, patch.gate and patch.gate.codes) == ("quarantined", ("no_evidence",))
        assert kinds(learn(lab, "a zok", RED)) == ["known"]
        assert kinds(learn(lab, "the zok", RED, WordsReferee(unheard=["a zok"]))) == ["activated"]


def test_another_suite_reopens_a_decision(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        suite = [labeled(f"salt {n}", {"salt": "white"}) for n in range(9)]
        lab.gate.use_suite([labeled("zok one", {"zok": "blue"}), *suite])
        (event,) = learn(lab, "a zok", RED)
        gate = patch_of(lab, event).gate
        assert gate is not None
        assert gate.codes == ("contradicted",)
        assert kinds(learn(lab, "a zok", RED)) == ["known"]
        lab.gate.use_suite([labeled("zok one", {"zok": "red"}), *suite])
        assert kinds(learn(lab, "a zok", RED)) == ["activated"]


def test_a_rival_that_became_active_reopens_a_decision(tmp_path: Path) -> None:
    with words_lab(tmp_path, Reader(stubborn)) as lab:
        assert kinds(learn(lab, "a zok", RED)) == ["quarantined"]
        assert kinds(learn(lab, "a zok", RED)) == ["known"]
        lab.store.patches.upsert(make_patch("zok", "black"))
        assert kinds(learn(lab, "a zok", RED)) == ["regated"]


def test_the_origin_is_whoever_brings_the_lesson(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        trace = lab.agent.answer("a zok")
        (event,) = lab.learner.learn(trace, RED, origin=Origin.PERSON).events
        patch = patch_of(lab, event)
        assert patch.provenance.origin is Origin.PERSON
        assert patch.gate is not None
        assert patch.gate.codes == ("taken_on_trust",)
        assert patch.record == Record()


# Uses of active patches


def forgets(request: str, draw: str, answer: JsonObject) -> None:
    """Told what a feld is, the model no longer knows what salt is."""
    if answer.get("feld") and "salt" in answer:
        answer["salt"] = None


def used(lab: Lab, request: str, *, ok: bool, baseline_ok: bool) -> Trace:
    """A trace that was compared with the baseline, each judged as given."""
    trace = lab.agent.answer(request)
    wrong = Feedback(label="odd")
    compared = Judged(
        attempt=lab.agent.attempt(request, EMPTY, "0"), feedback=OK if baseline_ok else wrong
    )
    return trace.model_copy(update={"baseline": compared, "feedback": OK if ok else wrong})


def weigh(lab: Lab, trace: Trace, referee: Referee | None = KNOWS) -> list[str]:
    """What a judged use teaches, less that its complaint names no word."""
    events = lab.learner.learn(trace, trace.feedback or OK, referee).events
    return [event.kind for event in events if event.kind != "none"]


def active(lab: Lab, word: str, meaning: str = "red", outcomes: str = "+") -> Patch:
    seen = tuple(f"{word} {n}" for n in range(len(outcomes)))
    record = Record(outcomes=outcomes, seen=seen)
    patch = make_patch(word, meaning).model_copy(update={"record": record})
    lab.store.patches.upsert(patch)
    return patch


def record_of(lab: Lab, patch: Patch) -> Record:
    found = lab.store.patches.get(patch.id)
    assert found is not None
    return found.record


def test_a_use_that_turned_a_request_right_counts_for_the_patch(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        zok = active(lab, "zok")
        assert weigh(lab, used(lab, "one zok", ok=True, baseline_ok=False)) == []
        assert record_of(lab, zok).outcomes == "++"
        # Alike either way, or the same request: nothing new.
        for request, ok, baseline_ok in (
            ("one zok", True, False),
            ("two zok", True, True),
            ("six zok", False, False),
            ("salt", True, False),
        ):
            assert weigh(lab, used(lab, request, ok=ok, baseline_ok=baseline_ok)) == []
        assert record_of(lab, zok).outcomes == "++"


def test_uses_prove_a_patch_and_then_count_no_more_until_it_does_harm(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        zok = active(lab, "zok", outcomes="++++")
        assert weigh(lab, used(lab, "one zok", ok=True, baseline_ok=False)) == ["proven"]
        assert weigh(lab, used(lab, "two zok", ok=True, baseline_ok=False)) == []
        assert record_of(lab, zok).outcomes == "+++++"
        harmed = record_of(lab, zok).with_outcome(False, "x")
        lab.store.patches.upsert(zok.model_copy(update={"record": harmed}))
        weigh(lab, used(lab, "two zok", ok=True, baseline_ok=False))
        assert record_of(lab, zok).outcomes == "+++++-+"


@pytest.mark.parametrize("varies", [False, True])
def test_harm_counts_only_against_the_patch_that_did_it(tmp_path: Path, varies: bool) -> None:
    with words_lab(tmp_path, Reader(forgets, varies=varies)) as lab:
        guilty, innocent = active(lab, "feld", outcomes="+++"), active(lab, "gorm", outcomes="+++")
        trace = used(lab, "feld gorm salt", ok=False, baseline_ok=True)
        assert len(trace.applied) == 2
        assert weigh(lab, trace) == []
        assert record_of(lab, guilty).outcomes == "+++-"
        assert record_of(lab, innocent).outcomes == "+++"


def test_harm_is_confirmed_by_a_referee_or_not_counted(tmp_path: Path) -> None:
    with words_lab(tmp_path, backend := Reader(forgets, varies=True)) as lab:
        feld = active(lab, "feld", outcomes="+++")
        trace = used(lab, "feld salt", ok=False, baseline_ok=True)
        calls = len(backend.prompts)
        assert weigh(lab, trace, None) == []
        assert len(backend.prompts) == calls
        # It was chance: on fresh draws the request is right.
        backend.disturb = lambda request, draw, answer: None
        assert weigh(lab, trace) == []
        assert record_of(lab, feld).outcomes == "+++"


def test_a_patch_on_trial_is_convicted_and_its_rival_comes_back(tmp_path: Path) -> None:
    with words_lab(tmp_path, reader := Reader()) as lab:
        feld = active(lab, "feld", "blue")
        rival = make_patch("feld", "red", tests=()).with_failing("zok feld")
        beaten = rival.moved(Status.RETIRED, f"superseded by {feld.id}", "t-1", CLOCK)
        lab.store.patches.upsert(beaten)
        active(lab, "zok")

        # Only a feld that is red leaves salt alone, and a zok is what it should be beside it.
        def only_blue_harms(request: str, draw: str, answer: JsonObject) -> None:
            if answer.get("feld") == "blue" and "salt" in answer:
                answer["salt"] = None
            if not answer.get("feld") and "zok" in answer:
                answer["zok"] = None

        reader.disturb = only_blue_harms
        trace = used(lab, "feld salt", ok=False, baseline_ok=True)
        assert weigh(lab, trace) == ["convicted", "activated"]
        here = lab.store.patches.get(feld.id)
        assert here is not None
        assert here.status is Status.QUARANTINED
        assert here.tests[-1].role is Role.SPOILED
        assert here.tests[-1].request == "feld salt"
        assert here.tests[-1].taken == {"feld": None, "salt": "white", "length": 2}
        back = lab.store.patches.get(rival.id)
        assert back is not None
        assert back.status is Status.ACTIVE


def test_an_outage_while_harm_is_confirmed_is_told(tmp_path: Path) -> None:
    with words_lab(tmp_path, backend := Reader(varies=True)) as lab:
        active(lab, "feld")
        trace = used(lab, "feld salt", ok=False, baseline_ok=True)
        backend.outage_at = 0
        with pytest.raises(BackendUnavailable):
            weigh(lab, trace)


# A lesson that fails although it is shown


class HardOfHearing(Reader):
    """Where a request says `six`, it heeds a rule about zok only if the rule is said twice."""

    def complete(self, prompt: Prompt) -> Completion:
        told = super().complete(prompt)
        answer = json.loads(told.text)
        if "six" in answer and prompt.user.count('- "zok"') == 1:
            answer["zok"] = "grey"
        return told.model_copy(update={"text": json.dumps(answer)})


def test_a_lesson_that_fails_though_shown_is_put_in_the_form_that_does_better(
    tmp_path: Path,
) -> None:
    with words_lab(tmp_path, HardOfHearing()) as lab:
        (first,) = learn(lab, "a zok", RED)
        activated, superseded = learn(lab, "six zok", RED)
        assert (activated.kind, superseded.kind) == ("activated", "superseded")
        assert superseded.patch_id == first.patch_id
        patch = patch_of(lab, activated)
        assert (patch.form, patch.fix) == (Form.REPEATED, patch_of(lab, first).fix)
        assert patch.history[0].cause.startswith("tried in another form (repeated): ")
        assert lab.agent.answer("six zok").output == {"six": None, "zok": "red", "length": 2}


def test_a_form_that_does_no_better_is_kept_out_and_not_tried_again_in_vain(
    tmp_path: Path,
) -> None:
    backend = Reader(stubborn)
    with words_lab(tmp_path, backend) as lab:
        lab.store.patches.upsert(make_patch("zok"))
        told = learn(lab, "zok number", RED)
        assert kinds(told) == ["active_already", "quarantined"]
        assert patch_of(lab, told[1]).form is Form.REPEATED
        calls = len(backend.prompts)
        assert kinds(learn(lab, "zok number", RED)) == ["active_already"]
        assert len(backend.prompts) == calls
        assert patch_of(lab, told[0]).status is Status.ACTIVE


def test_a_lesson_stands_apart_only_from_others(tmp_path: Path) -> None:
    with words_lab(tmp_path, Reader(stubborn)) as lab:
        for word in ("zok", "blim"):
            lab.store.patches.upsert(make_patch(word, MEANINGS[word]))
        told = learn(lab, "zok blim", RED)
    forms = [Form.APART, Form.REPEATED]
    assert [patch_of(lab, each).form for each in told if each.kind == "quarantined"] == forms


def test_a_lesson_may_stand_apart_from_those_that_it_is_tried_beside(tmp_path: Path) -> None:
    with words_lab(tmp_path, Reader(stubborn)) as lab:
        for word in ("zok", "blim"):
            lab.store.patches.upsert(make_patch(word, MEANINGS[word]))
        tarn = waits(lab, "tarn", MEANINGS["tarn"], "zok blim tarn")
        trace = lab.agent.answer("zok blim tarn", trace_id="t")
        told = lab.learner.learn(trace, RED, KNOWS, waiting=[tarn]).events
        tried = [patch_of(lab, each) for each in told if each.trigger == "zok"]
        assert [each.form for each in tried if each.status is Status.QUARANTINED] == [
            Form.APART,
            Form.REPEATED,
        ]


def test_where_nobody_can_judge_a_form_none_is_tried(tmp_path: Path) -> None:
    with words_lab(tmp_path, Reader(stubborn)) as lab:
        lab.store.patches.upsert(make_patch("zok"))
        assert kinds(learn(lab, "zok number", RED, None)) == ["active_already"]


class Grader:
    """A referee that gives a score and names every wrong word, the first word first."""

    def judge(self, request: str, output: Output | None) -> Feedback:
        truth = {word: MEANINGS[word] for word in request.split() if word in MEANINGS}
        wrong = [word for word in truth if (output or {}).get(word) != truth[word]]
        faults = [Fault(label="word_unknown", field=w, detail=str(truth[w])) for w in wrong]
        return Feedback.of(faults, 1 - len(wrong) / len(truth)) if faults else OK


def graded(lab: Lab, request: str, referee: Referee | None = None) -> Learned:
    trace = lab.agent.answer(request, trace_id=f"of {request}")
    return lab.learner.learn(trace, Grader().judge(request, trace.output), referee or Grader())


def test_one_failure_teaches_a_lesson_for_each_fault(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        learned = graded(lab, "zok blim tarn")
        assert kinds(learned.events) == ["activated"] * 3
        assert [event.trigger for event in learned.events] == ["zok", "blim", "tarn"]
        assert [event.text for event in learned.events] == [
            "by the referee, 1 request gets better and none worse; on trial",
            "by the referee, 1 request gets better and none worse; on trial",
            "by the referee, 1 request gets better and none worse; on trial",
        ]
        assert learned.corrected is not None
        assert {word: learned.corrected[word] for word in ("zok", "blim", "tarn")} == {
            word: MEANINGS[word] for word in ("zok", "blim", "tarn")
        }


def test_a_fault_without_a_lesson_does_not_hide_the_next_one(tmp_path: Path) -> None:
    def stubborn_zok(request: str, draw: str, answer: JsonObject) -> None:
        if "zok" in answer:
            answer["zok"] = "grey"

    with words_lab(tmp_path, Reader(stubborn_zok)) as lab:
        learned = graded(lab, "zok blim")
        assert kinds(learned.events) == ["quarantined", "activated"]
        assert learned.corrected is None
        assert learned.improved is not None
        assert [c.field for c in learned.improved[1].complaints] == ["zok"]


def test_that_a_fault_teaches_nothing_is_not_told_where_another_does(tmp_path: Path) -> None:
    class Nameless:
        """Says of every answer that something is odd, and names no word for it."""

        def judge(self, request: str, output: Output | None) -> Feedback:
            unknown = Grader().judge("zok", output).wrong
            return Feedback.of([*unknown, Fault(label="odd")], 0.2 if unknown else 0.6)

    with words_lab(tmp_path) as lab:
        trace = lab.agent.answer("zok")
        learned = lab.learner.learn(trace, Nameless().judge("zok", trace.output), Nameless())
        assert kinds(learned.events) == ["activated"]
        assert learned.improved is not None
        assert learned.improved[1].label == "odd"


def test_faults_beyond_the_most_lessons_wait_for_the_next_failure(tmp_path: Path) -> None:
    words = sorted(set(MEANINGS) - {"salt"})[: MAX_LESSONS + 1]
    assert len(words) == MAX_LESSONS + 1
    with words_lab(tmp_path) as lab:
        assert len(graded(lab, " ".join(words)).events) == MAX_LESSONS
        assert [e.trigger for e in graded(lab, " ".join(words)).events] == words[-1:]


def compared(lab: Lab, request: str, output: JsonObject, baseline: JsonObject) -> Trace:
    trace = lab.agent.answer(request, trace_id=f"again {request}")
    attempt = trace.attempt.model_copy(update={"output": output})
    before = trace.attempt.model_copy(update={"output": baseline})
    judged = Judged(attempt=before, feedback=Grader().judge(request, baseline))
    return trace.model_copy(update={"attempt": attempt, "baseline": judged})


def test_a_better_use_speaks_for_the_lesson_that_it_is_due_to_alone(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        learned = graded(lab, "zok blim tarn")
        right = {word: MEANINGS[word] for word in ("zok", "blim", "tarn")}
        # Blim was right without its lesson, and is still.
        trace = compared(
            lab,
            "blim zok salt tarn",
            {**right, "tarn": "odd", "salt": "odd"},
            {"zok": "odd", "blim": right["blim"], "tarn": "odd", "salt": "odd"},
        )
        lab.learner.learn(trace, Grader().judge(trace.request, trace.output))
        records = {event.trigger: patch_of(lab, event).record for event in learned.events}
        assert {word: record.outcomes for word, record in records.items()} == {
            "zok": "++",
            "blim": "+",
            "tarn": "+",
        }
        assert records["zok"].in_part
        assert records["zok"].in_words == ("got better", "worse")


def test_a_lesson_that_spoils_its_own_word_is_found_out_though_the_answer_is_better(
    tmp_path: Path,
) -> None:
    reader = Reader()
    with words_lab(tmp_path, reader) as lab:
        graded(lab, "blim")
        wrong = make_patch("zok", "blue")
        lab.store.patches.upsert(wrong)

        def knows_zok(request: str, draw: str, answer: JsonObject) -> None:
            if answer.get("zok") is None:
                answer["zok"] = "red"

        request = "zok blim tarn"
        reader.disturb = knows_zok
        baseline: JsonObject = {"zok": "red", "blim": None, "tarn": None}
        output: JsonObject = {"zok": "blue", "blim": "green", "tarn": "blue"}
        trace = compared(lab, request, output, baseline)
        assert trace.baseline is not None
        feedback = Grader().judge(request, output)
        assert feedback.score > trace.baseline.feedback.score
        events = lab.learner.learn(trace, feedback, Grader()).events
        assert [(e.kind, e.patch_id) for e in events[:1]] == [("convicted", wrong.id)]
        spoiled = [t for t in patch_of(lab, events[0]).tests if t.role is Role.SPOILED]
        assert [(test.request, test.taken) for test in spoiled] == [(request, None)]
