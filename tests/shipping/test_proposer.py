"""From a carrier's feedback to a fix and its trigger, whoever typed the feedback."""

from __future__ import annotations

from typing import get_args

import pytest

from patchlab_agent.models.patch import Patch, Provenance, Role, Status
from patchlab_agent.models.trace import Feedback
from patchlab_agent.shipping.carrier import LABELS
from patchlab_agent.shipping.rules import ExampleFix, RevokedFix, ShippingFix, UnitFix
from patchlab_agent.text import occurs
from tests.shipping.helpers import as_json, proposed, quote
from tests.shipping.lessons import KNOWN_WRONGLY, LESSONS, NO_WEIGHT, TUBE, Changes, Lesson

pytestmark = pytest.mark.quick


def learned(
    request: str, changes: Changes, label: str, detail: str, field: str | None = None
) -> Patch:
    feedback = Feedback(label=label, field=field, detail=detail)
    found = proposed(request, as_json(quote(**changes)), feedback)
    assert found.patch is not None, found.reason
    return found.patch


@pytest.mark.parametrize("lesson", LESSONS, ids=[f"{lesson[0]}-{lesson[3]}" for lesson in LESSONS])
def test_a_failure_teaches_its_fix_under_a_trigger_of_the_request(lesson: Lesson) -> None:
    label, request_text, changes, detail, fix, trigger = lesson
    patch = learned(request_text, changes, label, detail)
    assert patch.fix == fix
    assert type(patch.fix) is type(fix)
    assert patch.trigger == trigger
    assert occurs(trigger, request_text)


@pytest.mark.parametrize("lesson", KNOWN_WRONGLY, ids=lambda lesson: f"{lesson[1]}-{lesson[4]}")
def test_the_field_tells_which_fact_is_wrong(
    lesson: tuple[str, str, str, Changes, str, ShippingFix, str],
) -> None:
    label, field, request_text, changes, detail, fix, trigger = lesson
    patch = learned(request_text, changes, label, detail, field)
    assert patch.fix == fix
    assert type(patch.fix) is type(fix)
    assert patch.trigger == trigger


def test_the_table_above_has_every_label_and_every_kind_of_fix() -> None:
    assert {label for label, *_ in LESSONS} == {*LABELS} - {"invalid_response"}
    assert {type(fix) for *_, fix, _ in LESSONS} == set(get_args(get_args(ShippingFix)[0]))
    assert {fix.rule for *_, fix, _ in LESSONS if isinstance(fix, RevokedFix)} == {
        "prohibited",
        "embargo",
        "liquids",
        "hazmat",
        "fragile",
        "temperature",
        "insurance",
    }


def test_a_patch_remembers_the_failure_that_it_was_born_from() -> None:
    feedback = Feedback(label="parcel_unknown", field="parcel", value="tube", detail="5 kg")
    request = "Ship 2 kg books tube to US"
    patch = proposed(request, as_json(quote(**TUBE)), feedback).patch
    assert patch is not None
    assert patch.provenance == Provenance(
        trace_id="q-1",
        request=request,
        label="parcel_unknown",
        field="parcel",
        value="tube",
        detail="5 kg",
    )
    assert patch.skill == "shipping"
    assert patch.status is Status.QUARANTINED
    assert patch.tests[0].role is Role.FAILING
    assert patch.tests[0].request == request


def test_the_same_lesson_from_two_failures_is_one_patch() -> None:
    one = learned("Ship 2 kg books tube to US", TUBE, "parcel_unknown", "tube: up to 5 kg")
    other = learned("Send 3 kg toys TUBE to EU", TUBE, "parcel_unknown", "5")
    assert one.id == other.id


@pytest.mark.parametrize(
    ("written", "weight"),
    [
        *[("1,5", 1.5), ("0,500", 0.5), (".5", 0.5), ("1 1/2", 1.5), ("1½", 1.5), ("1e-1", 0.1)],
        *[("٢", 2.0), ("1,000,000", 1e6), ("1.200,5", 1200.5), ("two", 2.0)],
    ],
)
def test_a_unit_is_inferred_from_the_number_as_the_request_writes_it(
    written: str, weight: float
) -> None:
    read = {"weight": weight, "unit": "lb", "kg_per_unit": 1.0}
    patch = learned(f"Ship {written} lb books box", read, "weight_mismatch", f"{weight / 2} kg")
    assert isinstance(patch.fix, UnitFix)
    assert patch.fix.kg_per_unit == 0.5


@pytest.mark.parametrize(
    ("detail", "kg_per_unit"),
    [
        ("4 kg on the scale", 2.0),
        ("4kg on the scale", 2.0),
        ("4,5 KG on the scale", 2.25),
        ("½ kg on the scale", 0.25),
        ("1.134 kg on the scale", 0.567),
        ("1 firkin is 0,5 kg", 0.5),
        ("2 firkin is 8 kg", 4.0),
        ("a firkin is 1/2 kg", 0.5),
        ("٢", 2.0),
        ("1 1/2 kg", 1.5),
        ("1,00,000 kg", 1e5),
    ],
)
def test_a_unit_is_learned_from_a_number_in_any_form(detail: str, kg_per_unit: float) -> None:
    firkin = {"unit": "firkin", "kg_per_unit": None, "weight_kg": None}
    patch = learned("Ship 2 firkin books box to US", firkin, "unit_unknown", detail)
    assert isinstance(patch.fix, UnitFix)
    assert patch.fix.kg_per_unit == kg_per_unit


def test_a_number_in_a_name_is_not_the_weight() -> None:
    firkin = {"unit": "firkin", "kg_per_unit": None, "item": "a4 paper"}
    request = "Order #4711: ship 2 firkin A4 paper box to US"
    patch = learned(request, firkin, "unit_unknown", "4 kg on the scale")
    assert patch.fix == UnitFix(unit="firkin", kg_per_unit=2)


def test_what_a_person_typed_never_becomes_an_example() -> None:
    typed = 'Ship dozen kg books box to US. Note: "books" are prohibited'
    patch = learned(typed, NO_WEIGHT, "weight_missing", "12 kg on the scale")
    assert isinstance(patch.fix, ExampleFix)
    assert "Note" not in patch.fix.request
