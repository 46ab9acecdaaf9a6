"""Finding a skill by its entry point."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

import pytest

from patchlab_agent import skill as skill_module
from patchlab_agent.errors import SkillError
from patchlab_agent.skill import ENTRY_POINT_GROUP, Confusion, Skill, load_skill, skill_names
from tests.support.words_skill import words_skill

pytestmark = pytest.mark.quick


@dataclass(frozen=True)
class Point:
    """As much of an entry point as matters."""

    name: str
    loaded: Callable[[], object]

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
    assert load_skill("words") is mine


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


def test_a_confusion_of_nothing_counts_nothing() -> None:
    assert [getattr(Confusion(), field.name) for field in fields(Confusion)] == [0, 0, 0]


def test_only_the_world_of_a_skill_holds_a_truth() -> None:
    assert [field.name for field in fields(Skill)] == [
        "name",
        "task",
        "proposer",
        "world",
        "backends",
        "model_proposer",
        "falsify",
        "cassette",
        "thesaurus",
    ]
    for part in (skill_module.Task, skill_module.Proposer):
        assert not {"judge", "expected", "golden", "concerning", "untaught"} & set(dir(part))


def test_what_was_accepted_is_judged_whole_or_not_at_all(tmp_path: Path) -> None:
    task = words_skill(tmp_path).task
    assert task.judged({"a": None, "zok": "red", "length": 2}) == {"zok": "red"}
    assert task.judged({"zok": "red", "blim": None, "length": 2}) == {}
