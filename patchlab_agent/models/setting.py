"""Where a setting's value comes from."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field, JsonValue

from patchlab_agent.models.base import Frozen


class SettingSource(StrEnum):
    """Who may say what a setting is, the strongest first."""

    COMMAND_LINE = "command line"
    RECORDING = "recording"
    ENVIRONMENT = "environment"
    TABLE = "pyproject.toml"
    DEFAULT = "default"


class Setting(Frozen):
    """One setting as it is in effect."""

    name: str
    value: JsonValue
    source: SettingSource
    where: str = Field(default="", description="the option, variable, or file and key")
