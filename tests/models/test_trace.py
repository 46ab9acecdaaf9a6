"""Prompts, feedback, contexts and traces."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from patchlab_agent.models.base import JsonObject
from patchlab_agent.models.report import RunReport
from patchlab_agent.models.trace import (
    OK,
    Context,
    Example,
    Fault,
    Feedback,
    RetrievedRef,
    Trace,
    trace_index,
    trace_name,
)
from tests.support.make import WRONG, make_hit, make_patch, make_trace
from tests.support.words_skill import WordFix

pytestmark = pytest.mark.quick


@pytest.mark.parametrize(
    ("feedback", "text"),
    [
        (OK, "OK"),
        (Feedback(label="x"), "x"),
        (Feedback(label="x", field="unit", value="lb"), "x unit='lb'"),
        (Feedback(label="x", field="unit", value=None, detail="why"), "x unit=None (why)"),
        (Feedback(label="x", detail="why"), "x (why)"),
        (Feedback(detail="all is well"), "OK"),
    ],
)
def test_feedback_as_text(feedback: Feedback, text: str) -> None:
    assert str(feedback) == text


def test_feedback_without_label_is_ok() -> None:
    assert OK.ok
    assert Feedback(detail="fine").ok
    assert not Feedback(label="x").ok


def test_only_patches_whose_trigger_occurs_are_applied_in_order() -> None:
    near, far, absent = (make_patch(word) for word in ("zok", "blim", "tarn"))
    context = Context(
        retrieved=(make_hit(near), make_hit(absent, occurs=False), make_hit(far, 0.9)),
        given=(WordFix(word="quil", meaning="black"),),
    )
    assert context.applied == (near, far)


def test_fixes_stand_in_one_order_wherever_they_come_from() -> None:
    words = ("zok", "blim", "tarn", "quil")
    patches = [make_patch(word, "red") for word in words]
    for cut in range(len(words) + 1):
        context = Context(
            retrieved=tuple(map(make_hit, patches[:cut])),
            given=tuple(patch.fix for patch in patches[cut:]),
        )
        assert [fix.subject_key[1] for fix in context.fixes] == sorted(words)


def test_an_empty_context_teaches_nothing() -> None:
    assert Context().fixes == ()


def test_a_trace_names_what_was_applied_not_what_was_merely_retrieved() -> None:
    refs = tuple(
        RetrievedRef(patch_id=name, trigger=name, distance=0.2, applied=name != "b")
        for name in "abc"
    )
    trace = make_trace().model_copy(update={"retrieved": refs})
    assert trace.applied == ("a", "c")


@pytest.mark.parametrize(("feedback", "ok"), [(OK, True), (WRONG, False), (None, False)])
def test_a_trace_is_ok_only_once_it_was_judged_so(feedback: Feedback | None, ok: bool) -> None:
    assert make_trace(feedback=feedback).ok is ok


def test_a_traces_quote_is_the_patched_one() -> None:
    assert make_trace().output == {"zok": "red"}


def test_a_trace_survives_json_unchanged() -> None:
    trace = make_trace(applied=("p",), baseline=WRONG, ceiling=OK, feedback=WRONG)
    assert Trace.model_validate_json(trace.model_dump_json()) == trace


def test_a_report_carries_its_schemas_version() -> None:
    assert RunReport.model_fields["schema_version"].default == 6


def test_an_example_keeps_its_rules_own_fields_in_json() -> None:
    shown = Example(request="a zok", answer={}, rules=(WordFix(word="zok", meaning="red"),))
    assert shown.model_dump(mode="json")["rules"] == [
        {"kind": "word", "word": "zok", "meaning": "red"}
    ]


def test_feedback_scores_as_its_verdict_unless_the_judge_says_how_much_is_right() -> None:
    assert (OK.score, Feedback(label="odd").score) == (1.0, 0.0)
    assert OK.model_dump() == {"label": None, "field": None, "value": None, "detail": ""}
    assert "score" not in Feedback(label="odd").model_dump()
    faults = (Fault(label="a", field="x", detail="1"), Fault(label="b", field="y", score=0.5))
    told = Feedback.of(faults, 0.25)
    assert (told.label, told.field, told.detail, told.is_partly_right) == ("a", "x", "1", True)
    assert Feedback.model_validate_json(told.model_dump_json()) == told
    assert [(c.label, c.score, c.wrong) for c in told.complaints] == [
        ("a", 0.25, faults[:1]),
        ("b", 0.25, faults[1:]),
    ]
    assert [told.score_in(*it) for it in (("a", "x"), ("b", "y"), ("c", None))] == [0, 0.5, 1]
    plain = Feedback(label="a", field="x")
    assert (plain.complaints, OK.complaints) == ((plain,), ())
    assert (plain.score_in("a", "x"), OK.score_in("a", "x")) == (0, 1)


@pytest.mark.parametrize(
    "told", [{"score": 0.5}, {"wrong": [{"label": "a"}]}, {"label": "a", "score": 1.0}]
)
def test_score_and_verdict_of_feedback_agree(told: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="scores"):
        Feedback.model_validate(told)


def test_a_traces_position_is_in_its_name() -> None:
    assert trace_name(41) == "t-0000041"
    assert [trace_index(name) for name in ("t-0000041", "t-12345678", "run-0001:3")] == [
        41,
        12345678,
        -1,
    ]


def test_the_right_answer_is_the_accepted_one_or_what_was_accepted_later() -> None:
    given: JsonObject = {"zok": "red"}
    later: JsonObject = {"zok": "blue"}
    wrong = make_trace(feedback=WRONG, answer=given)
    assert make_trace(answer=given).right_answer == given
    assert wrong.right_answer is None
    assert wrong.model_copy(update={"corrected": later}).right_answer == later


def test_a_context_without_an_example_has_all_the_others() -> None:
    one, other = (Example(id=name, request=name, answer={}) for name in ("one", "other"))
    context = Context(retrieved=(make_hit(make_patch("zok")),), examples=(one, other))
    left = context.without_example("one")
    assert (left.examples, left.retrieved) == ((other,), context.retrieved)
    assert context.without_example("none") == context


def test_all_that_was_found_wrong_is_told_the_first_complaint_first() -> None:
    assert make_trace(feedback=None).faults == ()
    assert make_trace(feedback=OK).faults == ()
    later = Feedback(label="later")
    trace = make_trace(feedback=WRONG).model_copy(update={"further": (later,)})
    assert trace.faults == (WRONG, later)


def test_unless_a_draw_was_made_none_is_told() -> None:
    assert (Context().holdout, make_trace().holdout) == (0.0, 0.0)
