"""A task folder: finding its files, and reading them.

tickets/
  task.toml     the instruction and the answer's JSON schema; or task.py, with a pydantic model
                `Answer` whose docstring is the instruction
  rows.jsonl    labeled rows: request, answer, split; or rows.csv
"""

from __future__ import annotations

import importlib.util
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

from patchlab_agent.errors import InputError, SkillError
from patchlab_agent.skill.guard import Member
from patchlab_agent.skill.skill import Skill
from patchlab_agent.tasks.answer_model import answer_model
from patchlab_agent.tasks.definition import Task
from patchlab_agent.tasks.rows import NAMES, rows_in

TOML = "task.toml"
CODE = "task.py"
_KEYS = frozenset({"instruction", "answer", "facts", "fields"})

_Stamp = tuple[tuple[str, int, int, int], ...]
_READ: dict[Path, tuple[_Stamp, Task]] = {}
"""Folders read in this process, each as its files were: a command needs its task several times."""


def load_task(path: Path) -> Skill:
    """Make a skill of a task folder; its parts are guarded.

    Raises:
        InputError: the folder or a row cannot be used; the message says what to do.
        SkillError: its `task.py` failed.

    Example:
        >>> skill = load_task(draft_task("desk"))
        >>> skill.name, skill.simulator.labels[:2]
        ('desk', ('wrong_team', 'wrong_urgent'))
    """
    return read_task(path).skill


def read_task(path: Path) -> Task:
    """Read a task folder, unless it was read before and its files are the same.

    Raises:
        InputError: the folder, its first file or the rows' file cannot be used.
        SkillError: its `task.py` failed.
    """
    source, rows = _source(path), rows_file(path)
    stamp = _stamp(source, rows)
    known = _READ.get(source)
    if known is None or known[0] != stamp:
        known = _READ[source] = stamp, _read(path, source, rows)
    return known[1]


def rows_file(path: Path) -> Path:
    """Return a folder's file with rows.

    Raises:
        InputError: there is none, or there are two.
    """
    found = [path / name for name in NAMES if (path / name).is_file()]
    if len(found) != 1:
        said = "both a rows.jsonl and a rows.csv; remove one" if found else "no rows.jsonl; add it"
        raise InputError(f"{path} has {said}.")
    return found[0]


def _stamp(*files: Path) -> _Stamp:
    stats = [(file, file.stat()) for file in files]
    return tuple((str(file), s.st_ino, s.st_mtime_ns, s.st_size) for file, s in stats)


def _source(path: Path) -> Path:
    """Return the file that declares the task."""
    if not path.is_dir():
        raise InputError(
            f"There is no folder {path}; make a task with `patchlab-agent init {path}`."
        )
    found = [path / name for name in (TOML, CODE) if (path / name).is_file()]
    if len(found) > 1:
        raise InputError(f"{path} has both a {TOML} and a {CODE}; remove one.")
    if not found:
        raise InputError(
            f"{path} has no {TOML}, so it is no task; make one with `patchlab-agent init {path}`."
        )
    return found[0].absolute()


def _read(path: Path, source: Path, rows: Path) -> Task:
    shown = path / source.name
    name = path.resolve().name
    declared = _from_code(shown, name) if source.name == CODE else _from_toml(shown)
    raw = rows_in(rows)
    try:
        return Task(rows=raw, name=name, **declared)
    except InputError as error:
        kind = SkillError if source.name == CODE else InputError
        raise kind(f"{shown}: {error}.") from error


def _from_toml(path: Path) -> dict[str, Any]:
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); check it.") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not valid TOML ({error}); fix it.") from error
    if unknown := data.keys() - _KEYS:
        raise InputError(f"{path}: {min(unknown)!r} is not understood; leave it out.")
    instruction = data.pop("instruction", None)
    if not isinstance(instruction, str) or not instruction.strip():
        raise InputError(f"{path} has no instruction; say in words what the model is to do.")
    try:
        return {**data, "answer": answer_model(data.pop("answer", {}), instruction.strip())}
    except InputError as error:
        raise InputError(f"{path}: {error}; fix it.") from error


def _from_code(path: Path, name: str) -> dict[str, Any]:
    module_name = re.sub(r"\W", "_", f"task_{name}")
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise SkillError(f"{path} cannot be loaded; check it.")
    module = importlib.util.module_from_spec(spec)
    # Where annotations are texts, pydantic looks up what they name by the module.
    sys.modules[module_name] = module
    try:
        with Member(f"The code of {path}", package=module_name).running():
            spec.loader.exec_module(module)
    except SystemExit as error:
        raise SkillError(f"The code of {path} ends the program; leave that out.") from error
    return {
        "answer": getattr(module, "Answer", None),
        "facts": getattr(module, "FACTS", ()),
        "fields": getattr(module, "FIELDS", None),
        "judge": getattr(module, "judge", None),
    }
