"""What a lesson concerns: which requests, how it is read back, and how people are told of it."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from patchlab_agent.models.base import JsonObject
from patchlab_agent.models.trigger import (
    Always,
    Similar,
    Trigger,
    identity,
)

pytestmark = pytest.mark.quick

TRIGGER: TypeAdapter[Trigger] = TypeAdapter(Trigger)


@pytest.mark.parametrize(
    "trigger", ["zok", Similar(requests=("a zok", "the zok"), radius=0.25), Always()]
)
def test_a_trigger_is_read_back_as_it_was(trigger: Trigger) -> None:
    assert TRIGGER.validate_json(TRIGGER.dump_json(trigger)) == trigger
    assert TRIGGER.validate_python(trigger) == trigger


@pytest.mark.parametrize("told", [{"kind": "odd"}, {}, 7, ["zok"], {"kind": "always", "x": 1}])
def test_anything_else_is_none(told: object) -> None:
    with pytest.raises(ValidationError):
        TRIGGER.validate_python(told)


def test_requests_are_similar_up_to_the_radius() -> None:
    like = Similar(requests=("a zok",), radius=0.25)
    # Vectors are rounded, so a text may not be at distance 0 from itself.
    assert [like.reaches(each) for each in (0.0, 0.25, 0.2500005, 0.26)] == [
        True,
        True,
        True,
        False,
    ]
    only = Similar(requests=("a zok",))
    assert (only.radius, only.reaches(5e-7), only.reaches(0.01)) == (0.0, True, False)


@pytest.mark.parametrize(
    "told",
    [
        {"requests": ()},
        {"requests": ("",)},
        {"requests": tuple("abcde")},
        {"requests": ("z" * 50_001,)},
        {"requests": ("zok",), "radius": -0.01},
        {"requests": ("zok",), "radius": 2.01},
    ],
)
def test_what_no_request_can_be_compared_with_is_refused(told: JsonObject) -> None:
    with pytest.raises(ValidationError):
        Similar.model_validate(told)


def test_as_many_and_as_long_requests_as_are_allowed_are_taken() -> None:
    requests = ("z" * 50_000, *"abc")
    assert Similar(requests=requests, radius=2.0).requests == requests


def test_a_trigger_is_told_in_words_that_fit_a_line() -> None:
    assert str(Always()) == "(always)"
    assert str(Similar(requests=("a zok",))) == '(like "a zok")'
    assert str(Similar(requests=("a\n zok  now", "blim"))) == '(like "a zok now" and 1 more)'
    assert str(Similar(requests=("a zok", "b", "c"))) == '(like "a zok" and 2 more)'
    assert str(Similar(requests=("z" * 32,))) == f'(like "{"z" * 32}")'
    assert str(Similar(requests=("z" * 33,))) == f'(like "{"z" * 31}…")'


def test_how_far_a_trigger_reaches_does_not_tell_it_from_others() -> None:
    near, far = (Similar(requests=("a zok",), radius=radius) for radius in (0.1, 0.3))
    assert identity(near) == identity(far) == {"kind": "similar", "requests": ["a zok"]}
    assert identity(Similar(requests=("the zok",))) != identity(near)
    assert identity("zok") == "zok"
    assert identity(Always()) == {"kind": "always"}
