"""`patchlab-agent store`: copies of a store, and repairs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from patchlab_agent.cli import options
from patchlab_agent.cli.console import out, print_json
from patchlab_agent.settings import DEFAULT_STORE

app = typer.Typer(no_args_is_help=True, help="Back up, restore and repair a store.")


@app.command()
def backup(
    target: Annotated[
        Path,
        typer.Argument(
            help="File to write (.zip, .tar, .tar.gz or .tgz), or a new folder.",
            metavar="FILE|FOLDER",
        ),
    ],
    store: options.Store = DEFAULT_STORE,
    force: options.Force = False,
) -> None:
    """Copy a store to a file or folder, all of it or nothing.

    Nobody may write to the store meanwhile.

    Examples:
        patchlab-agent store backup monday.tar.gz

        patchlab-agent store backup copies/monday --store lab
    """
    from patchlab_agent.lab.upkeep import backup_store

    written = backup_store(store, target, force=force)
    out().print(f"Copied {store} to {written}.", markup=False, soft_wrap=True)


@app.command()
def restore(
    source: Annotated[
        Path, typer.Argument(help="What `store backup` wrote.", metavar="FILE|FOLDER")
    ],
    store: options.Store = DEFAULT_STORE,
    force: Annotated[
        bool, typer.Option("--force", help="Replace the store that is there already.")
    ] = False,
) -> None:
    """Put a copy of a store in place, once it is sure that the copy is whole.

    Examples:
        patchlab-agent store restore monday.tar.gz --force

        patchlab-agent store restore copies/monday --store lab
    """
    from patchlab_agent.lab.upkeep import restore_store

    restore_store(source, store, force=force)
    out().print(f"Restored {store} from {source}.", markup=False, soft_wrap=True)


@app.command()
def repair(store: options.Store = DEFAULT_STORE, as_json: options.Json = False) -> None:
    """Mend references that lead nowhere, as earlier versions left them, and say what was done.

    A patch no longer names a trace that is missing or another request's, a trace no longer names
    missing patches and examples, and an example without its trace is deleted. Nothing else changes.
    `doctor` says beforehand what is wrong.

    Examples:
        patchlab-agent store repair

        patchlab-agent store repair --store lab --json
    """
    from patchlab_agent.lab.upkeep import repair_store

    report = repair_store(store)
    if as_json:
        print_json(report.model_dump(mode="json"))
        return
    console = out()
    for change in report.changes:
        console.print(change, markup=False, soft_wrap=True)
    told = f"Mended {len(report.changes)} records." if report.changes else "Nothing to mend."
    console.print(f"{store}: {told}", markup=False, soft_wrap=True)
