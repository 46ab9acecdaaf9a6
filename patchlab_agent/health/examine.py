"""All checks, one after the other."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path

from patchlab_agent.health.answering import backend, cassette
from patchlab_agent.health.base import looked
from patchlab_agent.health.installation import prompts, skills, surroundings, versions
from patchlab_agent.health.storage import disk, embedding, store
from patchlab_agent.models.health import Check, Health
from patchlab_agent.settings import AgentSettings


def examine(
    settings: AgentSettings,
    *,
    offline: bool = False,
    folder: Path | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Health:
    """Look at everything that a run with these settings rests on.

    Args:
        settings: as the run would have them.
        offline: leave a real model alone.
        folder: where the search for a table begins; None is the working directory.
        environment: variables by name.
    """
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
