"""What all shared values have in common, cases, and the report's form."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from patchlab_agent.models import patch, report, rollback, trace
from patchlab_agent.models.base import Frozen, digest
from patchlab_agent.models.case import Case, case_key

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
        for module in (patch, trace, report, rollback)
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
@settings(deadline=None, derandomize=True, max_examples=100)
def test_digest_tells_values_apart_as_json_does(one: object, other: object) -> None:
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (digest(one) == digest(other)) is same


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Ship 2 kg to US", "ship 2  KG\tto us", True),
        (" a b ", "a b", True),
        ("STRASSE", "straße", True),
        ("ab", "a b", False),
        ("2 kg", "2kg", False),
    ],
)
def test_case_key_ignores_case_and_spacing_only(one: str, other: str, same: bool) -> None:
    assert (case_key(one) == case_key(other)) is same


@pytest.mark.parametrize("model", models(), ids=lambda model: model.__name__)
def test_every_shared_value_has_a_closed_json_schema(model: type[Frozen]) -> None:
    schema = model.model_json_schema()
    assert schema["type"] == "object"
    assert schema["additionalProperties"] is False
