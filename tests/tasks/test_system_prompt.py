"""What a task's prompt says of the form of an answer."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, create_model

from patchlab_agent.prompts import Prompts
from patchlab_agent.resources import resource
from patchlab_agent.tasks.fields import answer_schema

PROMPTS = Prompts(resource("prompts", "task"))


class Inner(BaseModel):
    a: int


def shown(kind: Any, description: str | None = None) -> list[str]:
    """The lines about a field of a type, and of the form of the whole."""
    declared = (kind, Field(description=description))
    model = create_model("Answer", __doc__="Do it.", field=declared)
    return PROMPTS.system([], answer_schema(model)).splitlines()[-3:]


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (Literal["low", "high"], 'one of "low", "high"'),
        (Literal["only"], '"only"'),
        (Literal[1, 2], "one of 1, 2"),
        (Literal["a", "b"] | None, 'one of "a", "b" or null'),
        (list[Literal["a", "b"]], 'a list, each entry one of "a", "b"'),
        (list[str], "a list, each entry a text"),
        (str, "a text"),
        (int | None, "a whole number or null"),
        (float, "a number"),
        (bool, "true or false"),
        # What these words have no place for is told as JSON schema.
        (Annotated[str, Field(max_length=5)], '{"maxLength":5,"title":"Field","type":"string"}'),
        (dict[str, int], '{"additionalProperties":{"type":"integer"},"title":"Field"'),
        (Inner, '{"properties":{"a":{"title":"A","type":"integer"}}'),
    ],
)
def test_a_field_is_told_in_words(kind: Any, told: str) -> None:
    assert shown(kind)[0].startswith(f'- "field": {told}')


def test_a_description_follows_the_form() -> None:
    assert shown(bool, "whether it is urgent")[0].endswith("true or false; whether it is urgent")


def test_the_form_is_one_line() -> None:
    model = create_model("Answer", __doc__="Do it.", a=(list[str], ...), b=(int, ...))
    last = PROMPTS.system([], answer_schema(model)).splitlines()[-1]
    assert last == 'Give it on one line, in this form: {"a":[…],"b":…}'


@given(st.lists(st.text(min_size=1, max_size=8), min_size=2, max_size=5, unique=True))
def test_choices_cannot_break_out_of_their_line(choices: list[str]) -> None:
    line, blank, form = shown(Literal[tuple(choices)])
    assert line.startswith('- "field": one of "')
    assert (blank, form[-14:]) == ("", 'form: {"field":…}'[-14:])
