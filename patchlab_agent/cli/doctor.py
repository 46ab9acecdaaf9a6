"""`patchlab-agent doctor` and `patchlab-agent config`: is all well, and what is in effect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from patchlab_agent.cli import options
from patchlab_agent.cli.console import dumped, out, print_json
from patchlab_agent.cli.root import here
from patchlab_agent.config import key, variable
from patchlab_agent.errors import PatchLabError
from patchlab_agent.models.model import without_login
from patchlab_agent.models.setting import Setting, SettingSource
from patchlab_agent.settings import AgentSettings, RunSettings

if TYPE_CHECKING:
    from patchlab_agent.models.health import Check


@options.takes(options.ANSWERING, options.REAL_MODEL)
def doctor(
    context: typer.Context,
    offline: Annotated[
        bool,
        typer.Option(
            "--offline", help="Do not call a real model; the simulated one is checked all the same."
        ),
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Check everything that a run depends on, and say how to fix whatever is wrong.

    Looks at versions, settings, skills, prompts, embedder, store, disk, cassette and backend, and
    changes none of them. A real model is sent one small request. The exit code is 0 if nothing
    failed, else 1.

    Examples:
        patchlab-agent doctor

        patchlab-agent doctor --backend litellm --model ollama_chat/qwen2.5-coder:1.5b --json
    """
    settings, broken = _settings(context)
    from patchlab_agent.health.examine import examine

    found = examine(settings, offline=offline)
    health = found.model_copy(update={"checks": (*broken, *found.checks)})
    if as_json:
        print_json(health.model_dump(mode="json"))
    else:
        from patchlab_agent.report.health import health_table

        out().print(health_table(health))
    raise typer.Exit(0 if health.ok else 1)


def _settings(context: typer.Context) -> tuple[AgentSettings, list[Check]]:
    """Return the settings to check; if they are broken, the defaults and the reasons."""
    try:
        return options.settings(AgentSettings, context), []
    except PatchLabError as error:
        from patchlab_agent.health.base import failed

        return AgentSettings(), [failed("options", error)]


@options.takes(
    options.RUNNING,
    options.ANSWERING,
    options.USING,
    options.SHARING,
    options.LEARNING,
    options.GATING,
    options.SPENDING,
    options.REAL_MODEL,
)
def config(context: typer.Context, as_json: options.Json = False) -> None:
    """Show every setting with its value and where the value comes from.

    The command line takes precedence, then a PATCHLAB_* variable, then the [tool.patchlab] table of
    the nearest pyproject.toml, then the default. In a replay, the settings of the recorded run
    override everything but the command line.

    Examples:
        patchlab-agent config

        patchlab-agent config --backend replay --json
    """
    settings = _effective(context)
    if as_json:
        print_json({"file": _file(), "settings": dumped(settings)})
        return
    from patchlab_agent.report.health import settings_table

    out().print(settings_table(settings))


def _effective(context: typer.Context) -> list[Setting]:
    chosen = options.chosen(context)
    values = options.settings(RunSettings, context).model_dump(mode="json")
    found = []
    for name, value in values.items():
        _, source = chosen.get(name, (None, SettingSource.DEFAULT))
        shown = without_login(value) if name == "api_base" and value else value
        found.append(Setting(name=name, value=shown, source=source, where=_where(name, source)))
    return found


def _where(name: str, source: SettingSource) -> str:
    match source:
        case SettingSource.COMMAND_LINE:
            return f"--{key(name)}"
        case SettingSource.ENVIRONMENT:
            return variable(name)
        case SettingSource.TABLE:
            return f"{_file()}: {key(name)}"
        case SettingSource.RECORDING | SettingSource.DEFAULT:
            return ""


def _file() -> str | None:
    path = here().path
    return None if path is None else str(path)
