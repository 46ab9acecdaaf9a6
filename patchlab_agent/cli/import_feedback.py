"""`patchlab-agent import-feedback`: failures from where people keep them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from patchlab_agent.cli import options
from patchlab_agent.cli.console import out, print_json, progress
from patchlab_agent.errors import PartialRun
from patchlab_agent.settings import AgentSettings
from patchlab_agent.transfer.files import STANDARD, read_lines

if TYPE_CHECKING:
    from patchlab_agent.lab.failures import FailureRows


@options.takes(
    options.ANSWERING,
    options.SHARING,
    options.LEARNING,
    options.GATING,
    options.SPENDING,
    options.REAL_MODEL,
)
def import_feedback(
    context: typer.Context,
    file: Annotated[
        str,
        typer.Argument(
            help="JSONL or CSV: request, answer, and either right or label, field, value, detail; "
            "- for standard input.",
            show_default=False,
        ),
    ],
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Say what each row comes to; store nothing, and ask no model."
        ),
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Learn from answers that were given elsewhere, and what was wrong with them.

    Each row is stored as a trace, and what it teaches passes the gate, as with `feedback`. An
    answer is a JSON object, or a column per field: answer.team, right.team. Fields that the right
    answer leaves out were right. Instead of a right answer, a row may have a complaint as
    `feedback` takes it: label, field, value, detail.

    All rows are checked before the first is stored. Rows that were imported before change nothing,
    so an import that an outage cut short can be repeated. Golden cases are left out. Rows with a
    right answer are judged by it, which is the better evidence.

    Examples:
        patchlab-agent import-feedback failures.csv --task tickets --store tickets-lab

        patchlab-agent import-feedback failures.jsonl --dry-run

        patchlab-agent import-feedback failures.jsonl --json > report.json

        tail -n 100 failures.jsonl | patchlab-agent import-feedback -
    """
    settings = options.settings(AgentSettings, context)
    from patchlab_agent.lab.opening import lab_of
    from patchlab_agent.lab.skills import skill_of
    from patchlab_agent.lab.teaching import check_feedback

    # Read once, as standard input is; and checked before a store is made where there is none yet.
    rows = _rows(file)
    report = check_feedback(rows, skill_of(settings))
    if not dry_run:
        with lab_of(settings) as lab, progress() as bars:
            task = bars.add_task("Rows", total=None, note="")

            def on_row(done: int, total: int) -> None:
                bars.update(task, completed=done, total=total)

            report = lab.import_feedback(rows, on_row)
    if as_json:
        print_json(report.model_dump(mode="json"))
    else:
        from patchlab_agent.report.transfer import render_feedback_import

        out().print(render_feedback_import(report))
    if report.stopped is not None:
        raise PartialRun(f"{report.stopped.reason} What was learned before is kept.")


def _rows(file: str) -> FailureRows:
    from patchlab_agent.lab.failures import failure_rows, rows_in_text

    if file != STANDARD:
        return failure_rows(file)
    name, lines = read_lines(STANDARD, wanted="JSONL or CSV in UTF-8")
    return rows_in_text(name, "\n".join(lines))
