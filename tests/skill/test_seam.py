"""What a skill's parts must do, and what they do where they leave it as it is."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from patchlab_agent.errors import InputError, InvalidAnswer, SkillError
from patchlab_agent.models.base import JsonObject, Output
from patchlab_agent.models.case import Case, CaseSets
from patchlab_agent.models.patch import Fix
from patchlab_agent.models.trace import Feedback
from patchlab_agent.skill.optional import cases_of, rules_needed
from patchlab_agent.skill.recorded import with_cases
from patchlab_agent.skill.seam import Confusion, Reading, Simulator, SkillTask
from tests.support.words_skill import words_skill


def test_a_confusion_of_nothing_counts_nothing() -> None:
    assert [getattr(Confusion(), field.name) for field in fields(Confusion)] == [0, 0, 0]


class PlainTask(SkillTask):
    """Writes what is abstract, and nothing else."""

    prompts = Path("prompts")
    answer_schema: ClassVar[JsonObject] = {"type": "object"}

    def read(self, text: str) -> Reading:
        return Reading({}, {})

    def parse_fix(self, data: JsonObject) -> Fix:
        raise ValueError(data)


class PlainSimulator(Simulator):
    """Writes what is abstract, and nothing else."""

    labels = ("one", "two")

    def golden(self) -> Sequence[Case]:
        return ()

    def regression(self) -> Sequence[Case]:
        return ()

    def judge(self, case: Case, quote: Output | None) -> Feedback:
        return Feedback(label=None if quote == case.truth else "two")


def test_a_task_that_leaves_the_rest_as_it_is_starts_with_nothing_and_shows_nobodys_words() -> None:
    task = PlainTask()
    assert (*task.known_rules, *task.demos, *task.filler_words) == ()
    assert task.examples_of([]) == ()
    assert not task.may_show("a zok", {})
    assert task.judged({"a": 1, "b": "x"}) == {"a": 1, "b": "x"}
    assert task.judged({"a": 1, "b": None}) == {}


def test_a_simulator_that_leaves_the_rest_as_it_is_goes_by_truth_and_judge(tmp_path: Path) -> None:
    simulated, case = PlainSimulator(), Case(request="a zok", truth={"zok": "red"})
    assert simulated.expected(case) == {"zok": "red"}
    right, wrong = Confusion(true_positive=1), Confusion(false_positive=1, false_negative=1)
    assert simulated.confusion(case, {"zok": "red"}) == {"one": right, "two": right}
    assert simulated.confusion(case, {}) == {"one": right, "two": wrong}
    assert simulated.confusion(case, None)["two"] == Confusion(false_negative=1)
    with pytest.raises(InputError, match=r"leave --requests out\.$"):
        simulated.read_cases(tmp_path / "mine.csv")


@pytest.mark.parametrize("part", [SkillTask, Simulator])
def test_what_is_abstract_must_be_written(part: type) -> None:
    with pytest.raises(TypeError, match="abstract"):
        type("Unfinished", (part,), {})()


def test_a_simulator_needs_neither_a_generator_nor_an_oracle(tmp_path: Path) -> None:
    plain, case = PlainSimulator(), Case(request="a zok", truth={})
    skill = replace(words_skill(tmp_path), simulator=plain)
    assert not skill.has_oracle
    assert not skill.guarded().has_oracle
    assert words_skill(tmp_path).guarded().has_oracle
    assert rules_needed(plain, case) == ()
    with pytest.raises(SkillError, match="give them with --requests"):
        cases_of(plain, random.Random(1))


def test_cases_that_are_there_already_are_taken_in_their_order(tmp_path: Path) -> None:
    class Streaming(PlainSimulator):
        def stream(self) -> Sequence[Case]:
            return [Case(request=each, truth={}) for each in ("b", "a")]

    skill = replace(words_skill(tmp_path), simulator=Streaming()).guarded()
    assert [case.request for case in cases_of(skill.simulator, random.Random(1))] == ["b", "a"]


def test_a_recording_of_such_a_skill_asks_what_was_recorded(tmp_path: Path) -> None:
    recorded = CaseSets(stream=(Case(request="c", truth={}),), golden=(), regression=())
    skill = replace(words_skill(tmp_path), simulator=PlainSimulator()).guarded()
    again = with_cases(skill, recorded)
    assert not again.has_oracle
    assert next(cases_of(again.simulator, random.Random(1))).request == "c"


def test_what_was_accepted_is_judged_whole_or_not_at_all(tmp_path: Path) -> None:
    task = words_skill(tmp_path).task
    assert task.judged({"a": None, "zok": "red", "length": 2}) == {"zok": "red"}
    assert task.judged({"zok": "red", "blim": None, "length": 2}) == {}


def test_an_answer_that_could_not_be_stored_is_none() -> None:
    deep: Any = {}
    for _ in range(210):
        deep = {"a": deep}
    parts: list[JsonObject] = [{"a": deep}, {"a": 10**400}, {"a": "\ud800"}]
    for part in parts:
        with pytest.raises(InvalidAnswer):
            Reading(answer=part, output={})
        with pytest.raises(InvalidAnswer):
            Reading(answer={}, output=part)
