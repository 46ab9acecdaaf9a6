"""`patchlab-agent patches history`: how patches became what they are."""

from __future__ import annotations

from typing import Annotated

import typer

from patchlab_agent.cli import options
from patchlab_agent.cli.console import dumped, out, print_json
from patchlab_agent.cli.ids import patch_ids
from patchlab_agent.cli.patches import app
from patchlab_agent.settings import DEFAULT_STORE


@app.command()
def history(
    patch_id: Annotated[
        str | None,
        typer.Argument(
            help="Its id, or a unique prefix of it.",
            metavar="[ID]",
            show_default="all patches",
            autocompletion=patch_ids,
        ),
    ] = None,
    store: options.Store = DEFAULT_STORE,
    as_json: options.Json = False,
) -> None:
    """Show every change of a patch, or of all patches, in chronological order.

    The trace is the one whose feedback caused the change; without one, a person made it.

    Examples:
        patchlab-agent patches history

        patchlab-agent patches history 3f9c --json
    """
    from patchlab_agent.lab.stored_lab import open_store

    with open_store(store) as lab:
        changes = lab.patches.history(patch_id)
    if as_json:
        print_json(dumped(changes))
        return
    from patchlab_agent.report.inspect import history_table

    out().print(history_table(changes) if changes else "No patch yet.")
