"""Task folders for tests."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from patchlab_agent.models.case import Case
from patchlab_agent.skill.optional import StreamingSimulator
from patchlab_agent.skill.skill import Skill

TOML = """
instruction = "Sort the message."

[answer.properties.team]
enum = ["support", "billing"]

[answer.properties.topics]
type = "array"
items = { enum = ["invoice", "refund", "login"] }

[answer.properties.name]
type = ["string", "null"]
"""


def row(request: str, split: str = "stream", **answer: Any) -> dict[str, Any]:
    right = {"team": "support", "topics": [], "name": None, **answer}
    return {"request": request, "split": split, "answer": right}


ROWS = (
    row("my invoice is wrong", team="billing", topics=["invoice"]),
    row("about the invoice", "regression", team="billing", topics=["invoice"]),
    row("hello there", "regression"),
    row("an invoice again", "golden", team="billing", topics=["invoice"]),
)


def write_task(folder: Path, rows: Iterable[dict[str, Any]] = ROWS, toml: str = TOML) -> Path:
    """A task folder with these rows."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "task.toml").write_text(toml, "utf-8")
    lines = "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in rows)
    (folder / "rows.jsonl").write_text(lines, "utf-8")
    return folder


def streamed(skill: Skill) -> list[Case]:
    """The cases that a run on a task goes through."""
    assert isinstance(skill.simulator, StreamingSimulator)
    return list(skill.simulator.stream())
