"""`patchlab-agent patches history`: how patches became what they are."""

from __future__ import annotations

from typing import Annotated

import typer

from patchlab_agent.cli import options
from patchlab_agent.cli.console import dumped, out, print_json
from patchlab_agent.cli.ids import find_patch, patch_ids
from patchlab_agent.cli.patches import app
from patchlab_agent.settings import DEFAULT_STORE


@app.command()
def history(
    patch_id: Annotated[
        str | None,
        typer.Argument(
            help="Its id, or as much of it as is unique.",
            metavar="[ID]",
            show_default="all patches",
            autocompletion=patch_ids,
        ),
    ] = None,
    store: options.Store = DEFAULT_STORE,
    as_json: options.Json = False,
) -> None:
    """Tell every change of a patch, or of all patches, in order of time.

    The trace is the one whose feedback caused the change; where there is none, a person did.

    Examples:
        patchlab-agent patches history

        patchlab-agent patches history 3f9c --json
    """
    from patchlab_agent.lab.stores import open_store
    from patchlab_agent.models.history import changes_of

    with open_store(store) as opened:
        whole = patch_id is None
        patches = opened.patches.all() if whole else [find_patch(opened.patches, str(patch_id))]
        changes = changes_of(patches)
    if as_json:
        print_json(dumped(changes))
        return
    from patchlab_agent.report.inspect import history_table

    out().print(history_table(changes) if changes else "No patch yet.")
