"""Settings from around the command line: `PATCHLAB_*` variables and a `[tool.patchlab]` table.

What is said on the command line counts first, then a variable, then the table, then the default.
A replay takes the settings of the run that was recorded; of variables and table it heeds only
which cassette to play.

The table is that of the nearest `pyproject.toml`, from the working directory upwards to the root
of the repository. Its keys are the options without their dashes (`top-k = 3`), its paths are
relative to its file. Keys of hosted models belong into the environment, never into a file.
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

from patchlab_agent.errors import UsageError
from patchlab_agent.settings import PATHS, RunSettings

FILE = "pyproject.toml"
TABLE = "patchlab"
PREFIX = "PATCHLAB_"
NAMES = frozenset(RunSettings.model_fields)
"""The settings that a variable or the table may give."""

_FOR_TESTS = f"{PREFIX}LIVE_"
"""Variables that tell the test suite where a real model is."""
_KEY = re.compile(r"(?i)(^|[_-])(api[_-]?key|key|token|secret|password)s?$")


@dataclass(frozen=True)
class Table:
    """What a `[tool.patchlab]` table says.

    Attributes:
        path: the file; None where there is no table.
        values: by the settings' names, checked; paths are absolute.
    """

    path: Path | None = None
    values: Mapping[str, Any] = field(default_factory=dict)


def variable(name: str) -> str:
    """The environment variable of a setting: `top_k` → `PATCHLAB_TOP_K`."""
    return PREFIX + name.upper()


def key(name: str) -> str:
    """A setting's key in the table, and its option without the dashes: `top_k` → `top-k`."""
    return name.replace("_", "-")


def find_table(start: Path) -> Table:
    """The table that holds in a folder; an empty one where there is none.

    Raises:
        UsageError: a file cannot be read, or something in its table cannot be used; names file
            and key.
    """
    path = _nearest(start)
    if path is None:
        return Table()
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}); check its rights.") from error
    # Most projects have such a file and no such table: those are not parsed.
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
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is no TOML: {error}; mend it.") from error
    tool = document.get("tool")
    given = tool.get(TABLE) if isinstance(tool, dict) else None
    if given is None:
        return Table()
    if not isinstance(given, dict):
        raise UsageError(f"{path}: tool.{TABLE} is no table; write [tool.{TABLE}] above its keys.")
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
    """A path of the table as seen from its file; `~` is somebody's home folder, as in a shell."""
    try:
        return str(path.parent / Path(value).expanduser())
    except RuntimeError as error:
        raise UsageError(
            f"{path}: {written} = {value!r} in [tool.{TABLE}] names no home folder; "
            "write the path in full."
        ) from error


def _unknown(path: Path, written: str) -> str:
    if _KEY.search(written):
        return (
            f"{path}: [tool.{TABLE}] must not hold {written!r}: secrets belong into the "
            "environment, as in OPENAI_API_KEY; take it out of the file."
        )
    near = _nearest_name(written)
    advice = f"did you mean {key(near)!r}?" if near else "leave it out."
    return f"{path}: [tool.{TABLE}] has no key {written!r}; {advice}"


def _nearest_name(written: str) -> str | None:
    near = difflib.get_close_matches(written.replace("-", "_").lower(), sorted(NAMES), n=1)
    return near[0] if near else None


def _check_value(path: Path, written: str, name: str, value: object) -> None:
    # JSON's strict rules are TOML's: a text is no number, but may be a path. Dates have no place.
    try:
        RunSettings.model_validate_json(
            json.dumps({name: value}, default=lambda _: {}), strict=True
        )
    except ValidationError as error:
        why = error.errors(include_url=False)[0]["msg"]
        raise UsageError(
            f"{path}: {written} = {value!r} in [tool.{TABLE}] cannot be used: {why}."
        ) from error


def check_variables(environment: Mapping[str, str]) -> None:
    """Find out whether every variable that is a setting can be one.

    Raises:
        UsageError: one cannot be used; names it.
    """
    for problem in broken_variables(environment).values():
        raise UsageError(problem)


def broken_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that are settings and cannot be used, by name; empty ones say nothing."""
    found = {}
    for name in sorted(NAMES):
        value = environment.get(variable(name))
        if not value:
            continue
        try:
            RunSettings.model_validate({name: value})
        except ValidationError as error:
            why = error.errors(include_url=False)[0]["msg"]
            found[variable(name)] = f"{variable(name)}={value!r} cannot be used: {why}."
    return found


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """A sentence on each `PATCHLAB_*` variable that is no setting.

    They are warned of and not refused: another version may know them, and the command line at
    hand may not need them.
    """
    known = {variable(name) for name in NAMES}
    return [
        _on_variable(name)
        for name in sorted(environment)
        if name.startswith(PREFIX) and name not in known and not name.startswith(_FOR_TESTS)
    ]


def _on_variable(name: str) -> str:
    if _KEY.search(name):
        return f"{name} is not read; a key goes into its provider's variable, as OPENAI_API_KEY."
    near = _nearest_name(name.removeprefix(PREFIX))
    advice = f"did you mean {variable(near)!r}?" if near else "it is not read."
    return f"{name} is no setting; {advice}"
