"""What a run is configured by."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict, TypeVar

from pydantic import AfterValidator, Field, ValidationError, field_validator

from patchlab_agent.errors import UsageError, in_short
from patchlab_agent.models.address import Location, StoreLocation
from patchlab_agent.models.base import Frozen
from patchlab_agent.models.masking import masked, masked_words
from patchlab_agent.models.model import DEFAULT_MAX_TOKENS, DEFAULT_TIMEOUT, without_login
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
SIMULATED = "simulated"
MAX_CONCURRENCY = 64


NOBODY = "nobody"


def _without_keys(note: str) -> str:
    """Mask what reports, cassettes and pages are not to repeat."""
    return masked_words(note)


def _origins(text: str) -> str:
    """Origins of lessons, separated by commas, or `nobody`."""
    named = {part.strip() for part in text.split(",")} - {NOBODY}
    if named - set(Origin):
        known = ", ".join(Origin)
        raise ValueError(f"name some of {known}, separated by commas, or {NOBODY}")
    return ",".join(sorted(named)) or NOBODY


Group = Literal[
    "running", "answering", "using", "sharing", "learning", "gating", "spending", "real_model"
]
"""Which commands take a setting: those that run many requests, those that ask a model, those whose
answers are uses of what was learned, those that can write to a store beside others, those that
propose patches, those that put patches before the gate, those that ask a model more than a few
times, and those that may ask a real one."""
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
        default=SIMULATED,
        description="Where answers come from: simulated, the skill's stand-in for a model, which "
        "has a name as well; litellm, a real model; replay, a real model's recorded answers; or "
        "a backend that an installed package offers.",
    )
    seed: Annotated[int, Option("answering")] = Field(
        default=7,
        description="Seed for the simulated model's mistakes, the generated requests, and what "
        "--holdout leaves out.",
    )
    noise: Annotated[float, Option("answering")] = Field(
        default=0.03,
        ge=0,
        le=1,
        description="Probability that the simulated model gets a field wrong.",
    )
    top_k: Annotated[int, Option("answering")] = Field(
        default=5, ge=0, le=MAX_TOP_K, description="Number of patches to retrieve per request."
    )
    examples: Annotated[int, Option("answering")] = Field(
        default=3,
        ge=0,
        le=MAX_EXAMPLES,
        description="Maximum number of few-shot examples per prompt: right answers that cover "
        "what is uncommon in a request.",
    )
    context_tokens: Annotated[int, Option("answering", metavar="N")] = Field(
        default=DEFAULT_CONTEXT_TOKENS,
        ge=0,
        description="Token budget (estimated) for lessons and examples in a prompt: proven "
        "lessons first, then those on trial, each by measured worth per token, then "
        "examples.",
    )
    store: Annotated[StoreLocation, Option("answering", metavar="FOLDER|ADDRESS")] = Field(
        default=DEFAULT_STORE,
        description="Folder in which patches and traces are stored, or the address of a Chroma "
        "server: http://HOST:PORT/DATABASE.",
    )
    shared: Annotated[bool, Option("sharing")] = Field(
        default=False,
        description="Write to the store beside other processes that do so with this option; it "
        "has to be on a Chroma server.",
    )
    embedder: Annotated[str | None, Option("answering", default="hashing")] = Field(
        default=None,
        description="Embedder to use: hashing, or wordllama (extra). A store keeps the one it "
        "was created with.",
    )
    skill: Annotated[str, Option("answering")] = Field(
        default="shipping", description="Installed skill to use."
    )
    task: Annotated[Path | None, Option("answering", metavar="FOLDER")] = Field(
        default=None,
        description="Task folder to use instead of an installed skill. A store keeps the one it "
        "was created with.",
    )
    holdout: Annotated[float, Option("using", metavar="SHARE")] = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Share of its uses, 0 to below 1, that each lesson is left out of by a "
        "seeded draw. Its standing then rests on the answers with and without it, "
        "in a run as in production, instead of on the baseline.",
    )
    patcher: Annotated[Literal["auto", "rules", "llm"], Option("learning")] = Field(
        default="auto",
        description="Who proposes patches: rules, the skill's, from the feedback alone; llm, the "
        "model itself; auto, a real model beside the rules where the skill provides for it, as "
        "tasks do, else the rules.",
    )
    ask_names: Annotated[bool, Option("learning")] = Field(
        default=False,
        description="Ask the model, once for each lesson that is let in, what else people call its "
        "subject. Each name needs evidence of its own, so most of them cost answers.",
    )
    gate: Annotated[Literal["on", "off"], Option("gating")] = Field(
        default="on",
        description="off activates every proposed patch untested, to show what the gate is worth.",
    )
    gate_alpha: Annotated[float, Option("gating", metavar="SHARE")] = Field(
        default=0.05,
        gt=0,
        lt=0.5,
        description="Upper bound on the probability that chance alone lets a patch in, or "
        "proves it.",
    )
    gate_max_calls: Annotated[int, Option("gating")] = Field(
        default=400,
        ge=2,
        description="Maximum number of answers that the gate may request for one decision.",
    )
    trust: Annotated[str, AfterValidator(_origins), Option("gating", metavar="ORIGINS")] = Field(
        default="import,model,person",
        description="Origins whose lessons are let in on trial where nothing available can "
        "verify them: person, model, import, separated by commas; or nobody.",
    )
    concurrency: Annotated[int, Option("spending")] = Field(
        default=1,
        ge=1,
        le=MAX_CONCURRENCY,
        description="Requests to run at a time, all answered from what was learned before the "
        "first of them.",
    )
    max_calls: Annotated[int | None, Option("spending", panel=REAL)] = Field(
        default=None, ge=1, description="Stop cleanly after this many model calls."
    )
    max_cost: Annotated[float | None, Option("spending", metavar="USD", panel=REAL)] = Field(
        default=None, gt=0, description="Stop cleanly once this many US dollars are spent."
    )
    max_tokens_total: Annotated[int | None, Option("spending", panel=REAL)] = Field(
        default=None, ge=1, description="Stop cleanly once this many tokens were sent and received."
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
        description="Sampling temperature of the model. Above 0 answers vary, and the gate "
        "requests several.",
    )
    max_tokens: Annotated[int, Option("real_model", panel=REAL)] = Field(
        default=DEFAULT_MAX_TOKENS, ge=1, description="Maximum number of tokens in one answer."
    )
    seed_model: Annotated[int | None, Option("real_model", panel=REAL)] = Field(
        default=None, description="Sampling seed for the model, where it supports one."
    )
    timeout: Annotated[float, Option("real_model", panel=REAL)] = Field(
        default=DEFAULT_TIMEOUT, ge=0.1, description="Seconds to wait for one answer."
    )
    record: Annotated[Path | None, Option("real_model", metavar="FILE", panel=REAL)] = Field(
        default=None,
        description="Cassette file to record the model's answers in; answers that it already "
        "holds are not requested again.",
    )
    record_note: Annotated[
        str, AfterValidator(_without_keys), Option("real_model", metavar="TEXT", panel=REAL)
    ] = Field(
        default="",
        description="Note to store in the cassette: the model's file, quantization, server.",
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
        description="Cassette file to answer from, without a model or network; implies "
        "--backend replay.",
    )

    @field_validator("*")
    @classmethod
    def _can_be_a_name(cls, value: object) -> object:
        """Refuse a path that no file system takes."""
        if isinstance(value, Path) and not _is_a_name(value):
            raise ValueError("a path holds no null character and no half of a character")
        return value


def _is_a_name(path: Path) -> bool:
    try:
        return b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        return False


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
        value = _shown(first["input"])
        raise UsageError(f"{name}={value} cannot be used: {first['msg']}.") from error


def _shown(value: object) -> str:
    """Return a value as a message repeats it, without a login or a key."""
    if isinstance(value, str):
        is_address = "@" in value or "://" in value
        return in_short(masked(without_login(value) if is_address else value))
    return masked(in_short(value))


class RunSettings(AgentSettings):
    """The settings of a run, with those that decide about its answers.

    Example:
        >>> settings = RunSettings(runs=200, golden=60, false_feedback=0.1)
    """

    runs: Annotated[
        int | None, Option("running", default=f"{DEFAULT_RUNS}, or all of --requests")
    ] = Field(default=None, ge=1, description="Requests to run.")
    golden: Annotated[int, Option("running")] = Field(
        default=40, ge=0, description="Number of held-out golden cases to evaluate on; 0 for none."
    )
    requests: Annotated[Path | None, Option("running", metavar="FILE")] = Field(
        default=None,
        description="File with your own labeled requests, JSONL or CSV, to run instead of "
        "generated ones.",
    )
    false_feedback: Annotated[float, Option("running", metavar="SHARE")] = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Share of the simulated feedback that is plausible but false.",
    )
    drift: Annotated[
        int | None, Option("running", metavar="RUN", default="rules stay as they are")
    ] = Field(
        default=None,
        ge=2,
        description="Run at which the simulation's rules change, where the skill's can.",
    )


class LabOptions(TypedDict, total=False):
    """The settings as keyword arguments, for type checkers; `RunSettings` describes them."""

    seed: int
    noise: float
    top_k: int
    examples: int
    context_tokens: int
    store: str | Location
    shared: bool
    embedder: str | None
    skill: str
    holdout: float
    patcher: Literal["auto", "rules", "llm"]
    ask_names: bool
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
    "ask_names",
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
PATHS = ("store", "task", "requests", "record", "replay")
"""Files and folders of one machine."""


def unheeded(backend: str) -> frozenset[str]:
    """Return the settings that do not affect a backend's answers."""
    if backend == LITELLM:
        return frozenset({"replay"})
    return frozenset({*MODEL, "record"} if backend == REPLAY else {*MODEL, "record", "replay"})
