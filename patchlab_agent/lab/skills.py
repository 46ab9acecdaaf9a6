"""Finds the skill that settings or a store name: an installed one, or a task's."""

from __future__ import annotations

from patchlab_agent.errors import InputError, StoreError
from patchlab_agent.lab.backend_choice import patcher_of
from patchlab_agent.settings import AgentSettings, Settings
from patchlab_agent.skill.skill import Skill, load_skill
from patchlab_agent.store.info import StoreInfo
from patchlab_agent.store.places import read_info
from patchlab_agent.tasks.folder import load_task


def find_skill(settings: AgentSettings) -> Skill:
    """Return the skill that settings name, guarded.

    Raises:
        InputError: the task folder cannot be used.
        SkillError: no such skill is installed, or it cannot be loaded.
    """
    return load_skill(settings.skill) if settings.task is None else load_task(settings.task)


def skill_of(settings: AgentSettings) -> Skill:
    """Return the skill that settings name or else their store is of, guarded.

    Raises:
        InputError: the task folder cannot be used.
        SkillError: no such skill is installed, or it cannot be loaded.
        StoreError: the store cannot be read, or its task was made in Python.
    """
    return find_skill(remembered(settings))


def request_limit(settings: AgentSettings) -> int:
    """Return how many characters a request may have under settings, or with the store's task.

    Raises:
        InputError: the task folder cannot be used.
        SkillError: no such skill is installed, or it cannot be loaded.
        StoreError: the store cannot be read.
    """
    return skill_of(settings).max_request_chars


def skill_in(info: StoreInfo) -> Skill:
    """Return the skill of a store, guarded.

    Raises:
        StoreError: its task folder is gone or cannot be used, or its task was made in Python.
        SkillError: its skill is not installed.
    """
    if info.is_given:
        raise _to_be_given(info)
    if info.task is None:
        return load_skill(info.skill)
    try:
        return load_task(info.task)
    except InputError as error:
        raise StoreError(f"The store is of the task in {info.task}. {error}") from error


def _to_be_given(info: StoreInfo) -> StoreError:
    return StoreError(
        f"The store is of the task {info.skill!r}, which was made in Python; "
        "give it again, as in open_lab(task=…)."
    )


def remembered(settings: Settings) -> Settings:
    """Return settings with the task of their store, unless they name a task or skill themselves.

    Raises:
        StoreError: the store cannot be read, or its task was made in Python.
    """
    if settings.task is not None or settings.skill != AgentSettings().skill:
        return settings
    info = read_info(settings.store)
    if info is not None and info.is_given:
        raise _to_be_given(info)
    if info is None or info.task is None:
        return settings
    return settings.model_copy(update={"task": info.task})


def in_effect(settings: Settings) -> Settings:
    """Return settings with the task of their store, and with who proposes patches.

    Raises:
        StoreError: the store cannot be read.
        InputError: the task folder cannot be used.
        SkillError: no such skill is installed, or it cannot be loaded.
    """
    settings = remembered(settings)
    return settings.model_copy(update={"patcher": patcher_of(find_skill(settings), settings)})
