"""`patchlab-agent patches enable`, `disable`, `retire` and `regate`: overrule what was learned."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from patchlab_agent.cli import options
from patchlab_agent.cli.console import dumped, out, print_json, progress
from patchlab_agent.cli.ids import find_patches, patch_ids
from patchlab_agent.cli.patches import app
from patchlab_agent.errors import BackendError, PartialRun, UsageError
from patchlab_agent.models.patch import Patch, PatchEvent, Status
from patchlab_agent.settings import DEFAULT_STORE, AgentSettings

if TYPE_CHECKING:
    from patchlab_agent.lab.lab import Lab
    from patchlab_agent.learning.lifecycle import Lifecycle

_HELP = "Their ids, or as much of each as is unique."
PatchIds = Annotated[
    list[str], typer.Argument(help=_HELP, metavar="ID...", autocompletion=patch_ids)
]


@app.command()
def enable(
    ids: PatchIds, store: options.Store = DEFAULT_STORE, as_json: options.Json = False
) -> None:
    """Make patches active, whatever the gate said of them.

    Whichever active patch says something else of the same subject is retired. Of several ids, one
    that cannot be enabled keeps all from it.

    Example:
        patchlab-agent patches enable 3f9c
    """
    _print(_by_hand(store, ids, Status.ACTIVE, lambda lifecycle: lifecycle.enable), as_json)


@app.command()
def disable(
    ids: PatchIds, store: options.Store = DEFAULT_STORE, as_json: options.Json = False
) -> None:
    """Switch patches off until you enable them; no failure brings them back.

    Example:
        patchlab-agent patches disable 3f9c 854c
    """
    _print(_by_hand(store, ids, Status.DISABLED, lambda lifecycle: lifecycle.disable), as_json)


@app.command()
def retire(
    ids: PatchIds, store: options.Store = DEFAULT_STORE, as_json: options.Json = False
) -> None:
    """Take patches out of use until the gate lets them in again.

    The gate decides again when a failure teaches such a patch again and something that its last
    decision rests on has changed, or when the third such failure comes.

    Example:
        patchlab-agent patches retire 3f9c
    """
    _print(_by_hand(store, ids, Status.RETIRED, lambda lifecycle: lifecycle.retire), as_json)


@app.command()
@options.takes(options.ANSWERING, options.SPENDING, options.REAL_MODEL)
def regate(
    context: typer.Context,
    ids: Annotated[
        list[str] | None,
        typer.Argument(help=_HELP, metavar="[ID]...", autocompletion=patch_ids),
    ] = None,
    status: Annotated[
        Literal["quarantined", "active", "retired"] | None,
        typer.Option(help="In place of ids: all patches of this status."),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Let the gate decide again, as the model, its prompts and the other patches are now.

    A patch that passes is active then, one that does not is quarantined. Give the model's options
    as they were in the run. What was decided before the model's side failed is kept.

    Examples:
        patchlab-agent patches regate 3f9c

        patchlab-agent patches regate --status quarantined
    """
    settings = options.settings(AgentSettings, context)
    if bool(ids) == (status is not None):
        raise UsageError("Name patches, or give --status quarantined or another one; one of both.")
    from patchlab_agent.lab.lab import lab_of
    from patchlab_agent.lab.stores import require_store

    require_store(settings.store)
    events: list[PatchEvent] = []
    failure: BackendError | None = None
    with lab_of(settings) as lab:
        chosen = _to_gate(lab, ids or [], status)
        try:
            for found in _gated(lab, chosen):
                events += found
        except BackendError as error:
            failure = error
    if failure is not None and not events:
        raise failure
    _print(events, as_json)
    if failure is not None:
        raise PartialRun(f"{failure} What was gated before it is kept.") from failure


def _to_gate(lab: Lab, prefixes: list[str], status: str | None) -> list[Patch]:
    if status is not None:
        # In the order of their births, as a run would have it.
        return sorted(lab.store.patches.all(Status(status)), key=lambda patch: patch.since)
    chosen = find_patches(lab.store.patches, prefixes)
    for patch in chosen:
        if patch.status is Status.DISABLED:
            raise UsageError(
                f"Patch {patch.id} is disabled by hand; enable it first, then gate it again."
            )
    return chosen


def _gated(lab: Lab, chosen: list[Patch]) -> Iterator[tuple[PatchEvent, ...]]:
    with progress() as bars:
        task = bars.add_task("Gate", total=len(chosen), note="")
        for patch in chosen:
            present = lab.store.patches.get(patch.id)
            # One that was gated before it may have taken its place.
            if present is not None and present.status is patch.status:
                yield lab.lifecycle.regate(present)
            bars.advance(task)


def _by_hand(
    path: Path,
    prefixes: list[str],
    target: Status,
    action: Callable[[Lifecycle], Callable[[Patch], tuple[PatchEvent, ...]]],
) -> list[PatchEvent]:
    """Move patches, all or none of them."""
    from patchlab_agent.lab.stores import lifecycle_by_hand, open_store

    with open_store(path, write=True) as store:
        chosen = find_patches(store.patches, prefixes)
        for patch in chosen:
            if patch.status is target:
                raise UsageError(f"Patch {patch.id} is {target} already; leave it out.")
        move = action(lifecycle_by_hand(store))
        return [event for patch in chosen for event in move(patch)]


def _print(events: list[PatchEvent], as_json: bool) -> None:
    if as_json:
        print_json(dumped(events))
        return
    from patchlab_agent.report.inspect import event_table

    out().print(event_table(events) if events else "No such patch.")
