"""Settings besides the command line: `PATCHLAB_*` variables and a `[tool.patchlab]` table.

The command line takes precedence, then a variable, then the table, then the default. A replay uses
the settings of the recorded run; from variables and table it takes only the cassette to replay.

The table is that of the nearest `pyproject.toml`, from the working directory up to the root of the
repository. Its keys are the options without their dashes (`top-k = 3`); its paths are relative to
its file. API keys of hosted models belong in the environment, never in a file.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from patchlab_agent.errors import UsageError, in_short
from patchlab_agent.settings import PATHS, RunSettings

FILE = "pyproject.toml"
TABLE = "patchlab"
PREFIX = "PATCHLAB_"
NAMES = frozenset(RunSettings.model_fields)
"""The settings that a variable or the table may give."""

_FOR_TESTS = f"{PREFIX}LIVE_"
"""Prefix of variables that tell the test suite where to find a real model."""
_KEY = re.compile(r"(?i)(^|[_-])(api[_-]?key|key|token|secret|password)s?$")


@dataclass(frozen=True)
class Table:
    """The content of a `[tool.patchlab]` table.

    Attributes:
        path: the file; None if there is no table.
        values: checked values by the names of the settings; paths are absolute.
    """

    path: Path | None = None
    values: Mapping[str, Any] = field(default_factory=dict)


def variable(name: str) -> str:
    """Return the environment variable of a setting: `top_k` → `PATCHLAB_TOP_K`."""
    return PREFIX + name.upper()


def key(name: str) -> str:
    """Return a setting's key in the table, its option without the dashes: `top_k` → `top-k`."""
    return name.replace("_", "-")


def find_table(start: Path) -> Table:
    """Return the table that applies in a folder; an empty one if there is none.

    Raises:
        UsageError: the file cannot be read, or a key of its table cannot be used; names file and
            key.
    """
    path = _nearest(start)
    if path is None:
        return Table()
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read ({error.strerror}); check its permissions."
        ) from error
    # Most projects have such a file without our table; it is not parsed then.
    return _table(path, data) if TABLE.encode() in data else Table()


def _nearest(start: Path) -> Path | None:
    for folder in (start, *start.parents):
        if (folder / FILE).is_file():
            return folder / FILE
        if (folder / ".git").exists():
            return None
    return None


def _table(path: Path, data: bytes) -> Table:
    import tomllib  # noqa: PLC0415 - most calls have no table to read

    try:
        document = tomllib.loads(data.decode("utf-8"))
    except RecursionError as error:
        raise UsageError(f"{path} is not valid TOML: it is nested too deeply; fix it.") from error
    except ValueError as error:
        raise UsageError(f"{path} is not valid TOML: {error}; fix it.") from error
    tool = document.get("tool")
    given = tool.get(TABLE) if isinstance(tool, dict) else None
    if given is None:
        return Table()
    if not isinstance(given, dict):
        raise UsageError(
            f"{path}: tool.{TABLE} is not a table; write [tool.{TABLE}] above its keys."
        )
    return Table(path, dict(_checked(path, given)))


def _checked(path: Path, given: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    seen: set[str] = set()
    for written, value in given.items():
        name = written.replace("-", "_")
        if name not in NAMES:
            raise UsageError(_unknown(path, written))
        if name in seen:
            raise UsageError(f"{path}: [tool.{TABLE}] has {key(name)!r} twice; leave one out.")
        seen.add(name)
        _check_value(path, written, name, value)
        yield name, _placed(path, written, value) if name in PATHS else value


def _placed(path: Path, written: str, value: str) -> str:
    """Return a path of the table relative to its file, with `~` expanded as in a shell."""
    if written == "store" and value.lower().startswith(("http:", "https:")):
        return value  # a server's address
    try:
        return str(path.parent / Path(value).expanduser())
    except RuntimeError as error:
        raise UsageError(
            f"{path}: {written} = {in_short(value)} in [tool.{TABLE}] names no home folder; "
            "write the path in full."
        ) from error


def _unknown(path: Path, written: str) -> str:
    if _KEY.search(written):
        return (
            f"{path}: [tool.{TABLE}] must not contain {in_short(written)}: secrets belong in the "
            "environment, as in OPENAI_API_KEY; remove it from the file."
        )
    near = _nearest_name(written)
    advice = f"did you mean {key(near)!r}?" if near else "leave it out."
    return f"{path}: [tool.{TABLE}] has no key {in_short(written)}; {advice}"


def _nearest_name(written: str) -> str | None:
    near = difflib.get_close_matches(written.replace("-", "_").lower(), sorted(NAMES), n=1)
    return near[0] if near else None


def _check_value(path: Path, written: str, name: str, value: object) -> None:
    # JSON's strict rules suit TOML: a string is not a number, but may be a path. No setting is a
    # date.
    try:
        RunSettings.model_validate_json(
            json.dumps({name: value}, default=lambda _: {}), strict=True
        )
    except ValueError as error:
        why = "it is too large"
        if isinstance(error, ValidationError):
            why = error.errors(include_url=False)[0]["msg"]
        raise UsageError(
            f"{path}: {written} = {in_short(value)} in [tool.{TABLE}] cannot be used: {why}."
        ) from error


def check_variables(environment: Mapping[str, str]) -> None:
    """Check the value of every variable that is a setting.

    Raises:
        UsageError: a value cannot be used; names the variable.
    """
    for problem in broken_variables(environment).values():
        raise UsageError(problem)


def broken_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Return a message for each variable with an unusable value, by name; skip empty ones."""
    found = {}
    for name in sorted(NAMES):
        value = environment.get(variable(name))
        if not value:
            continue
        try:
            RunSettings.model_validate({name: value})
        except ValidationError as error:
            why = error.errors(include_url=False)[0]["msg"]
            found[variable(name)] = f"{variable(name)}={in_short(value)} cannot be used: {why}."
    return found


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """Return a sentence about each `PATCHLAB_*` variable that is not a setting.

    These are warnings and not errors: another version may know the variable, and the command at
    hand may not need it.
    """
    known = {variable(name) for name in NAMES}
    return [
        _on_variable(name)
        for name in sorted(environment)
        if name.startswith(PREFIX) and name not in known and not name.startswith(_FOR_TESTS)
    ]


def _on_variable(name: str) -> str:
    told = name if name.isprintable() else in_short(name)
    if _KEY.search(name):
        return f"{told} is not read; a key goes into its provider's variable, as OPENAI_API_KEY."
    near = _nearest_name(name.removeprefix(PREFIX))
    advice = f"did you mean {variable(near)!r}?" if near else "it is not read."
    return f"{told} is not a setting; {advice}"
