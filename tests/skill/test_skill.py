"""A skill, and finding one by its entry point."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

import pytest

from patchlab_agent.errors import SkillError
from patchlab_agent.skill import skill as skill_module
from patchlab_agent.skill.seam import Proposer, SkillTask
from patchlab_agent.skill.skill import ENTRY_POINT_GROUP, Skill, load_skill, skill_names
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
        r"correct test_skill\.py, line \d+\.",
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
    for part in (SkillTask, Proposer):
        assert not {"judge", "expected", "golden", "concerning", "uncovered"} & set(dir(part))
