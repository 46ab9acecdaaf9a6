"""The parts of the skill, put together and found by name."""

from __future__ import annotations

import pytest

from patchlab_agent.models.patch import Fix
from patchlab_agent.shipping.proposer import ShippingProposer
from patchlab_agent.shipping.simulator import ShippingSimulator
from patchlab_agent.shipping.skill import shipping
from patchlab_agent.shipping.tables import known_rules
from patchlab_agent.shipping.task import ShippingTask
from patchlab_agent.shipping.toy.backend import ToyBackend
from patchlab_agent.skill.skill import Skill, load_skill, skill_names

pytestmark = pytest.mark.quick


def test_the_skill_is_found_by_name() -> None:
    assert "shipping" in skill_names()
    assert isinstance(load_skill("shipping"), Skill)


def test_its_parts_are_those_of_shipping() -> None:
    skill = shipping()
    assert skill.name == "shipping"
    assert isinstance(skill.task, ShippingTask)
    assert isinstance(skill.proposer, ShippingProposer)
    assert isinstance(skill.simulator, ShippingSimulator)


def test_its_toy_takes_seed_and_noise() -> None:
    toy = shipping().backends["toy"](3, 0.25)
    assert isinstance(toy, ToyBackend)
    assert (toy.seed, toy.noise) == (3, 0.25)


def test_an_agent_starts_with_what_is_known_and_no_more() -> None:
    known: list[Fix] = known_rules()
    assert list(shipping().task.known_rules) == known


def test_two_skills_share_no_state_that_one_could_change() -> None:
    one, other = shipping(), shipping()
    assert one.task is not other.task
    assert one.simulator is not other.simulator
    assert list(one.task.known_rules) == list(other.task.known_rules)
