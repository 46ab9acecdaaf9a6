"""`patchlab-agent patches enable`, `disable`, `retire` and `regate`: overrule what was learned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import typer

from patchlab_agent.cli import options
from patchlab_agent.cli.console import dumped, out, print_json, progress
from patchlab_agent.cli.ids import patch_ids
from patchlab_agent.cli.patches import app
from patchlab_agent.errors import PartialRun, UsageError
from patchlab_agent.models.event import PatchEvent
from patchlab_agent.models.patch import Status
from patchlab_agent.settings import DEFAULT_STORE, AgentSettings

_HELP = "Their ids, or unique prefixes of them."
PatchIds = Annotated[
    list[str], typer.Argument(help=_HELP, metavar="ID...", autocompletion=patch_ids)
]


@app.command()
def enable(
    ids: PatchIds, store: options.Store = DEFAULT_STORE, as_json: options.Json = False
) -> None:
    """Activate patches, whatever the gate decided.

    An active patch that contradicts one of them is retired. If one of several patches cannot be
    enabled, none is.

    Example:
        patchlab-agent patches enable 3f9c
    """
    from patchlab_agent.lab.stored_lab import open_store

    with open_store(store, write=True) as lab:
        events = lab.patches.enable(*ids)
    _print(events, as_json)


@app.command()
def disable(
    ids: PatchIds, store: options.Store = DEFAULT_STORE, as_json: options.Json = False
) -> None:
    """Switch patches off until you enable them again; no failure brings them back.

    Example:
        patchlab-agent patches disable 3f9c 854c
    """
    from patchlab_agent.lab.stored_lab import open_store

    with open_store(store, write=True) as lab:
        events = lab.patches.disable(*ids)
    _print(events, as_json)


@app.command()
def retire(
    ids: PatchIds, store: options.Store = DEFAULT_STORE, as_json: options.Json = False
) -> None:
    """Take patches out of use until the gate lets them in again.

    The gate decides again if a failure teaches such a patch again and something that its last
    decision depends on has changed, or on the third such failure.

    Example:
        patchlab-agent patches retire 3f9c
    """
    from patchlab_agent.lab.stored_lab import open_store

    with open_store(store, write=True) as lab:
        events = lab.patches.retire(*ids)
    _print(events, as_json)


@app.command()
@options.takes(options.ANSWERING, options.GATING, options.SPENDING, options.REAL_MODEL)
def regate(
    context: typer.Context,
    ids: Annotated[
        list[str] | None,
        typer.Argument(help=_HELP, metavar="[ID]...", autocompletion=patch_ids),
    ] = None,
    status: Annotated[
        Literal["quarantined", "active", "retired"] | None,
        typer.Option(help="Instead of ids: all patches with this status."),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Let the gate decide again, given the present model, prompts and other patches.

    A patch that passes becomes active; one that fails is quarantined. Give the model's options as
    they were in the run. If the model fails, the decisions made before it are kept.

    Examples:
        patchlab-agent patches regate 3f9c

        patchlab-agent patches regate --status quarantined
    """
    settings = options.settings(AgentSettings, context)
    if bool(ids) == (status is not None):
        raise UsageError("Name patches, or give a --status such as quarantined; either, not both.")
    from patchlab_agent.lab.opening import lab_of
    from patchlab_agent.lab.stores import require_store

    require_store(settings.store)
    with lab_of(settings) as lab, progress() as bars:
        task = bars.add_task("Gate", total=None, note="")

        def on_patch(done: int, total: int) -> None:
            bars.update(task, completed=done, total=total)

        chosen = None if status is None else Status(status)
        gated = lab.regate(*ids or (), status=chosen, on_patch=on_patch)
    if as_json:
        print_json(gated.model_dump(mode="json"))
    else:
        _print_table(gated.events)
    if gated.stopped is not None:
        raise PartialRun(f"{gated.stopped.reason} What was gated before it is kept.")


def _print(events: Sequence[PatchEvent], as_json: bool) -> None:
    if as_json:
        print_json(dumped(events))
    else:
        _print_table(events)


def _print_table(events: Sequence[PatchEvent]) -> None:
    from patchlab_agent.report.inspect import event_table

    out().print(event_table(events) if events else "No such patch.")
