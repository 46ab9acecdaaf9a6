"""Answers, feedback, and a product that calls its own model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from patchlab_agent.backends.base import ScriptedBackend
from patchlab_agent.errors import BackendUnavailable, InputError, PatchLabError, UsageError
from patchlab_agent.lab.lab import Lab
from patchlab_agent.lab.opening import open_lab
from patchlab_agent.lab.stored_lab import open_store
from patchlab_agent.models.listing import RequestContext
from patchlab_agent.models.patch import Origin, Status
from patchlab_agent.models.prompt import Prompt, Usage
from patchlab_agent.models.trace import INVALID_RESPONSE, OK, Feedback
from patchlab_agent.settings import RunSettings
from tests.lab.conftest import OpenLab
from tests.support.words_skill import CLOCK, Reader, WordFix, WordsReferee

RED = Feedback(label="word_unknown", field="zok", value=None, detail="red")


def own_model(context: RequestContext) -> str:
    """A product's own call: it sees the messages and nothing else."""
    prompt = Prompt(messages=context.messages, answer_schema=context.answer_schema, draw="0")
    return Reader().complete(prompt).text


def ids(lab: Lab) -> list[str]:
    """The ids of the stored traces, the oldest first."""
    return sorted(trace.id for trace in lab.traces.select())


def test_an_answer_is_a_stored_trace_that_nobody_has_judged(lab: Lab) -> None:
    trace = lab.answer("salt and zok")
    assert (trace.id, trace.index, trace.run) == ("t-0000000", 0, "answer")
    assert trace.output == {"salt": "white", "and": None, "zok": None, "length": 3}
    assert (trace.feedback, trace.baseline, trace.events) == (None, None, ())
    assert trace.at == CLOCK
    assert list(lab.traces.select()) == [trace]
    assert lab.traces.get(trace.id) == lab.traces.get(0) == lab.traces.get("0") == trace


def test_traces_are_numbered_in_one_row_whoever_made_them(
    lab: Lab, open_words: OpenLab, tmp_path: Path
) -> None:
    first = lab.answer("salt")
    second = lab.record("a zok", lab.context("a zok"), "{}")
    lab.run(RunSettings(runs=3, golden=0))
    lab.close()
    with open_words() as again:
        last = again.answer("tarn")
        assert ids(again) == [f"t-{number:07d}" for number in range(6)]
    assert (first.id, second.id, last.id) == ("t-0000000", "t-0000001", "t-0000005")
    assert last.index == 5


def test_what_is_answered_recorded_or_judged_is_on_disk_at_once(lab: Lab, tmp_path: Path) -> None:
    def beside() -> list[bool]:
        with open_store(tmp_path / "store") as store:
            return [trace.feedback is not None for trace in store.traces.select()]

    lab.answer("salt")
    assert beside() == [False]
    recorded = lab.record("a zok", lab.context("a zok"), '{"zok": null}')
    assert beside() == [False, False]
    lab.feedback(recorded.id, "word_unknown", field="zok", detail="red")
    assert beside() == [True, False]


@pytest.mark.parametrize("request_", ["", "   ", "x" * 2001, "a\x00zok", "a\x1b[31mzok"])
def test_a_request_that_cannot_be_used_is_refused_and_leaves_nothing(
    lab: Lab, request_: str
) -> None:
    for call in (lab.answer, lab.context):
        with pytest.raises(InputError, match="request"):
            call(request_)
    assert ids(lab) == []


def test_an_outage_stores_nothing_and_the_number_is_given_again(open_words: OpenLab) -> None:
    backend = Reader(outage_at=1)
    lab = open_words(backend=backend)
    lab.answer("salt")
    with pytest.raises(BackendUnavailable):
        lab.answer("a zok")
    backend.outage_at = None
    assert lab.answer("a zok").id == "t-0000001"
    assert ids(lab) == ["t-0000000", "t-0000001"]


def test_feedback_says_what_was_learned_and_what_it_replaced(lab: Lab) -> None:
    trace = lab.answer("a zok")
    report = lab.feedback(trace.id, "word_unknown", field="zok", detail="red")
    assert (report.trace_id, report.replaced, report.feedback) == (trace.id, None, RED)
    (event,) = report.events
    assert (event.kind, event.trigger, event.created) == ("activated", "zok", True)
    patch = lab.patches.get(event.patch_id or "")
    assert (patch.status, patch.provenance.origin) == (Status.ACTIVE, Origin.PERSON)
    assert patch.provenance.trace_id == trace.id
    stored = lab.traces.get(trace.id)
    assert (stored.feedback, stored.events) == (RED, report.events)
    again = lab.feedback(0, "OK")
    assert (again.replaced, again.feedback, again.events) == (RED, OK, ())
    # What the first one taught stays, and its events do.
    assert lab.traces.get(0).events == report.events
    assert lab.answer("one zok").output == {"one": None, "zok": "red", "length": 2}


def test_learning_from_a_trace_is_feedback_on_it(lab: Lab) -> None:
    trace = lab.answer("a zok")
    report = lab.learn(trace, RED, WordsReferee())
    assert [event.kind for event in report.events] == ["activated"]
    stored = lab.traces.get(trace.id)
    assert (stored.feedback, stored.events) == (RED, report.events)
    # The referee took an answer to the same request, so it may serve as an example.
    assert stored.corrected == {"a": None, "zok": "red"}


def test_a_referee_that_objects_keeps_a_lesson_out(lab: Lab) -> None:
    trace = lab.answer("a zok")
    report = lab.feedback(
        trace.id, "word_unknown", field="zok", detail="blue", referee=WordsReferee()
    )
    assert [event.kind for event in report.events] == ["quarantined"]
    assert lab.context("a zok").rules == ()


@pytest.mark.parametrize(
    ("arguments", "error", "problem"),
    [
        (("t-0000009", "OK"), InputError, "No trace has an id that starts with 't-0000009'"),
        ((9, "OK"), InputError, "No trace has an id that starts with '9'"),
        (("", "OK"), InputError, "No trace"),
        (("t-000000", "OK"), InputError, "2 traces have ids that start with"),
        ((0, "word_unknwon"), InputError, "did you mean word_unknown"),
        ((0, "word_unknown", "zokk"), InputError, "did you mean zok"),
        ((0, "word_unknown", None, "red"), UsageError, "--field"),
        ((0, "OK", "zok"), UsageError, "OK says that nothing is wrong"),
        ((0, "word_unknown", "zok", None, "red\nblue"), InputError, "one line"),
        ((1, "invalid_response", "zok"), InputError, "could not be read"),
    ],
)
def test_feedback_that_cannot_be_used_is_refused_and_changes_nothing(
    lab: Lab, arguments: tuple[Any, ...], error: type[PatchLabError], problem: str
) -> None:
    lab.answer("a zok")
    lab.record("salt", lab.context("salt"), "no answer")
    before = list(lab.traces.select())
    named, label, *rest = arguments
    given = dict(zip(("field", "value", "detail"), rest, strict=False))
    with pytest.raises(error, match=problem):
        lab.feedback(named, label, **given)
    assert list(lab.traces.select()) == before
    assert lab.contents.patches == 0


def test_labels_and_fields_are_found_however_they_are_written(lab: Lab) -> None:
    lab.answer("a zok")
    report = lab.feedback(0, " Word-Unknown ", field="ZOK", detail="red")
    assert report.feedback == RED


def test_an_outage_during_the_gate_keeps_the_feedback(open_words: OpenLab) -> None:
    lab = open_words(backend=Reader(outage_at=1), examples=0)
    lab.answer("a zok")
    with pytest.raises(BackendUnavailable):
        lab.feedback(0, "word_unknown", field="zok", detail="red")
    stored = lab.traces.get(0)
    assert (stored.feedback, stored.events) == (RED, ())
    assert lab.contents.patches == 0


def test_a_context_is_the_prompt_that_an_answer_would_get(open_words: OpenLab) -> None:
    backend = Reader()
    lab = open_words(backend=backend, examples=0)
    context = lab.context("a zok")
    assert (context.request, context.rules, context.examples) == ("a zok", (), ())
    assert backend.prompts == []
    lab.answer("a zok")
    assert context.messages == backend.prompts[0].messages
    assert context.answer_schema == backend.prompts[0].answer_schema
    assert [message.role for message in context.messages] == ["system", "user"]


def test_a_product_that_calls_its_own_model_is_served_and_learns(lab: Lab) -> None:
    context = lab.context("a zok")
    trace = lab.record("a zok", context, own_model(context), Usage(prompt_tokens=7, cost_usd=0.1))
    assert (trace.id, trace.run, trace.output) == (
        "t-0000000",
        "answer",
        {"a": None, "zok": None, "length": 2},
    )
    assert (trace.attempt.usage.prompt_tokens, trace.attempt.usage.cost_usd) == (7, 0.1)
    assert list(lab.traces.select()) == [trace]

    report = lab.feedback(trace.id, "word_unknown", field="zok", detail="red")
    assert [event.kind for event in report.events] == ["activated"]

    after = lab.context("one zok")
    assert after.rules == (WordFix(word="zok", meaning="red"),)
    assert '- "zok" means "red"' in after.messages[-1].content
    right = lab.record("one zok", after, own_model(after))
    assert right.output == {"one": None, "zok": "red", "length": 2}
    assert right.applied == (report.events[0].patch_id,)
    assert right.attempt.usage == Usage()
    assert lab.feedback(right.id, "ok").events == ()
    assert [listed.tally.uses for listed in lab.patches.select()] == [1]


def test_a_recorded_answer_is_an_example_once_it_is_accepted(open_words: OpenLab) -> None:
    lab = open_words(examples=3)
    context = lab.context("salt tarn")
    told = lab.record("salt tarn", context, '{"salt": "white", "tarn": "blue"}')
    assert lab.context("one tarn").examples == ()
    lab.feedback(told.id, "OK")
    (shown,) = lab.context("one tarn").examples
    assert (shown.id, shown.request) == (told.id, "salt tarn")
    assert shown.answer == {"salt": "white", "tarn": "blue"}


def test_a_recorded_trace_is_the_one_that_an_answer_would_be(lab: Lab) -> None:
    lab.learn(lab.answer("a zok"), RED)
    answered = lab.answer("one zok")
    context = lab.context("one zok")
    recorded = lab.record("one zok", context, answered.attempt.raw, answered.attempt.usage)
    told = {"id": recorded.id, "index": recorded.index}
    assert recorded == answered.model_copy(update=told)


@pytest.mark.parametrize("text", ["I do not know.", "", "[1, 2", "\x00"])
def test_an_unusable_text_is_recorded_as_an_answer_of_no_use(lab: Lab, text: str) -> None:
    trace = lab.record("a zok", lab.context("a zok"), text)
    assert (trace.output, trace.attempt.raw, trace.attempt.answer) == (None, text, None)
    assert trace.attempt.problem
    report = lab.feedback(trace.id, INVALID_RESPONSE)
    assert [event.kind for event in report.events] == ["none"]
    stored = lab.traces.get(trace.id)
    assert stored.feedback == Feedback(label=INVALID_RESPONSE)


@pytest.mark.parametrize("other", ["a zok ", "A zok", "salt"])
def test_the_context_of_another_request_is_refused(lab: Lab, other: str) -> None:
    with pytest.raises(UsageError, match="of another request"):
        lab.record(other, lab.context("a zok"), "{}")
    assert ids(lab) == []


def test_a_draw_leaves_lessons_out_of_contexts_and_recorded_uses_are_evidence(
    open_words: OpenLab,
) -> None:
    lab = open_words(examples=0, holdout=0.5)
    taught = lab.learn(lab.answer("a zok"), RED).events[0].patch_id
    seen: set[bool] = set()
    for number in range(60):
        request = f"zok number {number}"
        context = lab.context(request)
        trace = lab.record(request, context, own_model(context))
        assert trace.holdout == 0.5
        left_out = trace.held_out == (taught,)
        # Left out of the prompt, and marked; or in the prompt, and applied.
        assert left_out == (context.rules == ()) == (trace.applied == ())
        assert left_out == ("means" not in context.messages[-1].content)
        seen.add(left_out)
        lab.learn(trace, RED if left_out else OK)
    assert seen == {True, False}
    pairs = lab.patches.get(taught or "").record.pairs
    assert pairs.gained > 0
    assert pairs.lost == 0


def test_without_a_share_nothing_is_left_out(lab: Lab) -> None:
    lab.learn(lab.answer("a zok"), RED)
    contexts = [lab.context(f"zok number {number}") for number in range(30)]
    assert all(context.rules for context in contexts)
    assert {context.context.holdout for context in contexts} == {0.0}


def test_the_shipping_skill_serves_a_product_of_ones_own(tmp_path: Path) -> None:
    request = "Ship 2 kg bleach box to US"
    with open_lab(store=tmp_path / "s", noise=0) as lab:
        context = lab.context(request)
        assert context.messages[-1].content.startswith(f"Request: {json.dumps(request)}")
        assert set(context.answer_schema["required"]) >= {"weight", "declarations"}  # type: ignore[arg-type]
        raw = lab.answer(request).attempt.raw
        trace = lab.record(request, context, f"Here you are:\n```json\n{raw}\n```")
        assert trace.output is not None
        assert trace.output["price_eur"] == 23.6
        lab.feedback(trace.id, "hazmat_undeclared", field="declarations", detail="hazmat")
        (rule,) = lab.context("500 g of bleach in a crate to France").rules
        assert rule.model_dump() == {"kind": "restriction", "item": "bleach", "demand": "hazmat"}


def test_a_backend_of_ones_own_answers_through_the_front_door(tmp_path: Path) -> None:
    backend = ScriptedBackend(["not yet", '{"weight": 2'])
    with open_lab(store=tmp_path, backend=backend) as lab, pytest.raises(BackendUnavailable):
        lab.answer("Ship 2 kg books box to US")
    assert len(backend.history) == 3


def test_what_the_front_door_gives_is_frozen(lab: Lab) -> None:
    trace = lab.answer("a zok")
    context = lab.context("a zok")
    report = lab.learn(trace, RED)
    given: tuple[Any, ...] = (
        trace,
        context,
        report,
        *report.events,
        *lab.patches.select(),
        *lab.patches.search("zok"),
        lab.patches.show(report.events[0].patch_id or ""),
        *lab.patches.history(),
        *lab.traces.search("zok"),
        lab.contents,
        lab.regate(status=Status.ACTIVE),
        lab.run(RunSettings(runs=2, golden=0)),
    )
    for value in given:
        name = next(iter(type(value).model_fields))
        with pytest.raises(ValidationError, match="frozen"):
            setattr(value, name, None)
