"""What a run is configured by."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict, TypeVar

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


Group = Literal["running", "answering", "using", "learning", "spending", "real_model"]
"""Which commands take a setting: those that run many requests, those that ask a model, those whose
answers are uses of what was learned, those that may make patches, those that ask a model more than
a few times, and those that may ask a real one."""
REAL = "A real model"
"""The help's heading for what only a real model heeds."""


@dataclass(frozen=True)
class Option:
    """How a command line shows a setting, besides its help, which is the field's description.

    Attributes:
        group: of the commands that take it.
        metavar: stands for its value; None names the value's type.
        default: stands for a default of None.
        panel: the help's heading that it stands under; None: that of a command's own options.
    """

    group: Group
    metavar: str | None = None
    default: str | None = None
    panel: str | None = None


class AgentSettings(Frozen):
    """The settings that decide about an answer.

    Each field is declared here and nowhere else: its default, its limits, its help, and how a
    command line shows it.

    Example:
        >>> AgentSettings(noise=0, top_k=3).gate
        'on'
    """

    backend: Annotated[str, Option("answering")] = Field(
        default="toy",
        description="What answers: toy, a noisy parser that needs no model; litellm, a real "
        "model; replay, recorded answers of one.",
    )
    seed: Annotated[int, Option("answering")] = Field(
        default=7,
        description="Of the toy's mistakes, the generated requests, and what --holdout leaves out.",
    )
    noise: Annotated[float, Option("answering")] = Field(
        default=0.03, ge=0, le=1, description="The toy's chance of a mistake per field."
    )
    top_k: Annotated[int, Option("answering")] = Field(
        default=5, ge=0, le=MAX_TOP_K, description="Patches to retrieve per request."
    )
    examples: Annotated[int, Option("answering")] = Field(
        default=3,
        ge=0,
        le=MAX_EXAMPLES,
        description="Right answers to show, at most: those that cover what is uncommon in a "
        "request.",
    )
    context_tokens: Annotated[int, Option("answering", metavar="N")] = Field(
        default=DEFAULT_CONTEXT_TOKENS,
        ge=0,
        description="What lessons and examples may add to a prompt, in tokens (estimated): proven "
        "lessons first, then those on trial, each by its worth per token, then examples.",
    )
    store: Annotated[Path, Option("answering", metavar="FOLDER")] = Field(
        default=DEFAULT_STORE, description="Folder of patches and traces."
    )
    embedder: Annotated[str | None, Option("answering", default="hashing")] = Field(
        default=None,
        description="hashing, or wordllama (extra). A store keeps the one it was made with.",
    )
    skill: Annotated[str, Option("answering")] = Field(
        default="shipping", description="Which installed skill to use."
    )
    holdout: Annotated[float, Option("using", metavar="SHARE")] = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Leave each lesson out of this share of its uses, 0 to below 1, by a seeded "
        "draw; its standing then rests on the answers with it and without it. In a run, too, it "
        "does so in place of the baseline, as it would in production.",
    )
    patcher: Annotated[Literal["rules", "llm"], Option("learning")] = Field(
        default="rules",
        description="Who proposes patches: the skill's rules, or the model itself.",
    )
    gate: Annotated[Literal["on", "off"], Option("learning")] = Field(
        default="on",
        description="off activates every proposed patch untested, to see what the gate is for.",
    )
    gate_alpha: Annotated[float, Option("learning", metavar="SHARE")] = Field(
        default=0.05,
        gt=0,
        lt=0.5,
        description="Bound on the chance that luck alone lets a patch in, or calls it proven.",
    )
    gate_max_calls: Annotated[int, Option("learning")] = Field(
        default=400, ge=2, description="Answers that the gate may ask for in one decision."
    )
    trust: Annotated[str, AfterValidator(_origins), Option("learning", metavar="ORIGINS")] = Field(
        default="import,model,person",
        description="Whose lessons are let in, on trial, where nobody can judge the new answer and "
        "nothing at hand tells: person, model, import, separated by commas; or nobody.",
    )
    concurrency: Annotated[int, Option("spending")] = Field(
        default=1,
        ge=1,
        le=MAX_CONCURRENCY,
        description="Requests at a time, all answered from what was learned before the first of "
        "them.",
    )
    max_calls: Annotated[int | None, Option("spending", panel=REAL)] = Field(
        default=None, ge=1, description="End cleanly after so many model calls."
    )
    max_cost: Annotated[float | None, Option("spending", metavar="USD", panel=REAL)] = Field(
        default=None, gt=0, description="End cleanly once so many US dollars are spent."
    )
    max_tokens_total: Annotated[int | None, Option("spending", panel=REAL)] = Field(
        default=None, ge=1, description="End cleanly once so many tokens went in and out."
    )
    model: Annotated[str | None, Option("real_model", metavar="PROVIDER/NAME", panel=REAL)] = Field(
        default=None,
        description="The real model, as litellm names it: ollama_chat/NAME, openai/NAME, "
        "anthropic/NAME. Keys come from the environment.",
    )
    api_base: Annotated[str | None, Option("real_model", metavar="URL", panel=REAL)] = Field(
        default=None, description="Address of your own OpenAI-compatible or Ollama server."
    )
    temperature: Annotated[float, Option("real_model", panel=REAL)] = Field(
        default=0.0,
        ge=0,
        le=2,
        description="Of the model's sampling. Above 0 answers vary, and the gate asks for several.",
    )
    max_tokens: Annotated[int, Option("real_model", panel=REAL)] = Field(
        default=DEFAULT_MAX_TOKENS, ge=1, description="Tokens in one answer."
    )
    seed_model: Annotated[int | None, Option("real_model", panel=REAL)] = Field(
        default=None, description="Of the model's sampling, where it takes one."
    )
    timeout: Annotated[float, Option("real_model", panel=REAL)] = Field(
        default=DEFAULT_TIMEOUT, ge=0.1, description="Seconds to wait for one answer."
    )
    record: Annotated[Path | None, Option("real_model", metavar="FILE", panel=REAL)] = Field(
        default=None,
        description="Cassette to keep the model's answers in; what it holds is not asked again.",
    )
    record_note: Annotated[str, Option("real_model", metavar="TEXT", panel=REAL)] = Field(
        default="",
        description="Goes into the cassette: the model's file, quantization, server.",
    )
    replay: Annotated[
        Path | None,
        Option(
            "real_model",
            metavar="FILE",
            default="the recorded run that comes with the package",
            panel=REAL,
        ),
    ] = Field(
        default=None,
        description="Cassette to answer from, without model or network; implies --backend replay.",
    )


Settings = TypeVar("Settings", bound=AgentSettings)


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
    """The settings of a run, with those that decide about its answers.

    Example:
        >>> settings = RunSettings(runs=200, golden=60, false_feedback=0.1)
    """

    runs: Annotated[
        int | None, Option("running", default=f"{DEFAULT_RUNS}, or all of --requests")
    ] = Field(default=None, ge=1, description="Requests to run.")
    golden: Annotated[int, Option("running")] = Field(
        default=40, ge=0, description="Held-out golden cases to measure on; 0 for none."
    )
    requests: Annotated[Path | None, Option("running", metavar="FILE")] = Field(
        default=None,
        description="Your own labeled requests, JSONL or CSV, in place of generated ones.",
    )
    false_feedback: Annotated[float, Option("running", metavar="SHARE")] = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Share of the simulated carrier's words that are plausible and false.",
    )
    drift: Annotated[
        int | None, Option("running", metavar="RUN", default="rules stay as they are")
    ] = Field(
        default=None,
        ge=2,
        description="Change the simulated carrier's rules at this run: an embargo, a limit, a "
        "unit, a category.",
    )


class LabOptions(TypedDict, total=False):
    """The settings as keyword arguments, for type checkers; `RunSettings` describes them."""

    seed: int
    noise: float
    top_k: int
    examples: int
    context_tokens: int
    store: str | Path
    embedder: str | None
    skill: str
    holdout: float
    patcher: Literal["rules", "llm"]
    gate: Literal["on", "off"]
    gate_alpha: float
    gate_max_calls: int
    trust: str
    concurrency: int
    max_calls: int | None
    max_cost: float | None
    max_tokens_total: int | None
    model: str | None
    api_base: str | None
    temperature: float
    max_tokens: int
    seed_model: int | None
    timeout: float
    record: str | Path | None
    record_note: str
    replay: str | Path | None
    runs: int | None
    golden: int
    requests: str | Path | None
    false_feedback: float
    drift: int | None


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
SPENDING = ("max_calls", "max_cost", "max_tokens_total")
"""What limits the calls of a model."""
MODEL = (
    *("model", "api_base", "temperature", "max_tokens", "seed_model", "timeout", "record_note"),
    *SPENDING,
)
"""What only a real model heeds."""
PATHS = ("store", "requests", "record", "replay")
"""Files and folders of one machine."""


def unheeded(backend: str) -> frozenset[str]:
    """The settings that have no say in what a backend answers."""
    if backend == LITELLM:
        return frozenset({"replay"})
    return frozenset({*MODEL, "record"} if backend == REPLAY else {*MODEL, "record", "replay"})
