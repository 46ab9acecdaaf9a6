"""Builds the model that settings name: a simulated one, a real one, or a recording."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from patchlab_agent.backends.base import Backend, checked_backend
from patchlab_agent.backends.budget import Budget, BudgetedBackend
from patchlab_agent.backends.cassette import Cassette, ReplayBackend
from patchlab_agent.backends.llm import DEFAULT_RETRIES, LlmBackend
from patchlab_agent.backends.recording import RecordingBackend, begun
from patchlab_agent.errors import UsageError
from patchlab_agent.models.model import ModelParameters, without_login
from patchlab_agent.settings import (
    LITELLM,
    MODEL,
    RECORDED,
    REPLAY,
    SIMULATED,
    SPENDING,
    AgentSettings,
)
from patchlab_agent.skill.recorded import with_cases
from patchlab_agent.skill.skill import Skill, load_skill

ENTRY_POINT_GROUP = "patchlab_agent.backends"
"""Group under which packages offer backends: callables that take `AgentSettings` and build one."""


def as_recorded(skill: Skill, settings: AgentSettings) -> Skill:
    """Return a skill with the cases of the recording that is played or continued, if any.

    Raises:
        UsageError, InputError: the cassette cannot be used.
    """
    cassette = None
    if settings.backend == REPLAY:
        cassette = Cassette(cassette_path(skill, settings.replay))
    elif settings.record is not None:
        cassette = begun(settings.record)
    return skill if cassette is None else with_cases(skill, cassette.cases)


def backend_of(skill: Skill, settings: AgentSettings, *, retries: int = DEFAULT_RETRIES) -> Backend:
    """Build the model that settings name; a real one is not called yet.

    Args:
        skill: brings the simulated ones; a package may offer others by an entry point.
        settings: name it.
        retries: further calls of a real one after a passing failure.

    Raises:
        UsageError: there is no such backend, it lacks a member, or settings contradict each other.
        InputError: a cassette cannot be used.
    """
    if settings.backend != LITELLM:
        _refuse_without_model(settings)
    if settings.backend != REPLAY and settings.replay is not None:
        raise UsageError(f"--replay is for --backend {REPLAY}; leave one of the two out.")
    if (simulated := simulated_by(skill, settings.backend)) is not None:
        return simulated(settings.seed, settings.noise)
    if settings.backend == LITELLM:
        return _real(settings, retries)
    if settings.backend == REPLAY:
        return ReplayBackend(Cassette(cassette_path(skill, settings.replay)))
    for point in entry_points(group=ENTRY_POINT_GROUP, name=settings.backend):
        return checked_backend(point.load()(settings))
    offered_names = sorted(entry_points(group=ENTRY_POINT_GROUP).names)
    known = ", ".join([*_names(skill), LITELLM, REPLAY, *offered_names])
    raise UsageError(f"There is no backend {settings.backend!r}; choose one of: {known}.")


def simulated_by(skill: Skill, name: str) -> Callable[[int, float], Backend] | None:
    """Return what builds the skill's simulated model of this name; None if it has none."""
    if name == SIMULATED:
        return next(iter(skill.backends.values()), None)
    return skill.backends.get(name)


def patcher_of(skill: Skill, settings: AgentSettings) -> Literal["rules", "llm"]:
    """Return who proposes patches.

    A real model does, beside the rules, where the skill provides for it; so does a recorded one,
    which must be asked what the real one was asked. A simulated one does so only if told to.
    """
    if settings.patcher != "auto":
        return settings.patcher
    is_simulated = simulated_by(skill, settings.backend) is not None
    return "llm" if skill.prefers_model and not is_simulated else "rules"


def _names(skill: Skill) -> list[str]:
    return [SIMULATED, *sorted(skill.backends)] if skill.backends else []


def own_backend(backend: Backend, settings: AgentSettings) -> Backend:
    """Return a caller's own backend, held to the spending limits.

    Raises:
        UsageError: there is a setting that only a model of ours would heed.
    """
    for name in (*MODEL, "record", "replay"):
        is_given = getattr(settings, name) != AgentSettings.model_fields[name].default
        if is_given and name not in SPENDING:
            raise UsageError(
                f"{name} is for backend={LITELLM!r} or {REPLAY!r}; "
                "set a backend of your own up before you hand it over."
            )
    budget = budget_of(settings)
    if not budget.is_limited:
        return backend
    return BudgetedBackend(backend, budget, settings.concurrency)


def cassette_path(skill: Skill, wanted: Path | None) -> Path:
    """Return the cassette to play: the requested one, or the skill's own.

    Raises:
        UsageError: none is asked for, and the skill has none.
    """
    path = wanted or skill.cassette
    if path is None:
        raise UsageError(f"Skill {skill.name!r} brings no cassette; name one with --replay FILE.")
    return path


def recorded_settings(skill: str, cassette: Path | None) -> dict[str, Any]:
    """Return the settings of the run in which a cassette was recorded.

    Raises:
        InputError, UsageError, SkillError: there is no such cassette, or it cannot be used.
    """
    header = Cassette(cassette_path(load_skill(skill), cassette)).header
    return {name: value for name, value in header.settings.items() if name in RECORDED}


def budget_of(settings: AgentSettings) -> Budget:
    """Return the spending limits of a run."""
    return Budget(settings.max_calls, settings.max_cost, settings.max_tokens_total)


def _refuse_without_model(settings: AgentSettings) -> None:
    for name in (*MODEL, "record"):
        if getattr(settings, name) != AgentSettings.model_fields[name].default:
            option = name.replace("_", "-")
            raise UsageError(f"--{option} is for a real model; add --backend {LITELLM} --model ….")


def _check_address(api_base: str) -> None:
    try:
        parts = urlsplit(api_base)
        is_valid = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        is_valid = False
    if not is_valid:
        raise UsageError(
            f"--api-base {without_login(api_base)!r} is not a valid address; write it as in "
            f"http://127.0.0.1:8080/v1."
        )


def _real(settings: AgentSettings, retries: int) -> Backend:
    if settings.model is None:
        raise UsageError(
            f"--backend {LITELLM} needs --model, as in --model ollama_chat/qwen2.5-coder:1.5b."
        )
    if settings.api_base is not None:
        _check_address(settings.api_base)
    parameters = ModelParameters(
        model=settings.model,
        temperature=settings.temperature,
        max_tokens=settings.max_tokens,
        seed=settings.seed_model,
    )
    model = LlmBackend(
        parameters,
        api_base=settings.api_base,
        timeout=settings.timeout,
        retries=retries,
        concurrency=settings.concurrency,
    )
    budget = budget_of(settings)
    spending = BudgetedBackend(model, budget, settings.concurrency) if budget.is_limited else model
    if settings.record is None:
        return spending
    return RecordingBackend(
        spending, model, settings.record, note=settings.record_note, group=settings.concurrency
    )
