"""From `top-k=1,5` to the settings that it stands for."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from itertools import product
from typing import Any

from patchlab_agent.errors import UsageError
from patchlab_agent.settings import PATHS, RunSettings, checked

MAX_SETTINGS = 24
FIXED = (*PATHS, "skill", "golden", "record_note")
"""What must be the same on all sides, or has a place of its own."""
NAMES = tuple(name for name in RunSettings.model_fields if name not in FIXED)
EXAMPLE = "--vary top-k=1,5,20"


def variations(base: RunSettings, given: Sequence[str]) -> list[tuple[str, RunSettings]]:
    """The product of what is varied, the last name's values changing first.

    Args:
        base: the settings that all share.
        given: as in `top-k=1,5` or `gate=on,off`; each name once.

    Returns:
        Each setting with its label, which is what was varied: `top-k=1, gate=on`.

    Raises:
        UsageError: a name or value cannot be used, or there are fewer than two settings, or more
            than `MAX_SETTINGS`.
    """
    axes = [_parsed(text) for text in given]
    names = [name for name, _ in axes]
    if twice := {name for name in names if names.count(name) > 1}:
        raise UsageError(
            f"--vary {_option(min(twice))} is given twice; put all its values into one, "
            "parted by commas."
        )
    chosen = list(product(*(values for _, values in axes)))
    if not 2 <= len(chosen) <= MAX_SETTINGS:
        raise UsageError(
            f"--vary makes {len(chosen)} settings; give values for 2 to {MAX_SETTINGS}."
        )
    found = [(_label(names, values), _changed(base, names, values)) for values in chosen]
    _refuse_equal(found)
    return found


def _parsed(text: str) -> tuple[str, list[str]]:
    name, _, values = text.partition("=")
    field = name.strip().replace("-", "_")
    if field not in NAMES:
        options = [_option(each) for each in NAMES]
        close = get_close_matches(_option(field), options, n=1)
        hint = f"did you mean {close[0]}?" if close else f"choose one of: {', '.join(options)}."
        raise UsageError(f"--vary {text!r} names no setting that can be varied; {hint}")
    parts = [value.strip() for value in values.split(",")]
    if not all(parts):
        raise UsageError(f"--vary {text!r} lacks a value; give them as in {EXAMPLE}.")
    return field, parts


def _changed(base: RunSettings, names: Sequence[str], values: Sequence[str]) -> RunSettings:
    changes: dict[str, Any] = dict(zip(names, values, strict=True))
    return checked(RunSettings, {**base.model_dump(), **changes})


def _refuse_equal(found: Sequence[tuple[str, RunSettings]]) -> None:
    for position, (label, settings) in enumerate(found):
        if any(settings == other for _, other in found[:position]):
            raise UsageError(f"--vary gives {label} twice; give each value once.")


def _label(names: Sequence[str], values: Sequence[str]) -> str:
    return ", ".join(f"{_option(n)}={value}" for n, value in zip(names, values, strict=True))


def _option(name: str) -> str:
    return name.replace("_", "-")
