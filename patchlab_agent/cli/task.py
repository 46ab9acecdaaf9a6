"""`patchlab-agent init` and `patchlab-agent check`: a task folder of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from patchlab_agent.cli import options
from patchlab_agent.cli.console import out, print_json
from patchlab_agent.errors import InputError

Folder = Annotated[Path, typer.Argument(help="The task's folder.", show_default=False)]


def init(
    folder: Folder,
    rows: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="Labeled rows, JSONL or CSV, from which to guess the form of an answer.",
            metavar="ROWS",
            show_default="a small sample",
        ),
    ] = None,
) -> None:
    """Write a task folder that works as it is, for you to change.

    It holds task.toml, which says what the model is to do and what an answer looks like, and rows:
    requests with their right answers. Most of them teach, some are for the gate to weigh lessons
    by, and the golden ones are held out to measure on. The sample has failures as well, as
    `import-feedback` takes them.

    Examples:
        patchlab-agent init tickets

        patchlab-agent init mails --from labeled.csv
    """
    from patchlab_agent.lab.tasks import check_task, draft_task

    found = check_task(draft_task(folder, rows))
    told = ", ".join(f"{count} {split}" for split, count in found.rows.items())
    lines = [
        f"Wrote {folder} with {sum(found.rows.values())} rows ({told}).",
        "Say in its task.toml what the model is to do, and what each field means.",
        f"See what is wrong with it: patchlab-agent check {folder}",
        f"Run it: patchlab-agent run --task {folder}",
    ]
    out().print("\n".join(lines), markup=False, soft_wrap=True)


def check(folder: Folder, as_json: options.Json = False) -> None:
    """Say what is wrong with a task folder, row by row.

    It looks for rows that do not have the form of an answer, requests that contradict each other
    or stand in two splits, splits with few rows, and fields that are nearly always the same. The
    exit code is 3 if something has to be mended before the task can be run.

    Example:
        patchlab-agent check tickets
    """
    from patchlab_agent.lab.tasks import check_task

    found = check_task(folder)
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        told = ", ".join(f"{count} {split}" for split, count in found.rows.items())
        lines = [
            f"{found.name}: {told}; fields: {', '.join(found.fields)}",
            *(f"{'error' if each.is_fatal else 'note '}  {each}" for each in found.findings),
        ]
        out().print("\n".join(lines), markup=False, soft_wrap=True)
    if not found.can_run:
        raise InputError(f"{folder} cannot be run before its errors are mended.")
    if not as_json:
        out().print(f"It can be run: patchlab-agent run --task {folder}", markup=False)
