"""Uses of examples: what counts for them, what counts against them, and which are withdrawn."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from patchlab_agent.agent.agent import EMPTY
from patchlab_agent.errors import BackendUnavailable
from patchlab_agent.gate.base import OpenGate
from patchlab_agent.gate.evidence import Referee
from patchlab_agent.lab.lab import Lab
from patchlab_agent.models.base import JsonObject, Output
from patchlab_agent.models.event import PatchEvent
from patchlab_agent.models.example import StoredExample
from patchlab_agent.models.prompt import Completion, Prompt
from patchlab_agent.models.trace import OK, Feedback, Judged, Trace
from tests.support.make import Nearest, make_patch, make_trace
from tests.support.words_skill import Reader, WordsReferee, words_lab

KNOWS = WordsReferee()
WRONG = Feedback(label="odd")
BAD, GOOD, OTHER = "t-0000001", "t-0000002", "t-0000003"
REQUESTS = {BAD: "a bad number", GOOD: "a good number", OTHER: "a fine number"}


class Misled(Reader):
    """Shown a bad example, it no longer knows what salt is; `beside` a lesson on feld alone."""

    beside = False

    def complete(self, prompt: Prompt) -> Completion:
        told = super().complete(prompt)
        shown = [message.content for message in prompt.messages[1:-1]]
        if any(" bad " in text for text in shown):
            answer: JsonObject = json.loads(told.text)
            if "salt" in answer and (not self.beside or answer.get("feld")):
                answer["salt"] = None
            return told.model_copy(update={"text": json.dumps(answer)})
        return told


def filled(folder: Path, backend: Reader | None = None) -> Lab:
    """A lab that shows three examples with each request, one of them bad."""
    lab = words_lab(folder, backend or Misled(), examples=3)
    for trace_id, request in REQUESTS.items():
        lab.store.traces.add(make_trace(trace_id, request, answer={"number": None}))
    lab.store.traces.flush()
    lab.agent.examples = Nearest(lab.store.examples)
    return lab


def used(lab: Lab, request: str, *, ok: bool, baseline_ok: bool) -> Trace:
    """A use that was compared with the baseline, each judged as given."""
    trace = lab.agent.answer(request, trace_id=f"q-{request}")
    compared = Judged(
        attempt=lab.agent.attempt(request, EMPTY, "0"), feedback=OK if baseline_ok else WRONG
    )
    return trace.model_copy(update={"baseline": compared, "feedback": OK if ok else WRONG})


def weigh(lab: Lab, trace: Trace, referee: Referee | None = KNOWS) -> list[PatchEvent]:
    """What a judged use teaches, less that its complaint names no word."""
    events = lab.learner.learn(trace, trace.feedback or OK, referee).events
    return [event for event in events if event.kind != "none"]


def example(lab: Lab, trace_id: str) -> StoredExample:
    return lab.store.examples.of_traces([trace_id])[trace_id]


def outcomes(lab: Lab) -> list[str]:
    return [example(lab, each).record.outcomes for each in REQUESTS]


def with_gains(lab: Lab, trace_id: str, gains: int) -> None:
    found = example(lab, trace_id)
    record = found.record
    for number in range(gains):
        record = record.with_outcome(True, f"gain {number}")
    lab.store.examples.update([found.model_copy(update={"record": record})])


def test_a_success_without_a_lesson_counts_for_each_example_that_was_shown(tmp_path: Path) -> None:
    with filled(tmp_path) as lab:
        for _ in range(2):
            assert weigh(lab, used(lab, "one salt", ok=True, baseline_ok=False)) == []
            assert outcomes(lab) == ["+", "+", "+"]
        # Alike either way, it tells nothing.
        weigh(lab, used(lab, "two salt", ok=True, baseline_ok=True))
        weigh(lab, used(lab, "six salt", ok=False, baseline_ok=False))
        assert outcomes(lab) == ["+", "+", "+"]


def test_an_answer_that_was_not_compared_tells_nothing(tmp_path: Path) -> None:
    with filled(tmp_path) as lab:
        for ok in (True, False):
            trace = used(lab, "one salt", ok=ok, baseline_ok=not ok)
            assert weigh(lab, trace.model_copy(update={"baseline": None})) == []
        assert outcomes(lab) == ["", "", ""]


def test_a_success_beside_a_lesson_counts_for_no_example(tmp_path: Path) -> None:
    with filled(tmp_path) as lab:
        lab.store.patches.upsert(make_patch("zok"))
        weigh(lab, used(lab, "one zok", ok=True, baseline_ok=False))
        assert outcomes(lab) == ["", "", ""]


@pytest.mark.parametrize("varies", [False, True])
def test_harm_counts_only_against_the_example_that_did_it_and_withdraws_it(
    tmp_path: Path, varies: bool
) -> None:
    with filled(tmp_path, Misled(varies=varies)) as lab:
        trace = used(lab, "one salt", ok=False, baseline_ok=True)
        assert sorted(trace.examples) == [BAD, GOOD, OTHER]
        [event] = weigh(lab, trace)
        reason = "1 request turned wrong by it, each confirmed by leaving it out, and 0 right"
        assert event == PatchEvent(kind="withdrawn", example_id=BAD, text=reason)
        assert outcomes(lab) == ["-", "", ""]
        assert example(lab, BAD).withdrawn == reason
        # It is not shown again, and the answer is right.
        assert sorted(lab.agent.answer("one salt").examples) == [GOOD, OTHER]
        assert lab.agent.answer("one salt").output == {"one": None, "salt": "white", "length": 2}


def test_the_whole_is_asked_once_and_each_example_left_out_once(tmp_path: Path) -> None:
    with filled(tmp_path, backend := Misled()) as lab:
        trace = used(lab, "one salt", ok=False, baseline_ok=True)
        calls = len(backend.prompts)
        weigh(lab, trace)
        # The whole is known from the answer itself.
        assert len(backend.prompts) - calls == 3
        assert lab.meter.spent["examples"].calls == 3
        assert [len(prompt.messages) for prompt in backend.prompts[calls:]] == [6, 6, 6]


def test_an_example_is_withdrawn_once_it_harms_as_often_as_it_helps(tmp_path: Path) -> None:
    with filled(tmp_path) as lab:
        with_gains(lab, BAD, 2)
        assert weigh(lab, used(lab, "one salt", ok=False, baseline_ok=True)) == []
        assert outcomes(lab) == ["++-", "", ""]
        # The same request again is no further harm.
        assert weigh(lab, used(lab, "one salt", ok=False, baseline_ok=True)) == []
        [event] = weigh(lab, used(lab, "two salt", ok=False, baseline_ok=True))
        assert event.text.startswith("2 requests turned wrong by it, each confirmed")
        assert outcomes(lab) == ["++--", "", ""]


def test_what_was_chance_counts_against_nothing(tmp_path: Path) -> None:
    with filled(tmp_path, backend := Reader(varies=True)) as lab:
        trace = used(lab, "one salt", ok=False, baseline_ok=True)
        calls = len(backend.prompts)
        assert weigh(lab, trace) == []
        assert len(backend.prompts) - calls == 1
        assert outcomes(lab) == ["", "", ""]


def test_what_is_wrong_without_each_example_counts_against_none(tmp_path: Path) -> None:
    def forgets(request: str, draw: str, answer: JsonObject) -> None:
        answer["salt"] = None

    for varies in (False, True):
        with filled(tmp_path / str(varies), Reader(forgets, varies=varies)) as lab:
            assert weigh(lab, used(lab, "one salt", ok=False, baseline_ok=True)) == []
            assert outcomes(lab) == ["", "", ""]


def test_harm_is_measured_beside_the_lessons_of_the_answer(tmp_path: Path) -> None:
    backend = Misled()
    backend.beside = True
    with filled(tmp_path, backend) as lab:
        feld = make_patch("feld")
        lab.store.patches.upsert(feld)
        trace = used(lab, "salt feld", ok=False, baseline_ok=True)
        assert trace.applied == (feld.id,)
        assert [event.example_id for event in weigh(lab, trace)] == [BAD]
        # The lesson, which is measured without examples, is not blamed.
        kept = lab.store.patches.get(feld.id)
        assert kept is not None
        assert kept.record.outcomes == ""


def test_harm_is_confirmed_by_a_referee_or_not_counted(tmp_path: Path) -> None:
    with filled(tmp_path, backend := Misled()) as lab:
        trace = used(lab, "one salt", ok=False, baseline_ok=True)
        calls = len(backend.prompts)
        assert weigh(lab, trace, None) == []
        assert len(backend.prompts) == calls
        assert weigh(lab, trace, WordsReferee(unheard=["one salt"])) == []
        assert outcomes(lab) == ["", "", ""]


def test_a_prompt_that_cannot_be_made_again_tells_nothing(tmp_path: Path) -> None:
    with filled(tmp_path, backend := Misled()) as lab:
        trace = used(lab, "one salt", ok=False, baseline_ok=True)
        other = trace.attempt.model_copy(update={"user_prompt": "of an older template"})
        assert weigh(lab, trace.model_copy(update={"attempt": other})) == []
        # An example or a lesson that is gone is no part of it either.
        lab.store.traces.add(make_trace(OTHER, REQUESTS[OTHER], feedback=WRONG))
        calls = len(backend.prompts)
        assert weigh(lab, trace) == []
        assert len(backend.prompts) == calls


def test_the_gate_may_be_off(tmp_path: Path) -> None:
    with filled(tmp_path) as lab:
        trace = used(lab, "one salt", ok=False, baseline_ok=True)
        lab.__dict__["gate"] = OpenGate()
        assert weigh(lab, trace) == []
        assert outcomes(lab) == ["", "", ""]


def test_an_outage_while_harm_is_confirmed_is_told(tmp_path: Path) -> None:
    with filled(tmp_path, backend := Misled(varies=True)) as lab:
        trace = used(lab, "one salt", ok=False, baseline_ok=True)
        backend.outage_at = 0
        with pytest.raises(BackendUnavailable):
            weigh(lab, trace)
        assert outcomes(lab) == ["", "", ""]


class Half:
    """A referee for which nothing is right throughout, and white salt is right by half."""

    def judge(self, request: str, output: Output | None) -> Feedback:
        is_white = output is not None and output.get("salt") == "white"
        return Feedback(label="odd", score=0.5 if is_white else 0.25)


@pytest.mark.parametrize("varies", [False, True])
def test_an_example_that_makes_an_answer_worse_in_part_is_withdrawn(
    tmp_path: Path, varies: bool
) -> None:
    with filled(tmp_path, Misled(varies=varies)) as lab:
        trace = used(lab, "one salt", ok=False, baseline_ok=False)
        assert trace.baseline is not None
        better = trace.baseline.model_copy(update={"feedback": Feedback(label="odd", score=0.5)})
        worse = Half().judge(trace.request, trace.output)
        assert worse.score == 0.25
        trace = trace.model_copy(update={"baseline": better, "feedback": worse})
        assert [event.example_id for event in weigh(lab, trace, Half())] == [BAD]
        assert outcomes(lab) == ["-", "", ""]
