"""Parsing of `top-k=1,5` into the settings that it stands for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import product
from typing import Any

from patchlab_agent.errors import UsageError, in_short
from patchlab_agent.models.masking import masked
from patchlab_agent.models.model import without_login
from patchlab_agent.settings import PATHS, RunSettings, checked

MAX_SETTINGS = 24
FIXED = (*PATHS, "skill", "golden", "record_note")
"""Settings that must be the same for all runs, or that a sweep sets itself."""
NAMES = tuple(name for name in RunSettings.model_fields if name not in FIXED)
EXAMPLE = "--vary top-k=1,5,20"


@dataclass(frozen=True)
class Variation:
    """One choice of a value for each varied name.

    Attributes:
        varied: name → value as given, keys masked, in the order of the names.
        settings: the base with these values.
    """

    varied: Mapping[str, str]
    settings: RunSettings

    @property
    def label(self) -> str:
        """The choice in words: `top-k=1, gate=on`."""
        return ", ".join(f"{name}={value}" for name, value in self.varied.items())


def variations(base: RunSettings, given: Sequence[str]) -> list[Variation]:
    """Return the product of the varied values, the last name's values changing fastest.

    Args:
        base: the settings that all variations share.
        given: names with values, as in `top-k=1,5` or `gate=on,off`; each name once.

    Raises:
        UsageError: a name or value cannot be used, or there are fewer than two settings, or more
            than `MAX_SETTINGS`.
    """
    axes = [_parsed(text) for text in given]
    names = [name for name, _ in axes]
    if twice := {name for name in names if names.count(name) > 1}:
        raise UsageError(
            f"--vary {_option(min(twice))} is given twice; put all its values into one, "
            "separated by commas."
        )
    chosen = list(product(*(values for _, values in axes)))
    if not 2 <= len(chosen) <= MAX_SETTINGS:
        raise UsageError(
            f"--vary makes {len(chosen)} settings; give values for 2 to {MAX_SETTINGS}."
        )
    options = [_option(name) for name in names]
    found = [
        Variation(
            {name: _shown(name, value) for name, value in zip(options, values, strict=True)},
            _changed(base, names, values),
        )
        for values in chosen
    ]
    _refuse_equal(found)
    return found


def _shown(option: str, value: str) -> str:
    return without_login(value) if option == "api-base" else masked(value)


def _parsed(text: str) -> tuple[str, list[str]]:
    name, _, values = text.partition("=")
    field = name.strip().replace("-", "_")
    if field not in NAMES:
        options = [_option(each) for each in NAMES]
        close = get_close_matches(_option(field), options, n=1)
        hint = f"did you mean {close[0]}?" if close else f"choose one of: {', '.join(options)}."
        raise UsageError(f"--vary {in_short(text)} names no setting that can be varied; {hint}")
    parts = [value.strip() for value in values.split(",")]
    if not all(parts):
        raise UsageError(f"--vary {in_short(text)} lacks a value; give them as in {EXAMPLE}.")
    if not text.isprintable():
        raise UsageError(f"--vary {in_short(text)} holds control characters; leave them out.")
    return field, parts


def _changed(base: RunSettings, names: Sequence[str], values: Sequence[str]) -> RunSettings:
    changes: dict[str, Any] = dict(zip(names, values, strict=True))
    return checked(RunSettings, {**base.model_dump(), **changes})


def _refuse_equal(found: Sequence[Variation]) -> None:
    for position, each in enumerate(found):
        if any(each.settings == other.settings for other in found[:position]):
            raise UsageError(f"--vary gives {each.label} twice; give each value once.")


def _option(name: str) -> str:
    return name.replace("_", "-")
