"""Finding a skill by its entry point."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from patchlab_agent.errors import InputError, InvalidAnswer, SkillError
from patchlab_agent.models.base import JsonObject, Output
from patchlab_agent.models.case import Case, CaseSets
from patchlab_agent.models.patch import Fix
from patchlab_agent.models.trace import Feedback
from patchlab_agent.skill import seam as skill_module
from patchlab_agent.skill.recorded import with_cases
from patchlab_agent.skill.seam import (
    ENTRY_POINT_GROUP,
    Confusion,
    Reading,
    Simulator,
    Skill,
    SkillTask,
    cases_of,
    load_skill,
    rules_needed,
    skill_names,
)
from tests.support.words_skill import Reader, WordsSimulator, words_skill


@dataclass(frozen=True)
class Point:
    """As much of an entry point as matters."""

    name: str
    loaded: Callable[[], object]
    value: str = "tests.test_skill:skill"

    def load(self) -> Callable[[], object]:
        return self.loaded


def install(monkeypatch: pytest.MonkeyPatch, *points: Point) -> None:
    """Let these be the installed entry points."""

    def entry_points(*, group: str, name: str | None = None) -> list[Point]:
        assert group == ENTRY_POINT_GROUP
        return [point for point in points if name in (None, point.name)]

    monkeypatch.setattr(skill_module, "entry_points", entry_points)


def test_the_first_skill_is_installed() -> None:
    assert "shipping" in skill_names()
    found = load_skill("shipping")
    assert found.name == "shipping"
    assert "toy" in found.backends


def test_another_packages_skill_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = words_skill(tmp_path)
    install(monkeypatch, Point("other", dict), Point("words", lambda: mine))
    found = load_skill("words")
    assert (found.name, found.task.prompts) == ("words", mine.task.prompts)
    assert isinstance(found.simulator, WordsSimulator)


def test_an_unknown_skill_lists_the_installed_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Point("beta", dict), Point("alpha", dict), Point("beta", dict))
    assert skill_names() == ["alpha", "beta"]
    with pytest.raises(SkillError, match=r"no skill 'gamma'; installed are: alpha, beta\.$"):
        load_skill("gamma")


def test_without_any_skill_the_message_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)
    with pytest.raises(SkillError, match=r"installed are: none\.$"):
        load_skill("shipping")


@pytest.mark.parametrize("given", [dict, lambda: None, lambda: "shipping", lambda: Skill])
def test_an_entry_point_that_gives_no_skill_is_an_error(
    monkeypatch: pytest.MonkeyPatch, given: Callable[[], object]
) -> None:
    install(monkeypatch, Point("odd", given))
    with pytest.raises(SkillError, match="'odd' gives no Skill"):
        load_skill("odd")


def test_an_entry_point_that_fails_is_an_error_that_says_how(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken() -> object:
        raise ImportError("No module named 'mailer'")

    install(monkeypatch, Point("odd", broken))
    with pytest.raises(SkillError) as caught:
        load_skill("odd")
    assert re.fullmatch(
        r"The entry point of skill 'odd' failed with ImportError: No module named 'mailer'; "
        r"correct test_seam\.py, line \d+\.",
        str(caught.value),
    )


def test_the_parts_of_a_loaded_skill_are_guarded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = words_skill(tmp_path)
    install(monkeypatch, Point("words", lambda: mine))
    found = load_skill("words")
    assert isinstance(found.simulator, WordsSimulator)
    assert isinstance(found.backends["reader"](7, 0.0), Reader)
    with pytest.raises(SkillError, match=r"^Simulator\.judge of skill 'words' failed with "):
        found.simulator.judge(None, {})  # type: ignore[arg-type]


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


def test_only_the_simulator_of_a_skill_holds_a_truth() -> None:
    assert [field.name for field in fields(Skill)] == [
        "name",
        "task",
        "proposer",
        "simulator",
        "backends",
        "model_proposer",
        "falsify",
        "cassette",
        "thesaurus",
        "max_trigger_share",
        "max_request_chars",
        "model_thesaurus",
        "prefers_model",
    ]
    for part in (skill_module.SkillTask, skill_module.Proposer):
        assert not {"judge", "expected", "golden", "concerning", "uncovered"} & set(dir(part))


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
