"""Where there is nothing to learn: the proposer's reasons, and odd feedback."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patchlab_agent.models.trace import Feedback
from patchlab_agent.shipping.carrier import LABELS
from patchlab_agent.shipping.schema import Declaration, ShippingQuote
from patchlab_agent.text import occurs
from tests.shipping.helpers import REQUEST, as_json, proposed, quote
from tests.shipping.lessons import EMBARGO, LB, LIQUID, NO_WEIGHT, OVERWEIGHT, PROHIBITED, Changes


def reason(request: str, changes: Changes, label: str, detail: str) -> str:
    found = proposed(request, as_json(quote(**changes)), Feedback(label=label, detail=detail))
    assert found.patch is None
    return found.reason


NO_WORD = "no word of the request names what went wrong"
NO_NUMBER = "the feedback's detail gives no number to learn"
NO_WEIGHT_NAMED = "the answer names no weight to infer the unit from"
NO_UNIT_NAMED = "the answer names no unit to infer the weight from"
MISREAD = "the answer's number is not the request's, so it was misread"
NOTHING_DECLARED = "the feedback's detail names nothing that the quote declares"
ASKED = "the sender asked for it: no rule is at fault"
OVERDECLARED: Changes = {"declarations": ["hazmat"]}
NO_CODE = "the feedback's detail gives no country code to learn"


@pytest.mark.parametrize(
    ("label", "request_text", "changes", "detail", "why"),
    [
        ("item_unknown", REQUEST, {"item": None}, "tent: outdoor", NO_WORD),
        ("item_unknown", REQUEST, {"item": "unicorn"}, "outdoor", NO_WORD),
        ("item_unknown", "Ship the 2 kg box to US", {"item": "the"}, "print", NO_WORD),
        ("item_unknown", "Ship 2 kg ginger box", {"item": "gin"}, "liquid", NO_WORD),
        ("item_unknown", "Ship x" + 41 * "x", {"item": "x" * 42}, "print", NO_WORD),
        ("item_unknown", REQUEST, {}, "", "the feedback's detail says nothing to learn"),
        ("item_unknown", REQUEST, {}, " \n", "the feedback's detail says nothing to learn"),
        ("item_unknown", REQUEST, {}, "a b c d e", "the feedback makes no fix: "),
        ("weight_missing", REQUEST, NO_WEIGHT, "2 kg on the scale", NO_WORD),
        ("weight_missing", REQUEST, NO_WEIGHT, "heavy", NO_NUMBER),
        ("weight_missing", REQUEST, {**NO_WEIGHT, "unit": None}, "2 kg", NO_UNIT_NAMED),
        ("weight_missing", REQUEST, {**NO_WEIGHT, "kg_per_unit": None}, "2 kg", NO_UNIT_NAMED),
        ("weight_missing", REQUEST, NO_WEIGHT, "1.7 kg", "1.7 is not a number that people write"),
        ("weight_missing", REQUEST, NO_WEIGHT, "0.01 kg", "0.01 is not a number that people write"),
        (
            "unit_unknown",
            "Ship 2 lb",
            {**LB, "weight": None},
            "0.9 kg on the scale",
            NO_WEIGHT_NAMED,
        ),
        ("unit_unknown", "Ship 2 lb", LB, "less than a kilo", NO_NUMBER),
        ("unit_unknown", "Ship 2 lb", {**LB, "unit": None}, "0.45", NO_WORD),
        ("unit_unknown", "Ship 2 lb", LB, "0", "the feedback makes no fix: "),
        ("unit_unknown", "Ship 2 lb", LB, "1e999", "the feedback"),
        ("weight_mismatch", REQUEST, NO_WEIGHT, "2 kg", NO_WEIGHT_NAMED),
        ("weight_mismatch", REQUEST, {}, "", NO_NUMBER),
        ("weight_mismatch", REQUEST, {"unit": None}, "2 kg", NO_WORD),
        ("weight_mismatch", "Ship 0.25 lb", {**LB, "weight": 12.0}, "0.1 kg", MISREAD),
        ("unit_unknown", "Ship 3 lb", LB, "1.36 kg on the scale", MISREAD),
        ("parcel_unknown", REQUEST, {}, "up to five kg", NO_NUMBER),
        ("parcel_unknown", REQUEST, {"parcel": None}, "5 kg", NO_WORD),
        ("overweight_parcel", REQUEST, {}, "too heavy", NO_NUMBER),
        ("unit_unknown", "Ship 2 lb", LB, "lb", "the request itself says 'lb'"),
        ("unit_unknown", "Ship 2 lb or kg", LB, "kg", "the request itself says 'kg'"),
        ("unit_unknown", "Ship 2 lb", LB, "gallon", NO_NUMBER),
        ("destination_unknown", REQUEST, {}, "Ruritania", NO_CODE),
        ("destination_unknown", REQUEST, {}, "XX", NO_CODE),
        ("destination_unknown", REQUEST, {}, "IT or DE", NO_CODE),
        ("destination_unknown", REQUEST, {}, "840", NO_CODE),
        ("destination_unknown", REQUEST, {}, "Congo", NO_CODE),
        ("destination_unknown", REQUEST, {}, "", NO_CODE),
        ("destination_unknown", REQUEST, {"destination": None}, "DE", NO_WORD),
        ("embargo_destination", REQUEST, {"destination": None}, "", NO_WORD),
        ("prohibited_item", REQUEST, {"item": None}, "", NO_WORD),
        ("liquid_restricted", REQUEST, {"item": None}, "", NO_WORD),
        ("liquid_restricted", REQUEST, {"category": "liquid", "parcel": None}, "", NO_WORD),
        ("overdeclared", REQUEST, OVERDECLARED, "", "the feedback's detail says nothing to learn"),
        ("overdeclared", REQUEST, OVERDECLARED, "too much", NOTHING_DECLARED),
        ("overdeclared", REQUEST, OVERDECLARED, "books: not fragile", NOTHING_DECLARED),
        ("overdeclared", REQUEST + ", hazmat", OVERDECLARED, "books: not hazmat", ASKED),
        ("overdeclared", REQUEST, {**OVERDECLARED, "item": None}, "hazmat", NO_WORD),
        ("wrong_refusal", REQUEST, {}, "US: no embargo", "the quote refuses nothing"),
        ("wrong_refusal", REQUEST, {**PROHIBITED, "item": None}, "", NO_WORD),
        ("wrong_refusal", REQUEST, {**EMBARGO, "destination": None}, "", NO_WORD),
        ("wrong_refusal", REQUEST, {**LIQUID, "parcel": None}, "", NO_WORD),
        ("wrong_refusal", REQUEST, OVERWEIGHT, "it fits", NO_NUMBER),
        ("late_delivery", REQUEST, {}, "2 days", "no fix is known for late_delivery"),
        ("invalid_response", REQUEST, {}, "", "no fix is known for invalid_response"),
    ],
)
def test_where_there_is_nothing_to_learn_the_reason_is_given(
    label: str, request_text: str, changes: Changes, detail: str, why: str
) -> None:
    assert reason(request_text, changes, label, detail).startswith(why)


SEVERAL = "the feedback's detail gives a number that can be read in several ways"
REQUEST_SEVERAL = "the request's number can be read in several ways"
FIRKIN: Changes = {"unit": "firkin", "kg_per_unit": None, "weight_kg": None}


@pytest.mark.parametrize(
    "detail",
    [
        *("1,500 kg on the scale", "1.500 kg on the scale", "2-3 kg on the scale", "-4 kg"),
        *("2 to 3 kg", "2 kg to 3 kg on the scale", "4 kg on the scale; 5 kg on the scale"),
        *("3 parcels, 4 kg on the scale", "1 firkin is 2-3 kg", "0 firkin is 4 kg"),
        *("-2 firkin is 8 kg", "2 of 3 firkin is 4 kg", "more than 4 kg on the scale", "1.500"),
        *("9" * 10_000, "9" * 10_000 + " kg on the scale", "2 x 4 kg on the scale", "05"),
    ],
    ids=lambda detail: detail[:20],
)
def test_a_detail_with_several_readings_teaches_nothing(detail: str) -> None:
    request = "Ship 2 firkin books box to US"
    for label, changes in (
        ("unit_unknown", FIRKIN),
        ("weight_mismatch", {**FIRKIN, "kg_per_unit": 1.0}),
        ("weight_missing", {**FIRKIN, **NO_WEIGHT, "kg_per_unit": 1.0}),
    ):
        assert reason(request, changes, label, detail)


@pytest.mark.parametrize("detail", ["up to 1,500 kg", "up to 2-3 kg", "up to -5 kg", "1.500 kg"])
def test_a_limit_with_several_readings_teaches_nothing(detail: str) -> None:
    assert reason(REQUEST, {}, "parcel_unknown", detail)


@pytest.mark.parametrize(
    ("written", "weight", "why"),
    [
        ("1,500", 1500.0, REQUEST_SEVERAL),
        ("1,500", 1.5, REQUEST_SEVERAL),
        ("1.500", 1.5, REQUEST_SEVERAL),
        ("2 500", 500.0, REQUEST_SEVERAL),
        ("2-3", 2.0, REQUEST_SEVERAL),
        ("2 to 3", 3.0, REQUEST_SEVERAL),
        ("2 and a half", 2.0, REQUEST_SEVERAL),
        ("2 hundred", 2.0, REQUEST_SEVERAL),
        ("-2", 2.0, MISREAD),
        ("0,500", 500.0, MISREAD),
        (".5", 5.0, MISREAD),
        ("1/2", 2.0, MISREAD),
        ("½", 2.0, MISREAD),
        ("1½", 1.0, MISREAD),
        ("1e3", 3.0, MISREAD),
        ("12 books of 2", 2.0, "the request writes several numbers"),
        ("1 stone 2", 2.0, "the request writes several numbers"),
    ],
)
def test_no_unit_is_inferred_from_a_number_that_may_be_another(
    written: str, weight: float, why: str
) -> None:
    request = f"Ship {written} firkin books box to US"
    assert reason(request, {**FIRKIN, "weight": weight}, "unit_unknown", "4 kg on the scale") == why


@pytest.mark.parametrize(
    ("written", "kg"),
    [
        ("twenty five", 25),
        ("2 and a half", 2.5),
        ("two hundred", 200),
        ("two or three", 2.5),
        ("2-3 odd", 2.5),
        ("2 gross", 288),
    ],
)
def test_no_word_is_learned_that_is_only_part_of_a_number(written: str, kg: float) -> None:
    request = f"Ship {written} kg books box to US"
    assert reason(request, NO_WEIGHT, "weight_missing", f"{kg} kg on the scale") == (
        "the request's number has several parts or readings"
    )


@pytest.mark.parametrize("unit", ["9", "9 ", "9,", "1 is ", "up to 9 ", "9 kg ", "a:", "9;", "is "])
def test_a_long_detail_takes_linear_time(unit: str) -> None:
    started = time.perf_counter()
    for label in LABELS:
        feedback = Feedback(label=label, detail=unit * (10_000 // len(unit)))
        proposed("Ship 2 firkin books box to US", as_json(quote(**FIRKIN)), feedback)
    # A quadratic pattern would take minutes.
    assert time.perf_counter() - started < 10


@pytest.mark.parametrize(
    ("label", "field", "changes", "detail", "why"),
    [
        ("parcel_unknown", "parcel_takes_liquids", {}, "box: no liquids", "the quote already says"),
        (
            "parcel_unknown",
            "parcel_takes_liquids",
            {"parcel_takes_liquids": True},
            "box: takes liquids",
            "the quote already says",
        ),
        ("parcel_unknown", "parcel_takes_liquids", {}, "", "the feedback's detail says nothing"),
        ("parcel_unknown", "parcel_takes_liquids", {"parcel": None}, "yes", NO_WORD),
        ("parcel_unknown", "parcel_limit_kg", {}, "no liquids", NO_NUMBER),
        ("item_unknown", "prohibited", {}, "not prohibited", NO_WORD),
        ("item_unknown", "prohibited", {}, "umbrella: not prohibited", NO_WORD),
        ("destination_unknown", "embargo", {}, "no embargo", NO_WORD),
    ],
)
def test_where_a_field_gives_nothing_to_learn_the_reason_is_given(
    label: str, field: str, changes: Changes, detail: str, why: str
) -> None:
    feedback = Feedback(label=label, field=field, detail=detail)
    found = proposed(REQUEST, as_json(quote(**changes)), feedback)
    assert found.patch is None
    assert found.reason.startswith(why)


def test_an_answer_without_a_quote_teaches_nothing() -> None:
    for label in LABELS:
        found = proposed(REQUEST, None, Feedback(label=label, detail="DE"))
        assert found.patch is None
        assert found.reason == "the answer held no quote to compare with"


def test_praise_teaches_nothing() -> None:
    assert proposed(REQUEST, as_json(quote()), Feedback()).patch is None


NUMBERS = st.floats(0.001, 100_000).map(lambda value: f"{value:.6g}")
DETAILS = st.one_of(
    st.text(),
    NUMBERS,
    NUMBERS.map(lambda number: f"{number} kg"),
    NUMBERS.map(lambda number: f"{number} kg on the scale"),
    NUMBERS.map(lambda number: f"1 lb is {number} kg"),
    NUMBERS.map(lambda number: f"box: up to {number} kg"),
    st.text().map(lambda text: f"books: {text}"),
    st.sampled_from(list(Declaration)).map(lambda declaration: f"books: not {declaration}"),
    st.from_regex(r"[A-Z]{2}( [A-Za-z]+)?", fullmatch=True),
)
TEXTS = st.none() | st.sampled_from(["books", "box", "kg", "us", "ship"]) | st.text(max_size=60)
REFUSALS = ["prohibited_item", "embargo_destination", "liquid_restricted", "overweight_parcel"]


@given(
    st.sampled_from(LABELS),
    st.none() | st.sampled_from(sorted(ShippingQuote.model_fields)),
    st.text() | st.just(REQUEST),
    DETAILS,
    st.fixed_dictionaries(
        {},
        optional={
            "weight": st.none() | st.floats(0.001, 1e9),
            "unit": TEXTS,
            "kg_per_unit": st.none() | st.floats(0.001, 1e6),
            "item": TEXTS,
            "parcel": TEXTS,
            "destination": TEXTS,
            "category": TEXTS,
            "prohibited": TEXTS,
            "embargo": TEXTS,
            "declarations": st.lists(st.sampled_from(list(Declaration)), unique=True),
            "refusal": st.none() | st.sampled_from(REFUSALS),
        },
    ),
)
@settings(max_examples=250, derandomize=True)
def test_odd_feedback_gives_a_patch_that_can_be_recognised_or_a_reason(
    label: str, field: str | None, request: str, detail: str, changes: Changes
) -> None:
    feedback = Feedback(label=label, field=field, detail=detail)
    found = proposed(request, as_json(quote(**changes)), feedback)
    assert (found.patch is None) == bool(found.reason)
    if found.patch is not None:
        assert occurs(found.patch.trigger_text, request)
        assert found.patch.tests
