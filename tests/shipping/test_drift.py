"""Rules that change: one of each kind, known to every part of the simulator."""

from __future__ import annotations

import random

import pytest

from patchlab_agent.models.case import Case
from patchlab_agent.shipping.drift import NEW_FACTOR, NEW_LIMIT, drift
from patchlab_agent.shipping.rules import EmbargoFix, ItemFix, ParcelFix, UnitFix
from patchlab_agent.shipping.simulator import ShippingSimulator
from patchlab_agent.shipping.tables import carrier_rules
from patchlab_agent.text import words

pytestmark = pytest.mark.quick


def test_one_rule_of_each_kind_changes() -> None:
    before = carrier_rules()
    changed = drift(before, random.Random(1))
    gone = [rule for rule in before if rule not in changed.rules]
    new = [rule for rule in changed.rules if rule not in before]
    assert {type(rule) for rule in gone} == {EmbargoFix, UnitFix, ParcelFix, ItemFix}
    assert {type(rule) for rule in new} == {EmbargoFix, UnitFix, ParcelFix, ItemFix}
    assert len(changed.changes) == 5
    [unit], [parcel] = (
        [rule for rule in new if isinstance(rule, kind)] for kind in (UnitFix, ParcelFix)
    )
    old = {rule.subject_key: rule for rule in gone}
    assert isinstance(unit, UnitFix)
    assert isinstance(parcel, ParcelFix)
    assert unit.kg_per_unit == old[unit.subject_key].kg_per_unit * NEW_FACTOR  # type: ignore[attr-defined]
    assert parcel.limit_kg == old[parcel.subject_key].limit_kg * NEW_LIMIT  # type: ignore[attr-defined]
    assert unit.unit == changed.unit


def test_the_same_generator_changes_the_same() -> None:
    rules = carrier_rules()
    assert drift(rules, random.Random(3)) == drift(rules, random.Random(3))
    chosen = {drift(rules, random.Random(seed)).changes for seed in range(10)}
    assert len(chosen) > 5


def test_a_simulator_judges_labels_and_ceilings_by_the_rules_that_hold() -> None:
    simulator = ShippingSimulator()
    cases = [*simulator.golden(), *simulator.regression()]
    before = [simulator.expected(case) for case in cases]
    assert len(simulator.drift(random.Random(1))) == 5
    after = [simulator.expected(case) for case in cases]
    assert before != after
    unit = next(iter(simulator._redefined))
    for case, old, new in zip(cases, before, after, strict=True):
        ratio = NEW_FACTOR if unit in words(case.request) else 1.0
        assert new["weight_kg"] == old["weight_kg"] * ratio  # type: ignore[operator]


def test_what_drifted_is_part_of_what_the_ceiling_is_shown() -> None:
    simulator = ShippingSimulator()
    changed = drift(carrier_rules(), random.Random(1))
    item = next(
        rule for rule in changed.rules if isinstance(rule, ItemFix) and rule not in carrier_rules()
    )
    truth = {"weight_kg": 1.0, "item": item.item, "parcel": "box", "country": "US", "services": []}
    case = Case(request=f"Ship 1 kg {item.item} box to US", truth=truth)
    assert item not in simulator.uncovered(case)
    simulator.drift(random.Random(1))
    assert item in simulator.uncovered(case)
