"""The findings of `doctor` and the settings in effect, as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.text import Text

from patchlab_agent.models.health import Check, CheckStatus, Health
from patchlab_agent.models.setting import Setting, SettingSource
from patchlab_agent.report import format as fmt
from patchlab_agent.report.tables import table_of

_STYLES = {CheckStatus.OK: "green", CheckStatus.WARNING: "yellow", CheckStatus.FAILED: "bold red"}


def health_table(health: Health) -> RenderableType:
    """Render one line per check, a second one for its remedy, and a summary."""
    table = table_of("", "check", "", "found", texts=3)
    table.title = None
    for check in health.checks:
        table.add_row(
            fmt.literal(check.name), Text(str(check.status), _STYLES[check.status]), _found(check)
        )
    return Group(table, "", Text(_sum(health)))


def _found(check: Check) -> RenderableType:
    found = fmt.literal(check.found)
    found.overflow = "fold"
    if not check.remedy:
        return found
    remedy = fmt.literal(check.remedy)
    remedy.style = "bold"
    return Group(found, remedy)


def _sum(health: Health) -> str:
    failed, warned = (
        sum(check.status is verdict for check in health.checks)
        for verdict in (CheckStatus.FAILED, CheckStatus.WARNING)
    )
    if not failed and not warned:
        return "Nothing is wrong."
    return f"{failed} failed, {warned} warnings, of {len(health.checks)} checks."


def settings_table(settings: Iterable[Setting]) -> RenderableType:
    """Render one line per setting, with explicitly chosen values in bold."""
    table = table_of("", "setting", "value", "from", texts=3)
    table.title = None
    for setting in settings:
        value = fmt.literal(fmt.value(setting.value))
        value.overflow = "fold"
        chosen = setting.source is not SettingSource.DEFAULT
        value.style = "bold" if chosen else ""
        where = fmt.literal(setting.where or str(setting.source))
        where.overflow = "fold"
        table.add_row(setting.name.replace("_", "-"), value, where)
    return table
