"""What a run is configured by."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, Field, ValidationError

from patchlab_agent.errors import UsageError
from patchlab_agent.models.base import Frozen
from patchlab_agent.models.model import DEFAULT_MAX_TOKENS, DEFAULT_TIMEOUT
from patchlab_agent.models.patch import Origin

DEFAULT_STORE = Path(".patchlab")
REPLAY_STORE = Path(".patchlab-replay")
"""A replay's own store, begun anew each time: its answers are to prompts with nothing learned."""
DEFAULT_RUNS = 1000
MAX_TOP_K = 50
DEFAULT_CONTEXT_TOKENS = 250
"""Room for five lessons, or for a lesson and an example (bench.contexts, docs/contexts.md)."""
MAX_EXAMPLES = 20

LITELLM = "litellm"
REPLAY = "replay"
MAX_CONCURRENCY = 64


NOBODY = "nobody"


def _origins(text: str) -> str:
    """Origins of lessons, separated by commas, or `nobody`."""
    named = {part.strip() for part in text.split(",")} - {NOBODY}
    if named - set(Origin):
        known = ", ".join(Origin)
        raise ValueError(f"name some of {known}, separated by commas, or {NOBODY}")
    return ",".join(sorted(named)) or NOBODY


class AgentSettings(Frozen):
    """What decides about an answer."""

    skill: str = "shipping"
    backend: str = "toy"
    seed: int = Field(
        default=7, description="of the toy's noise, the generated requests and the holdout"
    )
    noise: float = Field(default=0.03, ge=0, le=1, description="the toy's mistakes per field")
    top_k: int = Field(default=5, ge=0, le=MAX_TOP_K, description="patches retrieved per request")
    examples: int = Field(
        default=3, ge=0, le=MAX_EXAMPLES, description="right answers shown, at most"
    )
    context_tokens: int = Field(
        default=DEFAULT_CONTEXT_TOKENS,
        ge=0,
        description="tokens that lessons and examples may add to a prompt, estimated",
    )
    holdout: float = Field(
        default=0.0, ge=0, lt=1, description="share of its uses that a lesson is left out of"
    )
    store: Path = DEFAULT_STORE
    embedder: str | None = Field(default=None, description="None: the store's, or hashing")
    patcher: Literal["rules", "llm"] = Field(default="rules", description="who proposes patches")
    gate: Literal["on", "off"] = Field(
        default="on", description="off activates every patch untested, to see what the gate is for"
    )
    gate_alpha: float = Field(
        default=0.05, gt=0, lt=0.5, description="chance that luck alone lets a patch in, at most"
    )
    gate_max_calls: int = Field(default=400, ge=2, description="answers for one gate decision")
    trust: Annotated[str, AfterValidator(_origins)] = Field(
        default="import,model,person",
        description="whose lessons are let in on their word where nothing else can tell",
    )
    model: str | None = Field(default=None, description="as litellm names it: provider/model")
    api_base: str | None = Field(default=None, description="address of one's own server")
    temperature: float = Field(default=0.0, ge=0, le=2)
    max_tokens: int = Field(default=DEFAULT_MAX_TOKENS, ge=1, description="in one answer")
    seed_model: int | None = Field(default=None, description="of the model's sampling")
    timeout: float = Field(default=DEFAULT_TIMEOUT, ge=0.1, description="seconds for one answer")
    concurrency: int = Field(
        default=1, ge=1, le=MAX_CONCURRENCY, description="requests, and model calls, at a time"
    )
    record: Path | None = Field(default=None, description="cassette to keep the answers in")
    record_note: str = Field(default="", description="goes into the cassette")
    replay: Path | None = Field(default=None, description="cassette to play; None: the skill's")
    max_calls: int | None = Field(default=None, ge=1, description="model calls to spend")
    max_cost: float | None = Field(default=None, gt=0, description="US dollars to spend")
    max_tokens_total: int | None = Field(default=None, ge=1, description="tokens to spend")


Settings = TypeVar("Settings", bound=AgentSettings)


def agent_settings(**values: Any) -> AgentSettings:
    """Settings of an agent, checked.

    Raises:
        UsageError: a value is out of range or of the wrong kind; names it.
    """
    return checked(AgentSettings, values)


def checked(kind: type[Settings], values: dict[str, Any]) -> Settings:
    """Settings of a kind; names that it does not have are left out.

    Raises:
        UsageError: a value is out of range or of the wrong kind; names it.
    """
    try:
        return kind.model_validate({n: v for n, v in values.items() if n in kind.model_fields})
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
    drift: int | None = Field(
        default=None, ge=2, description="run at which the carrier's rules change"
    )
    false_feedback: float = Field(
        default=0.0, ge=0, le=1, description="share of the carrier's words that are false"
    )


RECORDED = (
    "skill",
    "seed",
    "top_k",
    "examples",
    "context_tokens",
    "holdout",
    "concurrency",
    "runs",
    "golden",
    "patcher",
    "gate",
    "gate_alpha",
    "gate_max_calls",
    "false_feedback",
    "drift",
    "embedder",
)
"""What a cassette remembers of the run that it was recorded in, and a replay takes up again."""

SIMULATION = ("noise",)
"""What only a simulated backend heeds."""
MODEL = (
    *("model", "api_base", "temperature", "max_tokens", "seed_model", "timeout"),
    *("record_note", "max_calls", "max_cost", "max_tokens_total"),
)
"""What only a real model heeds."""
PATHS = ("store", "requests", "record", "replay")
"""Files and folders of one machine."""


def unheeded(backend: str) -> frozenset[str]:
    """The settings that have no say in what a backend answers."""
    if backend == LITELLM:
        return frozenset({"replay"})
    return frozenset({*MODEL, "record"} if backend == REPLAY else {*MODEL, "record", "replay"})
