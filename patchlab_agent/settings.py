"""What a run is configured by."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from patchlab_agent.errors import UsageError
from patchlab_agent.models.base import Frozen

DEFAULT_STORE = Path(".patchlab")
DEFAULT_RUNS = 1000
MAX_TOP_K = 50
MAX_EXAMPLES = 20


class AgentSettings(Frozen):
    """What decides about an answer."""

    skill: str = "shipping"
    backend: str = "toy"
    seed: int = Field(default=7, description="of the toy's noise and of the generated requests")
    noise: float = Field(default=0.03, ge=0, le=1, description="the toy's mistakes per field")
    top_k: int = Field(default=5, ge=0, le=MAX_TOP_K, description="patches retrieved per request")
    examples: int = Field(default=3, ge=0, le=MAX_EXAMPLES, description="similar traces shown")
    store: Path = DEFAULT_STORE
    embedder: str | None = Field(default=None, description="None: the store's, or hashing")


def agent_settings(**values: Any) -> AgentSettings:
    """Settings of an agent, checked.

    Raises:
        UsageError: a value is out of range or of the wrong kind; names it.
    """
    try:
        return AgentSettings.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(map(str, first["loc"]))
        raise UsageError(f"{name}={first['input']!r} cannot be used: {first['msg']}.") from error


class RunSettings(AgentSettings):
    """What decides about a run, beside its answers."""

    runs: int | None = Field(
        default=None, ge=1, description=f"None: {DEFAULT_RUNS}, or all of `requests`"
    )
    golden: int = Field(default=40, ge=0, description="golden cases to measure on")
    requests: Path | None = Field(default=None, description="labeled requests, JSONL or CSV")
