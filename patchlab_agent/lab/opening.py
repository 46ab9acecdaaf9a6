"""How to put a skill, a store and a model together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Unpack

from patchlab_agent.agent.agent import Agent, utc_now
from patchlab_agent.agent.conversation import MAX_REPAIRS
from patchlab_agent.agent.holdout import Holdout
from patchlab_agent.backends.base import Backend, checked_backend
from patchlab_agent.backends.cache import CachedBackend
from patchlab_agent.backends.meter import MeteredBackend
from patchlab_agent.lab import backend_choice
from patchlab_agent.lab.lab import Lab
from patchlab_agent.lab.naming import known_settings
from patchlab_agent.lab.skills import find_skill, remembered
from patchlab_agent.settings import (
    REPLAY,
    REPLAY_STORE,
    SIMULATED,
    AgentSettings,
    LabOptions,
    RunSettings,
    checked,
)
from patchlab_agent.store.store import Store
from patchlab_agent.tasks.definition import Task

CACHED_ANSWERS = 8192
"""More than a run of a thousand requests asks for."""


def open_lab(
    *,
    backend: str | Backend = SIMULATED,
    task: str | Path | Task | None = None,
    clock: Callable[[], str] = utc_now,
    write: bool = True,
    **settings: Unpack[LabOptions],
) -> Lab:
    """Put a skill, a store and a model together.

    Every setting of the command line is an argument, with the same name, default and meaning:
    `open_lab(backend="litellm", model="ollama_chat/qwen2.5-coder:1.5b", top_k=3)`.

    Args:
        backend: name of a simulated backend, of one that a package offers, `litellm`, or `replay`,
            which takes up the settings of the recorded run; or an object with the members of
            `Backend`.
        task: a task folder, or a task that was made in Python, in place of an installed skill.
        clock: the time as ISO 8601.
        write: False opens a store that is there beside a process that writes to it; then `context`
            works, and whatever would store something raises a `StoreError`.
        settings: see `RunSettings`, which describes each.

    Raises:
        SkillError: there is no such skill.
        UsageError: the skill has no such backend, a member of the given one is missing, there is
            no such embedder or setting, or a value is out of range.
        InputError: a cassette cannot be used.
        StoreError: the store cannot be opened.
        PromptError: the skill's templates are broken.

    Example:
        >>> with open_lab(noise=0, top_k=3, store="lessons") as lab:
        ...     lab.answer("Ship 2 kg books box to US").output["country"]
        'US'
    """
    given: dict[str, Any] = known_settings(settings)
    made = task if isinstance(task, Task) else None
    if task is not None and made is None:
        given["task"] = task
    if isinstance(backend, str):
        if given.get("replay") is not None and backend == AgentSettings().backend:
            backend = REPLAY
        if backend == REPLAY:
            given = {**_recorded(given), **given}
        wanted = checked(RunSettings, {**given, "backend": backend})
        return lab_of(wanted, task=made, clock=clock, write=write)
    wanted = checked(RunSettings, {**given, "backend": checked_backend(backend).name})
    model = backend_choice.own_backend(backend, wanted)
    return lab_of(wanted, task=made, model=model, clock=clock, write=write)


def _recorded(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a recorded run, except those given instead."""
    wanted = checked(AgentSettings, {**given, "backend": REPLAY})
    recorded = backend_choice.recorded_settings(wanted.skill, wanted.replay)
    return {**recorded, "store": REPLAY_STORE}


def lab_of(
    settings: AgentSettings,
    *,
    task: Task | None = None,
    model: Backend | None = None,
    clock: Callable[[], str] = utc_now,
    write: bool = True,
) -> Lab:
    """Open the lab that settings describe; raises what `open_lab` raises.

    Args:
        settings: what decides about an answer.
        task: one that was made in Python; None: what the settings or the store name.
        model: takes the place of the backend that the settings name.
        clock: the time as ISO 8601.
        write: False opens the store for reading, beside a process that writes; it must be there.
    """
    made = None if task is None else task.skill
    settings = settings if made else remembered(settings)
    skill = backend_choice.as_recorded(made or find_skill(settings), settings)
    is_simulated = (
        model is None and backend_choice.simulated_by(skill, settings.backend) is not None
    )
    model = model or backend_choice.backend_of(skill, settings)
    # Where spending is limited, it goes to what is at hand, not to what comes next.
    ahead = not is_simulated and not backend_choice.budget_of(settings).is_limited
    cached = CachedBackend(model, CACHED_ANSWERS, width=settings.concurrency if ahead else 1)
    meter = MeteredBackend(cached)
    store = Store(
        settings.store,
        skill.name,
        skill.task.parse_fix,
        skill.task.may_show,
        task=settings.task,
        is_given=made is not None,
        embedder_name=settings.embedder,
        write=write,
        shared=settings.shared and write,
    )
    try:
        agent = Agent(
            skill.task,
            meter,
            store.patches,
            store.examples,
            top_k=settings.top_k,
            n_examples=settings.examples,
            context_tokens=settings.context_tokens,
            # A simulated model makes the same mistake again on the same draw.
            max_repairs=0 if is_simulated else MAX_REPAIRS,
            max_request_chars=skill.max_request_chars,
            holdout=Holdout(settings.holdout, settings.seed),
            clock=clock,
        )
        if write:
            store.keep_prompt(agent.system)
    except BaseException:
        store.close()
        raise
    return Lab(skill, store, agent, meter, settings=settings, model=model)
