"""`patchlab-agent patches rollback`: the store as it was at the end of a run."""

from __future__ import annotations

from typing import Annotated

import typer

from patchlab_agent.cli import options
from patchlab_agent.cli.console import out, print_json
from patchlab_agent.cli.ids import snapshot_names
from patchlab_agent.cli.patches import app
from patchlab_agent.settings import DEFAULT_STORE


@app.command()
def rollback(
    to: Annotated[
        str,
        typer.Option(
            help="The run's name or number: run-0003, or 3; last is the newest.",
            metavar="RUN",
            autocompletion=snapshot_names,
        ),
    ],
    store: options.Store = DEFAULT_STORE,
    as_json: options.Json = False,
) -> None:
    """Restore patches and examples to their state at the end of a run.

    With the same model and options, every request then gets the prompt that it would have got
    right after that run. Later patches are retired, or stay disabled; if a failure teaches one
    again, the gate decides anew. Traces, reports and histories are kept, and you can roll forward
    to a later run in the same way. Changes made by hand after the last run are lost for good, so
    look at `patches history` first. A rollback that is cut off has been done, or nothing of it has.

    Examples:
        patchlab-agent patches rollback --to run-0003

        patchlab-agent patches rollback --to 3 --json
    """
    from patchlab_agent.lab.stored_lab import open_store

    with open_store(store, write=True) as lab:
        report = lab.patches.rollback(to)
    if as_json:
        print_json(report.model_dump(mode="json"))
        return
    from patchlab_agent.report.rollback import render

    out().print(render(report))
