"""What all shared values have in common, cases, and the report's form."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from patchlab_agent.models import patch, prompt, report, rollback, trace
from patchlab_agent.models.base import MAX_NESTING, Frozen, digest, storable
from patchlab_agent.models.case import Case, case_key
from patchlab_agent.models.patch import Provenance, agrees
from patchlab_agent.models.trace import Feedback

pytestmark = pytest.mark.quick

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)


def models() -> list[type[Frozen]]:
    """Every shared value there is."""
    return [
        value
        for module in (patch, prompt, trace, report, rollback)
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Frozen)
    ]


@pytest.mark.parametrize("model", models(), ids=lambda model: model.__name__)
def test_every_shared_value_is_frozen_and_closed(model: type[Frozen]) -> None:
    assert model.model_config.get("frozen") is True
    assert model.model_config.get("extra") == "forbid"


def test_a_value_cannot_be_changed() -> None:
    case = Case(request="a", truth={})
    with pytest.raises(ValidationError):
        case.request = "b"  # type: ignore[misc]


def test_a_misspelt_field_is_refused() -> None:
    with pytest.raises(ValidationError, match="strtum"):
        Case.model_validate({"request": "a", "truth": {}, "strtum": "x"})


def test_an_empty_request_is_no_case() -> None:
    with pytest.raises(ValidationError):
        Case(request="", truth={})


def test_digest_is_the_same_on_every_machine() -> None:
    assert digest({"b": [1, None], "a": "é"}) == "3d92f6368f93f3cb"
    assert digest({"a": "é", "b": [1, None]}) == "3d92f6368f93f3cb"


def test_digest_has_the_wanted_length() -> None:
    assert len(digest("x", 6)) == 6
    assert digest("x").startswith(digest("x", 6))


@given(JSON, JSON)
@settings(derandomize=True, max_examples=100)
def test_digest_tells_values_apart_as_json_does(one: object, other: object) -> None:
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (digest(one) == digest(other)) is same


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Ship 2 kg to US", "ship 2  KG\tto us", True),
        (" a b ", "a b", True),
        ("STRASSE", "straße", True),
        ("Türkiye", "TU\u0308RKIYE", True),
        ("ab", "a b", False),
        ("2 kg", "2kg", False),
    ],
)
def test_case_key_ignores_case_and_spacing_only(one: str, other: str, same: bool) -> None:
    assert (case_key(one) == case_key(other)) is same


def nested(levels: int) -> Any:
    value: Any = {}
    for number in range(levels):
        value = [value] if number % 2 else {"a": value}
    return value


@given(JSON)
@settings(derandomize=True, max_examples=200)
def test_what_is_storable_comes_back_from_its_json(value: Any) -> None:
    try:
        feedback = Feedback(label="x", value=value)
    except ValidationError:
        return
    assert Feedback.model_validate_json(feedback.model_dump_json().encode()) == feedback
    assert storable(value) is value


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (nested(MAX_NESTING + 1), "more than 32 levels"),
        (nested(5000), "more than 32 levels"),
        ({"a": [1, 10**400]}, "a.1: the number is too large"),
        (-(2**63), "the number is too large"),
        ([float("inf")], "0: the number is not finite"),
        (float("nan"), "the number is not finite"),
        ("\ud800", "half a character"),
        ({"\udfff": 1}, "key: half a character"),
        ({"x" * 99: "x" * 100_001}, "x" * 40 + ": 100,001 characters are too many"),
        ({"a\n\u202e": 10**400}, r"^a\\n\\u202e: the number is too large"),
        ([[]] * 50_001, "more than 50,000 values"),
        (["x" * 9_999] * 101, "1,000,000 characters"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_a_store_could_not_give_back_is_refused(value: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        storable(value)
    with pytest.raises(ValidationError):
        Feedback(label="x", field="y", value=value)
    with pytest.raises(ValidationError):
        Provenance(trace_id="t", request="", label="x", value=value)


@pytest.mark.parametrize(
    "value",
    [nested(MAX_NESTING), 2**63 - 1, 1e300, "x" * 100_000, None, {}],
    ids=lambda value: type(value).__name__,
)
def test_what_a_store_can_give_back_is_taken(value: Any) -> None:
    assert Feedback(label="x", field="y", value=value).value == value


@pytest.mark.parametrize("field", ["label", "field", "detail"])
@pytest.mark.parametrize("text", ["x" * 100_001, "\ud800"], ids=["long", "half"])
def test_no_text_of_feedback_is_longer_or_half(field: str, text: str) -> None:
    with pytest.raises(ValidationError, match=field):
        Feedback(**{field: text})


def test_texts_agree_in_any_unicode_form() -> None:
    assert agrees("Türkiye", "TU\u0308RKIYE")
    assert not agrees("दिल्ली", "दोलाला")


@pytest.mark.parametrize("model", models(), ids=lambda model: model.__name__)
def test_every_shared_value_has_a_closed_json_schema(model: type[Frozen]) -> None:
    schema = model.model_json_schema()
    assert schema["type"] == "object"
    assert schema["additionalProperties"] is False
