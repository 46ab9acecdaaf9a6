"""A simulator that asks what a recording holds, and judges as ever."""

from __future__ import annotations

import random
from itertools import islice
from pathlib import Path

import pytest

from patchlab_agent.models.case import Case, CaseSets
from patchlab_agent.skill.optional import DriftingSimulator, cases_of, rules_needed
from patchlab_agent.skill.recorded import RecordedSimulator, with_cases
from patchlab_agent.skill.skill import load_skill
from tests.support.words_skill import WordsSimulator, words_skill

SHIPPING = load_skill("shipping")
ASKED = tuple(
    Case(request=f"Ship {kg} kg books box to US", truth={"kg": kg}, stratum="mine")
    for kg in (41, 42, 43)
)


def test_what_is_recorded_is_asked_first_and_then_the_generator_goes_on() -> None:
    skill = with_cases(SHIPPING, CaseSets(stream=ASKED))
    own = list(islice(cases_of(SHIPPING.simulator, random.Random(3)), 6))
    assert list(islice(cases_of(skill.simulator, random.Random(3)), 6)) == [*ASKED, *own[3:]]


def test_a_set_that_is_not_recorded_is_the_skills() -> None:
    some = with_cases(SHIPPING, CaseSets(golden=ASKED)).simulator
    assert tuple(some.golden()) == ASKED
    assert some.regression() == SHIPPING.simulator.regression()
    other = with_cases(SHIPPING, CaseSets(regression=ASKED)).simulator
    assert tuple(other.regression()) == ASKED
    assert other.golden() == SHIPPING.simulator.golden()


def test_everything_else_is_the_skills_own() -> None:
    skill = with_cases(SHIPPING, CaseSets(stream=ASKED, golden=ASKED))
    case, own = SHIPPING.simulator.golden()[0], SHIPPING.simulator
    assert isinstance(skill.simulator, RecordedSimulator)
    assert skill.simulator.labels == own.labels
    assert skill.simulator.judge(case, None) == own.judge(case, None)
    assert rules_needed(skill.simulator, case) == rules_needed(own, case)
    assert (skill.task, skill.proposer) == (SHIPPING.task, SHIPPING.proposer)


def test_it_drifts_if_the_skill_does(tmp_path: Path) -> None:
    words = with_cases(words_skill(tmp_path), CaseSets(stream=ASKED))
    assert isinstance(words.simulator, WordsSimulator)
    assert not isinstance(words.simulator, DriftingSimulator)
    drifting = with_cases(load_skill("shipping"), CaseSets(stream=ASKED)).simulator
    assert isinstance(drifting, DriftingSimulator)
    assert len(drifting.drift(random.Random(1))) > 1
    with pytest.raises(AttributeError):
        _ = drifting.__deepcopy__  # type: ignore[attr-defined]
