"""A task folder: finding its files, reading them, and making a skill of them.

tickets/
  task.toml     the instruction and the answer's JSON schema; or task.py, with a pydantic model
                `Answer` whose docstring is the instruction
  rows.jsonl    labeled rows: request, answer, split; or rows.csv
"""

from __future__ import annotations

import importlib.util
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from patchlab_agent.errors import InputError, SkillError
from patchlab_agent.skill.authoring import faulty
from patchlab_agent.skill.guard import Member
from patchlab_agent.skill.seam import Skill
from patchlab_agent.tasks.answer_model import answer_model
from patchlab_agent.tasks.comparison import Comparison, default_comparison
from patchlab_agent.tasks.fields import AnswerField
from patchlab_agent.tasks.parrot import Parrot
from patchlab_agent.tasks.phrases import Phrasebook
from patchlab_agent.tasks.proposer import FieldProposer
from patchlab_agent.tasks.rows import MAX_REQUEST_CHARS, NAMES, Problem, Row, read_rows
from patchlab_agent.tasks.simulator import Judge, RowsSimulator
from patchlab_agent.tasks.task import RowsTask

TOML = "task.toml"
CODE = "task.py"
MAX_TRIGGER_SHARE = 0.5
"""In a few dozen rows with a handful of answers, what tells one from another is common."""
_KEYS = frozenset({"instruction", "answer", "facts", "fields"})


@dataclass(frozen=True)
class Declared:
    """What a task's first file declares.

    Attributes:
        answer: the model of an answer; its docstring is the instruction.
        facts: sentences that every prompt states.
        fields: how fields are compared, where that is not the default.
        judge: replaces the comparison field by field.
    """

    answer: type[BaseModel]
    facts: Sequence[str] = ()
    fields: Mapping[str, Comparison] = field(default_factory=dict)
    judge: Judge | None = None


@dataclass(frozen=True)
class TaskFolder:
    """A task folder that can be read, whatever is wrong with some of its rows.

    Attributes:
        path: the folder.
        name: of the skill that it makes.
        declared: the content of its first file.
        task: the agent's side of it.
        rows: those that can be used.
        problems: what is wrong with the other rows.
    """

    path: Path
    name: str
    declared: Declared
    task: RowsTask
    rows: tuple[Row, ...]
    problems: tuple[Problem, ...]

    @property
    def fields(self) -> tuple[AnswerField, ...]:
        """The fields of an answer."""
        return self.task.fields

    @property
    def rows_file(self) -> Path:
        """The file with the rows."""
        return rows_file(self.path)

    def comparisons(self) -> dict[str, Comparison]:
        """Return how each field is compared."""
        return {
            each.name: self.declared.fields.get(each.name, default_comparison(each))
            for each in self.fields
        }


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
    return skill_of(read_task(path))


def skill_of(folder: TaskFolder) -> Skill:
    """Make a skill of a folder's content; its parts are guarded.

    Raises:
        InputError: a row cannot be used, or there is none to learn from.
    """
    if folder.problems:
        raise faulty(folder.rows_file, {each.line: each.text for each in folder.problems})
    if not any(row.split == "stream" for row in folder.rows):
        raise InputError(f"{folder.rows_file} has no row to learn from; give some split=stream.")
    known = [row for row in folder.rows if row.split != "golden"]
    labeled = ((row.request, row.answer) for row in known if row.split == "regression")
    return Skill(
        name=folder.name,
        task=folder.task,
        proposer=FieldProposer(folder.name, folder.fields, Phrasebook(labeled, MAX_TRIGGER_SHARE)),
        simulator=RowsSimulator(
            folder.declared.answer,
            folder.fields,
            folder.rows,
            folder.comparisons(),
            folder.declared.judge,
        ),
        backends={"parrot": partial(Parrot, folder.fields)},
        has_oracle=False,
        max_trigger_share=MAX_TRIGGER_SHARE,
        max_request_chars=MAX_REQUEST_CHARS,
    ).guarded()


def read_task(path: Path) -> TaskFolder:
    """Read a task folder.

    Raises:
        InputError: the folder, its first file or the rows' file cannot be used.
        SkillError: its `task.py` failed.
    """
    declared = _declared(path)
    rows_of = rows_file(path)
    probe = RowsTask(declared.answer, declared.facts, ())
    unknown = declared.fields.keys() - {each.name for each in probe.fields}
    if unknown:
        raise InputError(f"{path}: there is no field {min(unknown)!r} to compare; rename it.")
    rows, problems = read_rows(rows_of, declared.answer, probe.fields)
    showable = [row.request for row in rows if row.split != "golden"]
    return TaskFolder(
        path=path,
        name=_name(path),
        declared=declared,
        task=RowsTask(declared.answer, declared.facts, showable),
        rows=tuple(rows),
        problems=tuple(problems),
    )


def is_task(path: Path) -> bool:
    """Return whether a folder declares a task."""
    return any((path / name).is_file() for name in (TOML, CODE))


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


def _name(path: Path) -> str:
    slug = re.sub(r"[^a-z0-9]+", "-", path.resolve().name.casefold()).strip("-")
    return slug or "task"


def _declared(path: Path) -> Declared:
    if not path.is_dir():
        raise InputError(
            f"There is no folder {path}; make a task with `patchlab-agent init {path}`."
        )
    if (path / CODE).is_file():
        if (path / TOML).is_file():
            raise InputError(f"{path} has both a {TOML} and a {CODE}; remove one.")
        return _from_code(path / CODE)
    if (path / TOML).is_file():
        return _from_toml(path / TOML)
    raise InputError(
        f"{path} has no {TOML}, so it is no task; make one with `patchlab-agent init {path}`."
    )


def _from_toml(path: Path) -> Declared:
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); check it.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not valid TOML ({error}); fix it.") from error
    if unknown := data.keys() - _KEYS:
        raise InputError(f"{path}: {min(unknown)!r} is not understood; leave it out.")
    instruction = data.get("instruction")
    if not isinstance(instruction, str) or not instruction.strip():
        raise InputError(f"{path} has no instruction; say in words what the model is to do.")
    try:
        answer = answer_model(data.get("answer", {}), instruction.strip())
    except InputError as error:
        raise InputError(f"{path}: {error}; fix it.") from error
    return Declared(answer, _facts(path, data.get("facts", [])), _fields(path, data))


def _from_code(path: Path) -> Declared:
    member = Member(f"The code of {path}", package=f"task_{_name(path.parent)}")
    spec = importlib.util.spec_from_file_location(f"task_{_name(path.parent)}", path)
    if spec is None or spec.loader is None:
        raise SkillError(f"{path} cannot be loaded; check it.")
    module = importlib.util.module_from_spec(spec)
    with member.running():
        spec.loader.exec_module(module)
    answer = getattr(module, "Answer", None)
    if not (isinstance(answer, type) and issubclass(answer, BaseModel)):
        raise SkillError(f"{path} has no pydantic model called Answer; add it.")
    if not (answer.__doc__ or "").strip():
        raise SkillError(f"Answer in {path} has no docstring; it is the instruction to the model.")
    judge = getattr(module, "judge", None)
    if judge is not None and not callable(judge):
        raise SkillError(f"judge in {path} cannot be called; make it a function.")
    data = {"fields": getattr(module, "FIELDS", {})}
    return Declared(answer, _facts(path, getattr(module, "FACTS", [])), _fields(path, data), judge)


def _facts(path: Path, told: Any) -> tuple[str, ...]:
    if not isinstance(told, list | tuple) or not all(isinstance(fact, str) for fact in told):
        raise InputError(f"{path}: facts must be a list of sentences; fix it.")
    return tuple(told)


def _fields(path: Path, data: Mapping[str, Any]) -> dict[str, Comparison]:
    try:
        return {
            name: Comparison.model_validate(told) for name, told in data.get("fields", {}).items()
        }
    except (ValidationError, AttributeError) as error:
        first = error.errors()[0] if isinstance(error, ValidationError) else None
        what = f"{'.'.join(map(str, first['loc']))}: {first['msg']}" if first else "not a table"
        raise InputError(f"{path}, fields: {what}; fix it.") from error
