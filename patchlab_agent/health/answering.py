"""Checks that the configured backend and recording answer."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

from patchlab_agent.backends.cassette import Cassette
from patchlab_agent.lab.backend_choice import backend_of, cassette_path, simulated_by
from patchlab_agent.lab.opening import lab_of
from patchlab_agent.lab.skills import find_skill
from patchlab_agent.models.health import Check
from patchlab_agent.models.prompt import Message, Prompt
from patchlab_agent.settings import LITELLM, REPLAY, AgentSettings
from patchlab_agent.skill.optional import cases_of
from patchlab_agent.skill.skill import Skill

PATIENCE = 30.0
"""Upper limit in seconds for a model to answer one small call."""

_PING = Prompt(
    messages=(Message(role="user", content='Answer with {"ok": true} and nothing else.'),),
    answer_schema={
        "type": "object",
        "properties": {"ok": {"type": "boolean"}},
        "required": ["ok"],
        "additionalProperties": False,
    },
    draw="doctor",
    request="are you there?",
    purpose="doctor",
)


def cassette(settings: AgentSettings) -> Iterator[Check]:
    """Check that the recording to be replayed can be read."""
    skill = find_skill(settings)
    if settings.replay is None and skill.cassette is None and settings.backend != REPLAY:
        return
    played = Cassette(cassette_path(skill, settings.replay))
    yield Check(
        name="cassette",
        found=f"{played.path.name}: {len(played.answers):,} answers of {played.header.parameters}",
    )


def backend(settings: AgentSettings, offline: bool) -> Iterator[Check]:
    """Check that the configured backend answers."""
    skill = find_skill(settings)
    if simulated_by(skill, settings.backend) is not None:
        yield _simulated(skill, settings)
    elif settings.backend == LITELLM and offline:
        yield Check(name="backend", found=f"{settings.model} was not called: --offline")
    elif settings.backend == LITELLM:
        yield _real(skill, settings)
    else:
        with_closed = backend_of(skill, settings)
        yield Check(name="backend", found=with_closed.name)
        with_closed.close()


def _simulated(skill: Skill, settings: AgentSettings) -> Check:
    # Golden cases are for measuring alone, and a task may have none.
    rng = random.Random(settings.seed)  # noqa: S311 - no secret depends on it
    request = next(cases_of(skill.simulator, rng)).request
    # A temporary store: the question must not leave a trace in the real one.
    with tempfile.TemporaryDirectory() as folder:
        asked = settings.model_copy(update={"store": Path(folder) / "store"})
        with lab_of(asked) as lab:
            answered = lab.agent.answer(request)
            return Check(
                name="backend",
                found=f"{lab.agent.backend.name} answers {len(answered.attempt.raw):,} characters",
            )


def _real(skill: Skill, settings: AgentSettings) -> Check:
    patience = min(settings.timeout, PATIENCE)
    asked = settings.model_copy(update={"timeout": patience, "record": None})
    model = backend_of(skill, asked, retries=0)
    try:
        completion = model.complete(_PING)
    finally:
        model.close()
    seconds = completion.usage.seconds or 0
    return Check(name="backend", found=f"{model.name} answers after {seconds:.1f} s")
