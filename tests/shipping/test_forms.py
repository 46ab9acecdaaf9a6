"""How a lesson is put to the model: shared, apart, or repeated."""

from __future__ import annotations

import json

import pytest

from patchlab_agent.agent.agent import Agent
from patchlab_agent.backends.base import ScriptedBackend
from patchlab_agent.models.patch import Form, Patch, Provenance
from patchlab_agent.models.prompt import Prompt
from patchlab_agent.models.trace import Context, Retrieved
from patchlab_agent.shipping.rules import ItemFix, RestrictionFix, ShippingFix, UnitFix
from tests.shipping.helpers import TASK
from tests.support.gates import NoExamples, Shelf

pytestmark = pytest.mark.quick

POUND = UnitFix(unit="lb", kg_per_unit=0.45359237)
TENT = ItemFix(item="tent", category="outdoor")
REQUEST = "Send 2 lb tent tube to Japan"


def lesson(fix: ShippingFix, form: Form = Form.SHARED) -> Patch:
    provenance = Provenance(trace_id="t", request=REQUEST, label="unit_unknown")
    return Patch(skill="shipping", trigger=fix.about, fix=fix, form=form, provenance=provenance)


def rendered(*lessons: Patch) -> Prompt:
    agent = Agent(TASK, ScriptedBackend([]), Shelf(), NoExamples())
    hits = (Retrieved(patch=patch, distance=0.5, occurs=True) for patch in lessons)
    return agent.render(REQUEST, Context(retrieved=tuple(hits)), "0")


def worked(prompt: Prompt) -> list[str]:
    """The first line of each earlier turn of this request's own."""
    turns = prompt.messages[prompt.stable : -1]
    return [turn.content.split("\n")[0] for turn in turns if turn.role == "user"]


def test_shared_lessons_have_one_example() -> None:
    prompt = rendered(lesson(POUND), lesson(TENT))
    assert worked(prompt) == ['Request: "Ship 3 lb tent box to japan"']


def test_a_lesson_apart_has_its_own_example_next_to_the_request() -> None:
    prompt = rendered(lesson(POUND, Form.APART), lesson(TENT))
    assert worked(prompt) == [
        'Request: "Ship 3 kg tent box to japan"',
        'Request: "Ship 3 lb books box to japan"',
    ]
    assert prompt.user == rendered(lesson(POUND), lesson(TENT)).user


def test_all_that_is_said_of_a_thing_that_stands_apart_is_said_of_it_there() -> None:
    fragile = RestrictionFix(item="tent", demand="fragile")
    prompt = rendered(lesson(POUND), lesson(TENT), lesson(fragile, Form.APART))
    shared, apart = (json.loads(turn.content) for turn in prompt.messages[-4:-1:2])
    assert (shared["item"], shared["unit"]) == ("books", "lb")
    assert (apart["item"], apart["category"]) == ("tent", "outdoor")
    assert apart["declarations"] == ["fragile"]


def test_a_repeated_lesson_is_said_once_more_at_the_end() -> None:
    plain = rendered(lesson(POUND), lesson(TENT))
    prompt = rendered(lesson(POUND, Form.REPEATED), lesson(TENT))
    assert prompt.messages[:-1] == plain.messages[:-1]
    rule = '- unit "lb": one is 0.45359237 kg'
    assert prompt.user == plain.user.replace("\nAnswer:", f"\nMind:\n{rule}\nAnswer:")
    assert prompt.user.count(rule) == 2


@pytest.mark.parametrize("form", [form for form in Form if form is not Form.SHARED])
def test_another_form_of_a_lesson_is_another_patch_that_contradicts_it(form: Form) -> None:
    plain, other = lesson(POUND), lesson(POUND, form)
    assert plain.id != other.id
    assert plain.fix.conflict_key == other.fix.conflict_key


def test_the_form_that_lessons_have_from_the_start_is_no_part_of_their_id() -> None:
    assert (
        lesson(POUND).id
        == Patch.model_validate(
            lesson(POUND).model_dump(mode="json", exclude={"form"}) | {"fix": POUND}
        ).id
    )
