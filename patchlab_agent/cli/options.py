"""Options that several commands take, each with its range and its help."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Annotated, Any

import typer
from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo

from patchlab_agent.errors import UsageError
from patchlab_agent.models.address import Location, located
from patchlab_agent.models.setting import SettingSource
from patchlab_agent.settings import (
    REPLAY,
    REPLAY_STORE,
    AgentSettings,
    Group,
    Option,
    RunSettings,
    Settings,
    checked,
    unheeded,
)


def _store(named: str) -> Location:
    try:
        return located(named)
    except ValueError as error:
        raise UsageError(f"{error}.") from error


Store = Annotated[
    # Any, as typer knows no unions.
    Any,
    typer.Option(
        help=RunSettings.model_fields["store"].description,
        metavar="FOLDER|ADDRESS",
        parser=_store,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite a file that is there already.")]


def group(name: Group) -> dict[str, Any]:
    """Return the options of a group of settings, each with its annotation for typer, by name."""
    fields = RunSettings.model_fields.items()
    return {
        field: _annotated(info, option)
        for field, info in fields
        for option in info.metadata
        if isinstance(option, Option) and option.group == name
    }


def _annotated(info: FieldInfo, option: Option) -> Any:
    limits = [limit for limit in info.metadata if isinstance(limit, (Ge, Gt, Le, Lt))]
    # Typer knows closed ranges alone; where an end is open, the settings themselves refuse.
    is_closed = all(isinstance(limit, (Ge, Le)) for limit in limits)
    lowest: list[Any] = [limit.ge for limit in limits if isinstance(limit, Ge) and is_closed]
    highest: list[Any] = [limit.le for limit in limits if isinstance(limit, Le) and is_closed]
    told = typer.Option(
        help=info.description,
        metavar=option.metavar,
        rich_help_panel=option.panel,
        show_default=option.default or True,
        min=next(iter(lowest), None),
        max=next(iter(highest), None),
        parser=_store if info.annotation == Location else None,
    )
    return Annotated[Any if told.parser else info.annotation, told]


RUNNING = group("running")
ANSWERING = group("answering")
USING = group("using")
SHARING = group("sharing")
LEARNING = group("learning")
GATING = group("gating")
SPENDING = group("spending")
REAL_MODEL = group("real_model")


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
    """Return the settings in effect for a call; settings that nothing sets have their defaults.

    Raises:
        UsageError: a value cannot be used.
        InputError: a cassette cannot be used.
    """
    return checked(kind, {name: value for name, (value, _) in chosen(context).items()})


def chosen(context: typer.Context) -> dict[str, tuple[Any, SettingSource]]:
    """Return the values that command line, variables and table set, each with its source.

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
    given = {name: told for name, told in said.items() if told[1] is SettingSource.COMMAND_LINE}
    around = {name: told for name, told in said.items() if name not in given}
    if "replay" in given:
        given.setdefault("backend", (REPLAY, SettingSource.COMMAND_LINE))
    backend, _ = {**around, **given}.get("backend", (AgentSettings().backend, None))
    if backend != REPLAY:
        passed_over = unheeded(backend)
        return {**{n: told for n, told in around.items() if n not in passed_over}, **given}
    which = {name: told for name, told in around.items() if name in _WHICH_RECORDING}
    return {**which, **_recorded({**which, **given}), **given}


def given(context: typer.Context) -> list[str]:
    """Return the parameters that the command line itself sets."""
    return [name for name in context.params if _source(context, name) is SettingSource.COMMAND_LINE]


_WHICH_RECORDING = ("backend", "skill", "replay")
_SOURCES = {
    "COMMANDLINE": SettingSource.COMMAND_LINE,
    "PROMPT": SettingSource.COMMAND_LINE,
    "ENVIRONMENT": SettingSource.ENVIRONMENT,
    "DEFAULT_MAP": SettingSource.TABLE,
}


def _source(context: typer.Context, name: str) -> SettingSource | None:
    source = context.get_parameter_source(name)
    return None if source is None else _SOURCES.get(source.name)


def _recorded(
    said: Mapping[str, tuple[Any, SettingSource]],
) -> dict[str, tuple[Any, SettingSource]]:
    from patchlab_agent.lab.backend_choice import recorded_settings

    skill, cassette = (said.get(name, (None, None))[0] for name in ("skill", "replay"))
    found = recorded_settings(skill or AgentSettings().skill, cassette)
    return {
        name: (v, SettingSource.RECORDING) for name, v in {**found, "store": REPLAY_STORE}.items()
    }
