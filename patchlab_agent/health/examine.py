"""All checks, one after another."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path

from patchlab_agent.errors import PatchLabError
from patchlab_agent.health.answering import backend, cassette
from patchlab_agent.health.base import looked
from patchlab_agent.health.installation import prompts, skills, surroundings, versions
from patchlab_agent.health.storage import disk, embedding, store
from patchlab_agent.lab.skills import remembered
from patchlab_agent.models.health import Check, Health
from patchlab_agent.settings import AgentSettings


def examine(
    settings: AgentSettings,
    *,
    offline: bool = False,
    folder: Path | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Health:
    """Check everything that a run with these settings depends on.

    Args:
        settings: those of the run.
        offline: do not call a real model.
        folder: where the search for a `[tool.patchlab]` table starts; None: the working directory.
        environment: environment variables by name.
    """
    # A store that cannot be read is found below.
    with suppress(PatchLabError):
        settings = remembered(settings)
    checks: list[tuple[str, Callable[[], Iterable[Check]]]] = [
        ("settings", partial(surroundings, folder or Path.cwd(), environment)),
        ("versions", versions),
        ("skills", skills),
        ("prompts", partial(prompts, settings)),
        ("embedder", partial(embedding, settings)),
        ("store", partial(store, settings)),
        ("disk", partial(disk, settings.store)),
        ("cassette", partial(cassette, settings)),
        ("backend", partial(backend, settings, offline)),
    ]
    return Health(checks=tuple(found for name, look in checks for found in looked(name, look)))
