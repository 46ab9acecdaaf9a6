"""From a failure to a stored patch: each kind of event, and what is stored."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from patchlab_agent.errors import BackendError, BackendUnavailable
from patchlab_agent.gate import DRAWS
from patchlab_agent.learner import Learner
from patchlab_agent.models.base import JsonObject
from patchlab_agent.models.patch import PatchEvent, Proposal, Status
from patchlab_agent.models.trace import OK, Feedback, Trace
from patchlab_agent.wiring import Lab
from tests.core.make import listing, make_patch
from tests.core.words_skill import CLOCK, Reader, WordFix, WordsProposer, words_lab

RED = Feedback(label="word_unknown", field="zok", value=None, detail="red")
BLUE = Feedback(label="word_unknown", field="zok", value="red", detail="blue")


def learn(lab: Lab, request: str, feedback: Feedback) -> tuple[PatchEvent, ...]:
    return lab.learner.learn(lab.agent.answer(request, trace_id=f"of {request}"), feedback)


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
        assert lab.learner.learn(trace, OK) == ()
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
        assert patch.gate.codes == ("fixes",)
        (change,) = patch.history
        assert (change.status, change.trace_id, change.at) == (Status.ACTIVE, "of a zok", CLOCK)
        assert change.cause.startswith("new: ")
        assert lab.agent.answer("a zok").quote == {"a": None, "zok": "red", "length": 2}


def test_a_lesson_that_is_active_already_is_not_learned_again(tmp_path: Path) -> None:
    backend = Reader()
    with words_lab(tmp_path, backend) as lab:
        learn(lab, "a zok", RED)
        before = list(lab.store.patches.all())
        trace = lab.agent.answer("one zok")
        calls = len(backend.prompts)
        assert kinds(lab.learner.learn(trace, RED)) == ["active_already"]
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
        calls, hits = len(backend.prompts), lab.meter.calls
        (known,) = lab.learner.learn(trace, RED)
        assert (known.kind, known.patch_id) == ("known", patch.id)
        assert "quarantined already, and nothing has changed" in known.text
        assert (len(backend.prompts), lab.meter.calls) == (calls, hits)
        assert lab.store.patches.get(patch.id) == patch


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
        events = learn(lab, "a zok", BLUE)
        assert kinds(events) == ["activated", "superseded"]
        assert events[1].patch_id == old.patch_id
        retired = lab.store.patches.get(old.patch_id or "")
        assert retired is not None
        assert retired.status is Status.RETIRED
        assert retired.history[-1].cause == f"superseded by {events[0].patch_id}"
        assert lab.agent.answer("a zok").quote == {"a": None, "zok": "blue", "length": 2}
        assert {patch.trigger for patch in lab.store.patches.all(Status.ACTIVE)} == {"zok", "blim"}


def test_a_retired_lesson_comes_back_when_it_is_true_again(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        (first,) = learn(lab, "a zok", RED)
        learn(lab, "a zok", BLUE)
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
            lab.learner.learn(trace, RED)
        assert lab.store.patches.count() == 0
        assert listing(tmp_path) == before
        backend.outage_at = None
        assert kinds(lab.learner.learn(trace, RED)) == ["activated"]


def judged(lab: Lab, request: str, feedback: Feedback | None) -> Trace:
    return lab.agent.answer(request).model_copy(update={"feedback": feedback})


def test_what_is_prepared_is_learned_without_another_call(tmp_path: Path) -> None:
    backend = Reader()
    with words_lab(tmp_path, backend) as lab:
        traces = [judged(lab, "a zok", RED), judged(lab, "a salt", OK), judged(lab, "a blim", None)]
        lab.learner.prepare(traces)
        # The failing request without the patch is the answer that failed; with it, it is new.
        assert [prompt.purpose for prompt in backend.prompts] == ["answer"] * 3 + ["gate"]
        assert lab.store.patches.count() == 0
        assert kinds(lab.learner.learn(traces[0], RED)) == ["activated"]
        assert len(backend.prompts) == 4
        # What is known already needs no gate, and so nothing to prepare.
        asked = lab.meter.calls + lab.meter.spent["gate"].cache_hits
        lab.learner.prepare(traces)
        assert lab.meter.calls + lab.meter.spent["gate"].cache_hits == asked


def test_preparing_for_the_same_lesson_twice_asks_once(tmp_path: Path) -> None:
    with words_lab(tmp_path, Reader(varies=True)) as lab:
        traces = [judged(lab, "a zok", RED)] * 3
        lab.learner.prepare(traces)
        assert lab.meter.spent["gate"].calls == 2 * DRAWS
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
        learner = Learner(Asking(), lab.gate, lab.curator, lab.store.patches)
        learner.prepare([judged(lab, text, RED) for text in ("a blim", "a zok")])
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
        learner = Learner(Failing(), lab.gate, lab.curator, lab.store.patches)
        bad, good = judged(lab, "a blim", RED), judged(lab, "a zok", RED)
        learner.prepare([bad, good])
        assert backend.prompts[-1].purpose == "gate"
        with pytest.raises(BackendError, match="refused"):
            learner.learn(bad, RED)
