"""Text of others is shown as it is: neither markup nor escapes get through."""

from __future__ import annotations

import doctest

import pytest

from patchlab_agent.models.evidence import Reason
from patchlab_agent.models.listing import PatchDetails
from patchlab_agent.models.trace import Feedback, Judged
from patchlab_agent.report import format as fmt
from patchlab_agent.report.inspect import output_table, patch_details, trace_table
from patchlab_agent.report.steps import steps
from tests.report.make import GATE, MARKUP, attempt, flat, patch, retrieved, shown, trace

pytestmark = pytest.mark.quick

ESCAPES = "Ship \x1b[31m2 kg\x1b[0m\x1b]0;title\x07 books \x9b31m\x7f box"


@pytest.mark.parametrize("width", [60, 100, 160])
def test_markup_in_a_gates_reason_is_shown_as_it_is(width: int) -> None:
    reasons = (Reason(code="outweighed", text=f"1 request turns wrong, as {MARKUP!r}"),)
    given = patch(gate=GATE.model_copy(update={"reasons": reasons}))
    text = "".join(flat(shown(patch_details(PatchDetails(patch=given)), width)).split())
    assert "".join(repr(MARKUP).split()) in text


@pytest.mark.parametrize("label", ["[/] odd", "[red]odd[/red]"])
def test_markup_in_a_label_is_shown_as_it_is(label: str) -> None:
    word = Feedback(label=label)
    given = trace(feedback=word, baseline=Judged(attempt=attempt(), feedback=word))
    assert shown(trace_table([given])).count(label) == 2


def test_escape_characters_are_shown_and_never_sent() -> None:
    given = trace(
        request=ESCAPES,
        attempt=attempt(raw=ESCAPES, user_prompt=ESCAPES, output={"item": ESCAPES}),
        retrieved=(retrieved(ESCAPES),),
        feedback=Feedback(label="item_unknown", detail=ESCAPES),
    )
    for renderable in (
        steps(given, title="Trace t-1", prompt=True),
        trace_table([given]),
        output_table({"item": ESCAPES}),
        patch_details(
            PatchDetails(
                patch=patch(trigger=ESCAPES), rivals=(patch(trigger=ESCAPES),), birth=given
            )
        ),
    ):
        text = shown(renderable)
        assert not {char for char in text if not char.isprintable() and char != "\n"}
        assert r"\x1b[31m" in text


def test_the_example_in_the_documentation_of_the_bar_is_right() -> None:
    assert doctest.testmod(fmt).failed == 0
