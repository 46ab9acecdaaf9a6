"""Tasks before they are run: a first draft of a folder, and what is wrong with one."""

from __future__ import annotations

from pathlib import Path

from patchlab_agent.models.task import TaskCheck
from patchlab_agent.tasks.checking import checked_task
from patchlab_agent.tasks.definition import Task
from patchlab_agent.tasks.drafting import draft_from, draft_sample
from patchlab_agent.tasks.folder import read_task


def draft_task(folder: str | Path, rows: str | Path | None = None) -> Path:
    """Write a task folder that works as it is, and return its path.

    Args:
        folder: a new or empty folder.
        rows: labeled rows whose answers decide the form, JSONL or CSV; None writes a small sample.

    Raises:
        InputError: the rows cannot be used, or the folder cannot be written.

    Example:
        >>> folder = draft_task("mine")
        >>> sorted(file.name for file in folder.iterdir())
        ['failures.csv', 'rows.csv', 'task.toml']
    """
    path = Path(folder)
    if rows is None:
        draft_sample(path)
    else:
        draft_from(path, Path(rows))
    return path


def check_task(task: str | Path | Task) -> TaskCheck:
    """Say what is wrong with a task, row by row.

    Args:
        task: its folder, or a task that was made in Python.

    Raises:
        InputError: the folder, its first file or the rows' file cannot be read.
        SkillError: its `task.py` failed.

    Example:
        >>> check_task(draft_task("mine")).findings
        ()
    """
    return checked_task(task if isinstance(task, Task) else read_task(Path(task)))
