"""Patches: identity, history, and whether a quote agrees with one."""

from __future__ import annotations

import pytest
from pydantic import JsonValue, ValidationError

from patchlab_agent.models.base import Output
from patchlab_agent.models.evidence import Record, Standing
from patchlab_agent.models.patch import (
    MAX_FAILING,
    ROLLED_BACK,
    SUPERSEDED_BY,
    Form,
    Origin,
    Patch,
    Role,
    Status,
    agrees,
    close,
)
from patchlab_agent.models.trigger import Similar
from tests.support.make import failing, make_patch, make_report, obedience, spoiled
from tests.support.words_skill import WordFix

pytestmark = pytest.mark.quick


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
        # Truth is no number, although Python takes it for one.
        (True, 1, False),
        (0, False, False),
        ("a", "a", True),
        ("a", "A", True),
        ("a", "ab", False),
        (None, None, True),
        (None, 0, False),
        (1, None, False),
        (1, "1", False),
        ([], ["x"], False),
        (["x"], ["y", "x"], False),
        (["x", "y"], ["y", "x"], True),
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
    ("quote", "holds"),
    [
        ({"zok": "red", "other": 1}, True),
        ({"zok": "blue"}, False),
        ({"zok": None}, False),
        ({"other": 1}, None),
        ({}, None),
    ],
)
def test_a_fix_holds_in_a_quote_or_not_or_has_no_say_in_it(
    quote: Output, holds: bool | None
) -> None:
    assert WordFix(word="zok", meaning="red").holds_in(quote) is holds


def test_a_kind_of_fix_that_says_nothing_of_itself_is_a_rule_for_requests_with_its_phrase() -> None:
    assert WordFix.is_rule
    assert WordFix.needs_phrase
    assert WordFix.shows_in_answers


def test_the_same_lesson_is_one_patch_wherever_it_came_from() -> None:
    one = make_patch("zok")
    other = make_patch("zok", status=Status.RETIRED, tests=(failing("x"),))
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
    assert WordFix(word="Zok", meaning="red").subject_key == ("word", "zok")
    assert WordFix(word="zok", meaning="blue").subject_key == ("word", "zok")
    assert WordFix(word="blim", meaning="red").subject_key != ("word", "zok")


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


def test_a_patch_is_tested_on_the_latest_failures_and_on_all_else_that_it_was() -> None:
    others = (obedience("one zok"), spoiled("zok salt", {"salt": "white"}))
    patch = make_patch("zok", tests=(failing("zok 0"), *others))
    for number in range(1, MAX_FAILING + 2):
        patch = patch.with_failing(f"zok {number}")
    assert patch.failing == tuple(f"zok {n}" for n in range(2, MAX_FAILING + 2))
    assert patch.tests[-2:] == others
    assert {test.role for test in patch.tests[:-2]} == {Role.FAILING}
    # One that comes again is the latest, and still there once.
    again = patch.with_failing("zok 3")
    assert again.failing == ("zok 2", "zok 4", "zok 5", "zok 3")
    assert again.id == patch.id


def test_only_an_active_patch_has_a_standing() -> None:
    assert make_patch("zok").standing is Standing.TRIAL
    for status in (Status.QUARANTINED, Status.RETIRED, Status.DISABLED):
        assert make_patch("zok", status=status).standing is None


def test_who_superseded_a_patch_is_read_off_its_last_event() -> None:
    patch = make_patch("zok")
    assert patch.superseded_by is None
    retired = patch.moved(Status.RETIRED, f"{SUPERSEDED_BY}abc", "t-2", "later")
    assert retired.superseded_by == "abc"
    assert retired.moved(Status.ACTIVE, "enabled by hand", "", "x").superseded_by is None
    assert patch.moved(Status.RETIRED, "retired by hand", "", "x").superseded_by is None
    back = patch.moved(Status.RETIRED, f"{ROLLED_BACK}run-0001: {SUPERSEDED_BY}abc", "", "x")
    assert back.superseded_by == "abc"
    # A request that a cause quotes says nothing of the kind.
    for cause in (f"new: wrong is '{SUPERSEDED_BY}abc", f"{ROLLED_BACK}x: {SUPERSEDED_BY}abc"):
        assert patch.moved(Status.RETIRED, cause, "", "x").superseded_by is None


def test_states_of_a_patch_differ_in_all_but_their_histories() -> None:
    patch = make_patch("zok")
    assert patch.differences(patch.moved(Status.ACTIVE, "new", "t-1", "now")) == ()
    other = patch.with_failing("a zok").model_copy(update={"gate": make_report("mends")})
    assert patch.differences(other) == other.differences(patch) == ("tests", "gate")
    retired = [
        patch.moved(Status.RETIRED, f"{SUPERSEDED_BY}{winner}", "t-1", "now") for winner in "ab"
    ]
    assert retired[0].differences(retired[1]) == ("superseded_by",)
    assert patch.differences(retired[0]) == ("status", "superseded_by")


def test_a_patch_names_who_brought_it_unless_a_model_proposed_it() -> None:
    patch = make_patch("zok")
    assert patch.provenance.origin is Origin.STREAM
    assert patch.brought_by(Origin.PERSON).provenance.origin is Origin.PERSON
    proposed = patch.brought_by(Origin.MODEL)
    assert proposed.brought_by(Origin.PERSON) == proposed
    assert proposed.id == patch.id


def test_a_patch_with_its_decision_reads_back_as_it_was() -> None:
    patch = make_patch("zok", tests=(failing("a zok"), spoiled("zok salt", {"salt": "white"})))
    patch = patch.model_copy(update={"gate": make_report("mends")})
    data = patch.model_dump(mode="json")
    assert Patch.model_validate({**data, "fix": patch.fix}) == patch


def test_the_same_lesson_in_another_form_or_for_other_requests_is_another_patch() -> None:
    forms = [make_patch("zok").model_copy(update={"form": form}) for form in Form]
    assert len({patch.id for patch in forms}) == len(Form)
    assert {patch.conflict_key for patch in forms} == {("word", "zok")}
    # Where both of two groups concern a request, the nearer lesson speaks: no conflict.
    near, far = (
        make_patch("zok").model_copy(update={"trigger": Similar(requests=(text,))})
        for text in ("a zok", "one zok")
    )
    assert near.conflict_key[:2] == far.conflict_key[:2] == ("word", "zok")
    assert near.conflict_key != far.conflict_key
    wider = near.model_copy(update={"trigger": Similar(requests=("a zok",), radius=0.3)})
    assert (wider.id, wider.conflict_key) == (near.id, near.conflict_key)


def test_a_patch_from_another_store_names_no_trace_and_starts_from_nothing() -> None:
    record = Record().with_outcome(True, "a zok")
    known = make_patch("zok").model_copy(update={"record": record})
    known = known.moved(Status.ACTIVE, "new", "t-3", "2025-01-01")
    brought = known.brought_from("theirs")
    assert (brought.id, brought.status, brought.record) == (known.id, Status.ACTIVE, Record())
    born = brought.provenance
    assert (born.origin, born.source, born.trace_id) == (Origin.IMPORT, "theirs", "")
    assert [(each.trace_id, each.elsewhere) for each in brought.history] == [("", "t-3")]
    # Handed on, it keeps the name of where it came from first, and of the trace there.
    again = brought.brought_from("ours")
    assert again.provenance.source == "theirs"
    assert again.history == brought.history


def test_patches_are_told_apart_by_when_they_changed_last() -> None:
    early = make_patch("zok").moved(Status.ACTIVE, "new", "t-1", "2025-01-01")
    late = early.moved(Status.RETIRED, "by hand", "", "2025-01-02")
    other = make_patch("blim").moved(Status.ACTIVE, "new", "t-2", "2025-01-02")
    assert sorted([late, other, early], key=lambda patch: patch.since) == [early, late, other]
    # Those of one import came at the same time, in the order of their traces elsewhere.
    moment = "2025-01-03"
    first, second = (
        make_patch(word).moved(Status.ACTIVE, "new", trace, moment).brought_from("theirs")
        for word, trace in (("tarn", "t-1"), ("blim", "t-2"))
    )
    assert first.since < second.since


def test_lessons_on_different_groups_of_similar_requests_do_not_conflict() -> None:
    zok = make_patch("zok")

    def like(*requests: str, radius: float = 0.0) -> Patch:
        return zok.model_copy(update={"trigger": Similar(requests=requests, radius=radius)})

    assert like("a zok").conflict_key != like("the zok").conflict_key
    assert like("a zok").conflict_key == like("a zok", radius=0.3).conflict_key
    assert like("a zok").conflict_key[:-1] == zok.conflict_key == zok.fix.conflict_key
    assert like("a zok").id == like("a zok", radius=0.3).id != zok.id
