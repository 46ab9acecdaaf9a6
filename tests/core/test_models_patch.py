"""Patches: identity, history, and what a gate test asks of a quote."""

from __future__ import annotations

import pytest
from pydantic import JsonValue, ValidationError

from patchlab_agent.models.base import Quote
from patchlab_agent.models.patch import (
    GateReport,
    PairedResult,
    Patch,
    Reason,
    Role,
    Status,
    agrees,
    close,
)
from tests.core.make import failing, make_patch
from tests.core.words_skill import WordFix


@pytest.mark.parametrize(
    ("expected", "actual", "agree"),
    [
        (100, 100.9, True),
        (100, 101.1, False),
        (-100, -100.5, True),
        (0, 0.0, True),
        (0, 0.001, False),
        (2, 2.0, True),
        (True, False, False),
        (True, True, True),
        ("a", "a", True),
        ("a", "A", True),
        ("a", "ab", False),
        (None, None, True),
        (None, 0, False),
        (1, None, False),
        (1, "1", False),
        ([], ["x"], True),
        (["x"], ["y", "x"], True),
        (["x", "y"], ["x"], False),
        (["x"], "x", False),
        (["x"], None, False),
        ([], None, False),
        ({"a": 1}, {"a": 1}, True),
    ],
)
def test_a_field_agrees(expected: JsonValue, actual: JsonValue, agree: bool) -> None:
    assert agrees(expected, actual) is agree


@pytest.mark.parametrize(
    ("expected", "actual", "near"),
    [(1.0, 1.0099, True), (1.0, 0.9901, True), (1.0, 1.0101, False), (1e-9, 1.02e-9, False)],
)
def test_numbers_are_close_to_one_percent_of_the_expected(
    expected: float, actual: float, near: bool
) -> None:
    assert close(expected, actual) is near


@pytest.mark.parametrize(
    ("quote", "passes"),
    [
        ({"zok": "red", "other": 1}, True),
        ({"zok": "blue"}, False),
        ({}, False),
        (None, False),
    ],
)
def test_a_gate_case_looks_at_its_own_fields_only(quote: Quote | None, passes: bool) -> None:
    assert failing("a zok", {"zok": "red"}).passes(quote) is passes


def test_no_expectation_is_met_by_any_quote_but_by_no_missing_one() -> None:
    assert failing("a zok", {}).passes({})
    assert not failing("a zok", {}).passes(None)


def test_the_same_lesson_is_one_patch_wherever_it_came_from() -> None:
    one = make_patch("zok")
    other = make_patch("zok", status=Status.RETIRED, tests=(failing("x", {}),))
    assert one.id == other.id


def test_another_trigger_or_fix_is_another_patch() -> None:
    ids = {
        make_patch("zok").id,
        make_patch("zok", "blue").id,
        make_patch("zok", trigger="zoks").id,
        make_patch("zok").model_copy(update={"skill": "other"}).id,
    }
    assert len(ids) == 4


def test_a_slot_names_the_subject_and_not_what_is_said_of_it() -> None:
    assert WordFix(word="Zok", meaning="red").slot == ("word", "zok")
    assert WordFix(word="zok", meaning="blue").slot == ("word", "zok")
    assert WordFix(word="blim", meaning="red").slot != ("word", "zok")


def test_moving_adds_to_the_history_and_leaves_the_old_patch_alone() -> None:
    patch = make_patch("zok")
    retired = patch.moved(Status.RETIRED, "superseded", "t-2", "later")
    assert (retired.status, retired.id) == (Status.RETIRED, patch.id)
    assert [(e.status, e.cause, e.trace_id, e.at) for e in retired.history] == [
        (Status.RETIRED, "superseded", "t-2", "later")
    ]
    assert patch.history == ()
    assert patch.status is Status.ACTIVE
    again = retired.moved(Status.ACTIVE, "gated again", "t-3", "later still")
    assert [event.status for event in again.history] == [Status.RETIRED, Status.ACTIVE]


def test_a_fix_keeps_its_own_fields_in_json() -> None:
    data = make_patch("zok", "red").model_dump(mode="json")
    assert data["fix"] == {"kind": "word", "word": "zok", "meaning": "red"}
    with pytest.raises(ValidationError):
        Patch.model_validate(data)


def report(*codes: str, broken: tuple[int, ...] = ()) -> GateReport:
    results = tuple(
        PairedResult(
            role=Role.REGRESSION,
            request="r",
            draws=5,
            passed_before=5,
            passed_after=5 - n,
            broken=n,
            changed=n,
        )
        for n in broken
    )
    return GateReport(
        decision=Status.QUARANTINED,
        reasons=tuple(Reason.model_validate({"code": code, "text": code}) for code in codes),
        results=results,
        suite_size=3,
        suite_touched=1,
        calls=2,
        full_calls=20,
        false_accept_rate=0.1,
        conditions="c",
    )


def test_a_gate_report_names_each_code_once_in_order() -> None:
    assert report("regression", "does_not_fix", "regression").codes == (
        "regression",
        "does_not_fix",
    )


def test_flips_are_summed_over_all_tests() -> None:
    assert report("regression", broken=(2, 0, 1)).flips == 3
    assert report("fixes").flips == 0


def test_a_gate_cannot_decide_to_retire() -> None:
    with pytest.raises(ValidationError):
        GateReport.model_validate({**report("fixes").model_dump(), "decision": "retired"})


def test_an_unknown_reason_is_refused() -> None:
    with pytest.raises(ValidationError):
        report("because")
