"""Settings and the sources of their values."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field, JsonValue

from patchlab_agent.models.base import Frozen


class SettingSource(StrEnum):
    """A source of a setting's value, highest precedence first."""

    COMMAND_LINE = "command line"
    RECORDING = "recording"
    ENVIRONMENT = "environment"
    TABLE = "pyproject.toml"
    DEFAULT = "default"


class Setting(Frozen):
    """One setting with its effective value."""

    name: str
    value: JsonValue
    source: SettingSource
    where: str = Field(default="", description="the option, the variable, or the file and key")
