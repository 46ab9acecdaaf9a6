"""What is wrong with a task's rows, row by row."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

from patchlab_agent.models.base import JsonObject
from patchlab_agent.models.task import Finding, TaskCheck
from patchlab_agent.tasks.definition import Task
from patchlab_agent.tasks.fields import AnswerField
from patchlab_agent.tasks.rows import SPLITS, Row
from patchlab_agent.text import normalise

FEW = 10
"""Rows below which a split says little."""
LOPSIDED = 0.9
"""Share of the rows from which on one value of a field leaves little to learn of the others."""
_USES = {
    "stream": "nothing can be learned",
    "regression": "the gate has no labels to weigh lessons by",
    "golden": "what was learned cannot be measured",
}


def checked_task(task: Task) -> TaskCheck:
    """Return what there is to say of a task that could be read."""
    sizes = Counter(row.split for row in task.rows)
    findings = [
        *(Finding(line=each.line, text=each.text, is_fatal=True) for each in task.problems),
        *_repeated(task),
        *(finding for split in SPLITS for finding in _small(split, sizes[split])),
        *(finding for field in task.answer_fields for finding in _lopsided(field, task.rows)),
    ]
    return TaskCheck(
        name=task.name,
        rows={split: sizes[split] for split in SPLITS},
        fields=tuple(f"{name} ({each.compare})" for name, each in task.fields.items()),
        findings=tuple(findings),
    )


def _repeated(task: Task) -> Iterator[Finding]:
    seen: dict[str, Row] = {}
    for row in task.rows:
        first = seen.setdefault(normalise(row.request), row)
        if first is row:
            continue
        if differing := ", ".join(_differing(task, first.answer, row.answer)):
            text = f"the request of line {first.line} with another answer ({differing})"
            yield Finding(line=row.line, text=f"{text}; keep one of them", is_fatal=True)
        elif first.split != row.split:
            text = (
                f"the request of line {first.line}, there for {first.split}, here for {row.split}"
            )
            yield Finding(line=row.line, text=f"{text}; keep one of them", is_fatal=True)
        else:
            text = f"the same request and answer as in line {first.line}"
            yield Finding(line=row.line, text=text, is_fatal=False)


def _differing(task: Task, one: JsonObject, other: JsonObject) -> Iterator[str]:
    """Yield the fields in which two right answers contradict each other.

    What the comparison of a field passes for the same is no contradiction. A judge of the task's
    own says nothing of how it compares, so with one only equal values are the same.
    """
    for name in dict.fromkeys((*one, *other)):
        right, given = one.get(name), other.get(name)
        is_same = json.dumps(right, sort_keys=True) == json.dumps(given, sort_keys=True)
        is_compared = task.judge is None and name in task.fields
        if not is_same and not (is_compared and task.fields[name].agrees(right, given)):
            yield name


def _small(split: str, size: int) -> Iterator[Finding]:
    if not size:
        text = f"there are no rows for {split}, so {_USES[split]}"
        yield Finding(text=text, is_fatal=split == "stream")
    elif size < FEW:
        text = f"{split} has {size} rows; fewer than {FEW} say little"
        yield Finding(text=text, is_fatal=False)


def _lopsided(field: AnswerField, rows: tuple[Row, ...]) -> Iterator[Finding]:
    values = Counter(json.dumps(row.answer.get(field.name)) for row in rows)
    if len(rows) >= FEW and values:
        [(value, count)] = values.most_common(1)
        if count >= LOPSIDED * len(rows):
            text = f"{field.name} is {value} in {count} of {len(rows)} rows"
            yield Finding(text=f"{text}, so there is little to learn of it", is_fatal=False)
    given = {entry for row in rows for entry in _entries(row.answer.get(field.name))}
    unseen = [choice for choice in field.choices if json.dumps(choice) not in given]
    if unseen and rows:
        listed = ", ".join(map(json.dumps, unseen))
        yield Finding(text=f"{field.name} is {listed} in no row", is_fatal=False)


def _entries(value: object) -> list[str]:
    return [json.dumps(entry) for entry in (value if isinstance(value, list) else [value])]
