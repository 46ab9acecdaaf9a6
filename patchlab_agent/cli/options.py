"""Options that several commands take, each with its range and its help."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from patchlab_agent.models.setting import Source
from patchlab_agent.settings import (
    DEFAULT_RUNS,
    MAX_CONCURRENCY,
    MAX_EXAMPLES,
    MAX_TOP_K,
    REPLAY,
    REPLAY_STORE,
    AgentSettings,
    RunSettings,
    Settings,
    checked,
    unheeded,
)

REAL = "A real model"
"""The help's heading for what only a real model heeds."""

Store = Annotated[Path, typer.Option(help="Folder of patches and traces.", metavar="FOLDER")]
Skill = Annotated[str, typer.Option(help="Which installed skill to use.")]
Backend = Annotated[
    str,
    typer.Option(
        help="What answers: toy, a noisy parser that needs no model; litellm, a real model; "
        "replay, recorded answers of one."
    ),
]
Model = Annotated[
    str | None,
    typer.Option(
        help="The real model, as litellm names it: ollama_chat/NAME, openai/NAME, "
        "anthropic/NAME. Keys come from the environment.",
        metavar="PROVIDER/NAME",
        rich_help_panel=REAL,
    ),
]
ApiBase = Annotated[
    str | None,
    typer.Option(
        help="Address of your own OpenAI-compatible or Ollama server.",
        metavar="URL",
        rich_help_panel=REAL,
    ),
]
Temperature = Annotated[
    float,
    typer.Option(
        min=0,
        max=2,
        help="Of the model's sampling. Above 0 answers vary, and the gate asks for several.",
        rich_help_panel=REAL,
    ),
]
MaxTokens = Annotated[int, typer.Option(min=1, help="Tokens in one answer.", rich_help_panel=REAL)]
SeedModel = Annotated[
    int | None,
    typer.Option(help="Of the model's sampling, where it takes one.", rich_help_panel=REAL),
]
Timeout = Annotated[
    float,
    typer.Option(min=0.1, help="Seconds to wait for one answer.", rich_help_panel=REAL),
]
Record = Annotated[
    Path | None,
    typer.Option(
        help="Cassette to keep the model's answers in; what it holds is not asked again.",
        metavar="FILE",
        rich_help_panel=REAL,
    ),
]
RecordNote = Annotated[
    str,
    typer.Option(
        help="Goes into the cassette: the model's file, quantization, server.",
        metavar="TEXT",
        rich_help_panel=REAL,
    ),
]
Replay = Annotated[
    Path | None,
    typer.Option(
        help="Cassette to answer from, without model or network; implies --backend replay.",
        metavar="FILE",
        show_default="the recorded run that comes with the package",
        rich_help_panel=REAL,
    ),
]
Concurrency = Annotated[
    int,
    typer.Option(
        min=1,
        max=MAX_CONCURRENCY,
        help="Requests at a time, all answered from what was learned before the first of them.",
    ),
]
Patcher = Annotated[
    Literal["rules", "llm"],
    typer.Option(help="Who proposes patches: the skill's rules, or the model itself."),
]
Gate = Annotated[
    Literal["on", "off"],
    typer.Option(help="off activates every proposed patch untested, to see what the gate is for."),
]
GateAlpha = Annotated[
    float,
    typer.Option(
        help="Bound on the chance that luck alone lets a patch in, or calls it proven.",
        metavar="SHARE",
    ),
]
GateMaxCalls = Annotated[
    int, typer.Option(min=2, help="Answers that the gate may ask for in one decision.")
]
Trust = Annotated[
    str,
    typer.Option(
        help="Whose lessons are let in, on trial, where nobody can judge the new answer and "
        "nothing at hand tells: person, model, import, separated by commas; or nobody.",
        metavar="ORIGINS",
    ),
]
FalseFeedback = Annotated[
    float,
    typer.Option(
        min=0,
        max=1,
        help="Share of the simulated carrier's words that are plausible and false.",
        metavar="SHARE",
    ),
]
Drift = Annotated[
    int | None,
    typer.Option(
        min=2,
        help="Change the simulated carrier's rules at this run: an embargo, a limit, a unit, a "
        "category.",
        metavar="RUN",
        show_default="rules stay as they are",
    ),
]
MaxCalls = Annotated[
    int | None,
    typer.Option(min=1, help="End cleanly after so many model calls.", rich_help_panel=REAL),
]
MaxCost = Annotated[
    float | None,
    typer.Option(
        help="End cleanly once so many US dollars are spent.",
        metavar="USD",
        rich_help_panel=REAL,
    ),
]
MaxTokensTotal = Annotated[
    int | None,
    typer.Option(
        min=1, help="End cleanly once so many tokens went in and out.", rich_help_panel=REAL
    ),
]
Seed = Annotated[
    int,
    typer.Option(
        help="Of the toy's mistakes, the generated requests, and what --holdout leaves out."
    ),
]
Noise = Annotated[
    float, typer.Option(min=0, max=1, help="The toy's chance of a mistake per field.")
]
TopK = Annotated[int, typer.Option(min=0, max=MAX_TOP_K, help="Patches to retrieve per request.")]
Examples = Annotated[
    int,
    typer.Option(
        min=0,
        max=MAX_EXAMPLES,
        help="Right answers to show, at most: those that cover what is uncommon in a request.",
    ),
]
ContextTokens = Annotated[
    int,
    typer.Option(
        min=0,
        help="What lessons and examples may add to a prompt, in tokens (estimated): proven lessons "
        "first, then those on trial, each by its worth per token, then examples.",
        metavar="N",
    ),
]
Holdout = Annotated[
    float,
    typer.Option(
        help="Leave each lesson out of this share of its uses, 0 to below 1, by a seeded draw; its "
        "standing then rests on the answers with it and without it. In a run, too, it does so in "
        "place of the baseline, as it would in production.",
        metavar="SHARE",
    ),
]
Embedder = Annotated[
    str | None,
    typer.Option(
        help="hashing, or wordllama (extra). A store keeps the one it was made with.",
        show_default="hashing",
    ),
]
Runs = Annotated[
    int | None,
    typer.Option(
        min=1, help="Requests to run.", show_default=f"{DEFAULT_RUNS}, or all of --requests"
    ),
]
Golden = Annotated[
    int, typer.Option(min=0, help="Held-out golden cases to measure on; 0 for none.")
]
Requests = Annotated[
    Path | None,
    typer.Option(
        help="Your own labeled requests, JSONL or CSV, in place of generated ones.",
        metavar="FILE",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite a file that is there already.")]


ANSWERING = {
    "backend": Backend,
    "seed": Seed,
    "noise": Noise,
    "top_k": TopK,
    "examples": Examples,
    "context_tokens": ContextTokens,
    "store": Store,
    "embedder": Embedder,
    "skill": Skill,
}
"""Options of every command that asks a model, by the setting that each is of."""
USING = {"holdout": Holdout}
"""Options of commands whose answers are uses of what was learned."""
RUNNING = {
    "runs": Runs,
    "golden": Golden,
    "requests": Requests,
    "false_feedback": FalseFeedback,
    "drift": Drift,
}
"""Options of commands that run many requests."""
LEARNING = {
    "patcher": Patcher,
    "gate": Gate,
    "gate_alpha": GateAlpha,
    "gate_max_calls": GateMaxCalls,
    "trust": Trust,
}
"""Options of commands that may make patches."""
REAL_MODEL = {
    "model": Model,
    "api_base": ApiBase,
    "temperature": Temperature,
    "max_tokens": MaxTokens,
    "seed_model": SeedModel,
    "timeout": Timeout,
    "record": Record,
    "record_note": RecordNote,
    "replay": Replay,
}
"""Options that only a real model, or its recording, heeds."""
SPENDING = {
    "concurrency": Concurrency,
    "max_calls": MaxCalls,
    "max_cost": MaxCost,
    "max_tokens_total": MaxTokensTotal,
}
"""Options of commands that ask a model more than a few times."""


def takes(*groups: Mapping[str, Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options of these groups after its own; it has them by `settings`.

    Their defaults are those of the settings. The command's first parameter is its context.
    """
    shared = {name: option for group in groups for name, option in group.items()}

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(command, eval_str=True)

        @wraps(command)
        def called(**values: Any) -> None:
            command(**{name: values[name] for name in own.parameters})

        parameters = [
            inspect.Parameter(
                name,
                inspect.Parameter.POSITIONAL_OR_KEYWORD,
                default=RunSettings.model_fields[name].default,
                annotation=option,
            )
            for name, option in shared.items()
        ]
        signature = own.replace(parameters=[*own.parameters.values(), *parameters])
        called.__signature__ = signature  # type: ignore[attr-defined]
        return called

    return decorate


def settings(kind: type[Settings], context: typer.Context) -> Settings:
    """The settings that hold for a call; what nothing speaks of has the settings' defaults.

    Raises:
        UsageError: a value cannot be used.
        InputError: a cassette cannot be used.
    """
    return checked(kind, {name: value for name, (value, _) in chosen(context).items()})


def chosen(context: typer.Context) -> dict[str, tuple[Any, Source]]:
    """What the command line, variables and the table choose, and which of them it was.

    `--replay FILE` alone asks for the backend of that name. A replay takes up the settings of the
    run that was recorded, and a store of its own: anything else from around the command line would
    make it ask for answers that were not recorded. Any other backend passes over what it would not
    heed from there, so that a table may describe several.

    Raises:
        UsageError, InputError: a cassette cannot be used.
    """
    said = {
        name: (value, source)
        for name, value in context.params.items()
        if (source := _source(context, name)) is not None
    }
    given = {name: told for name, told in said.items() if told[1] is Source.COMMAND_LINE}
    around = {name: told for name, told in said.items() if name not in given}
    if "replay" in given:
        given.setdefault("backend", (REPLAY, Source.COMMAND_LINE))
    backend, _ = {**around, **given}.get("backend", (AgentSettings().backend, None))
    if backend != REPLAY:
        passed_over = unheeded(backend)
        return {**{n: told for n, told in around.items() if n not in passed_over}, **given}
    which = {name: told for name, told in around.items() if name in _WHICH_RECORDING}
    return {**which, **_recorded({**which, **given}), **given}


def given(context: typer.Context) -> list[str]:
    """The parameters that the command line itself gives."""
    return [name for name in context.params if _source(context, name) is Source.COMMAND_LINE]


_WHICH_RECORDING = ("backend", "skill", "replay")
_SOURCES = {
    "COMMANDLINE": Source.COMMAND_LINE,
    "PROMPT": Source.COMMAND_LINE,
    "ENVIRONMENT": Source.ENVIRONMENT,
    "DEFAULT_MAP": Source.TABLE,
}


def _source(context: typer.Context, name: str) -> Source | None:
    source = context.get_parameter_source(name)
    return None if source is None else _SOURCES.get(source.name)


def _recorded(said: Mapping[str, tuple[Any, Source]]) -> dict[str, tuple[Any, Source]]:
    from patchlab_agent.lab.models import recorded_settings

    skill, cassette = (said.get(name, (None, None))[0] for name in ("skill", "replay"))
    found = recorded_settings(skill or AgentSettings().skill, cassette)
    return {name: (v, Source.RECORDING) for name, v in {**found, "store": REPLAY_STORE}.items()}
