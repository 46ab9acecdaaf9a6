"""`patchlab-agent patches`: look into what was learned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from patchlab_agent.cli import options
from patchlab_agent.cli.console import dumped, out, print_json
from patchlab_agent.errors import InputError
from patchlab_agent.models.patch import Patch, Status
from patchlab_agent.settings import DEFAULT_STORE

if TYPE_CHECKING:
    from patchlab_agent.store.patches import PatchStore

app = typer.Typer(no_args_is_help=True, help="Look into the stored patches.")


@app.command("list")
def list_patches(
    status: Annotated[
        Status | None, typer.Option(help="Only those of one status.", show_default="all")
    ] = None,
    store: options.Store = DEFAULT_STORE,
    as_json: options.Json = False,
) -> None:
    """List patches with what they teach and why the gate decided as it did.

    Example:
        patchlab-agent patches list --status quarantined
    """
    from patchlab_agent.wiring import open_store

    with open_store(store) as opened:
        patches = list(opened.patches.all(status))
    if as_json:
        print_json([_with_id(patch) for patch in patches])
        return
    from patchlab_agent.report.inspect import patch_table

    out().print(patch_table(patches) if patches else "No such patch.")


@app.command()
def show(
    patch_id: Annotated[str, typer.Argument(help="Its id, or as much of it as is unique.")],
    store: options.Store = DEFAULT_STORE,
    as_json: options.Json = False,
) -> None:
    """Show one patch: fix, trigger, birth, tests, the gate's decision, history.

    Example:
        patchlab-agent patches show 3f9c
    """
    from patchlab_agent.wiring import open_store

    with open_store(store) as opened:
        patch = _find(opened.patches, patch_id)
    if as_json:
        print_json(_with_id(patch))
        return
    from patchlab_agent.report.inspect import patch_details

    out().print(patch_details(patch))


def _find(patches: PatchStore, prefix: str) -> Patch:
    found = patches.find(prefix) if prefix else []
    patch = patches.get(found[0]) if len(found) == 1 else None
    if patch is not None:
        return patch
    if not found:
        raise InputError(f"No patch has an id that starts with {prefix!r}; see `patches list`.")
    raise InputError(f"{len(found)} patches have ids that start with {prefix!r}; give more of it.")


def _with_id(patch: Patch) -> dict[str, object]:
    return {"id": patch.id, **dumped([patch])[0]}
