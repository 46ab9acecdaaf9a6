"""`patchlab-agent patches`: look into what was learned."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from patchlab_agent.cli import options
from patchlab_agent.cli.console import dumped, out, print_json
from patchlab_agent.cli.ids import patch_ids
from patchlab_agent.models.evidence import Standing
from patchlab_agent.models.patch import Origin, Status
from patchlab_agent.settings import DEFAULT_STORE

app = typer.Typer(no_args_is_help=True, help="Inspect the stored patches, and steer them.")

PatchId = Annotated[
    str,
    typer.Argument(help="Its id, or a unique prefix of it.", autocompletion=patch_ids),
]
OneStatus = Annotated[
    Status | None, typer.Option(help="Only those with this status.", show_default="all")
]


@app.command("list")
def list_patches(
    words: Annotated[
        str | None,
        typer.Argument(
            help="Only those whose trigger contains these words.",
            metavar="WORDS",
            show_default=False,
        ),
    ] = None,
    status: OneStatus = None,
    label: Annotated[
        str | None, typer.Option(help="Only those learned from a failure with this label.")
    ] = None,
    kind: Annotated[
        str | None, typer.Option(help="Only those with this kind of fix, such as unit or parcel.")
    ] = None,
    origin: Annotated[
        Origin | None, typer.Option(help="Only those of this origin.", show_default="any")
    ] = None,
    standing: Annotated[
        Literal["trial", "proven"] | None,
        typer.Option(help="Only active patches with this standing.", show_default="all"),
    ] = None,
    unused: Annotated[
        bool, typer.Option("--unused", help="Only those that no stored trace used.")
    ] = False,
    sort: Annotated[
        Literal["trigger", "uses", "effect"],
        typer.Option(help="By trigger; or highest first by uses, or by effect: saves minus harms."),
    ] = "trigger",
    limit: Annotated[
        int | None, typer.Option(min=1, help="Maximum number.", show_default="all")
    ] = None,
    store: options.Store = DEFAULT_STORE,
    as_json: options.Json = False,
) -> None:
    """List patches with what they teach, the gate's reasons, and the outcomes of their uses.

    Uses are the stored traces to which a patch was applied. Of those, saves are wrong without
    patches and right with them, harms the reverse; if several patches were applied, each of them is
    credited. `patches effect` tells them apart. An active patch that speaks of a field or value
    that the task no longer has is set aside: no prompt shows it until the task has it again.

    Examples:
        patchlab-agent patches list battery

        patchlab-agent patches list --status quarantined

        patchlab-agent patches list --sort effect --limit 10

        patchlab-agent patches list --unused --label destination_unknown

        patchlab-agent patches list --standing trial --origin person
    """
    from patchlab_agent.lab.stored_lab import open_store

    with open_store(store) as lab:
        found = lab.patches.select(
            status=status,
            label=label,
            kind=kind,
            origin=origin,
            standing=Standing[standing.upper()] if standing else None,
            trigger=words,
            unused=unused,
            sort=sort,
            limit=limit,
        )
    if as_json:
        print_json(dumped(found))
        return
    from patchlab_agent.report.inspect import patch_list

    out().print(patch_list(found) if found else "No such patch.")


@app.command()
def show(
    patch_id: PatchId,
    store: options.Store = DEFAULT_STORE,
    as_json: options.Json = False,
) -> None:
    """Show one patch: fix, trigger, origin, birth, uses, evidence, the gate's decision, history.

    The evidence is the requests that the patch turned right (+) or wrong (-), latest last. An
    active patch is on trial until they prove it; those that turn wrong may convict it. If it is
    held out of a share of its uses (--holdout), the evidence is pairs of uses, right only with it
    (+) or only without it (-).

    Example:
        patchlab-agent patches show 3f9c
    """
    from patchlab_agent.lab.stored_lab import open_store

    with open_store(store) as lab:
        found = lab.patches.show(patch_id)
    if as_json:
        print_json(found.model_dump(mode="json"))
        return
    from patchlab_agent.report.inspect import patch_details

    out().print(patch_details(found))


@app.command()
def search(
    text: Annotated[
        str, typer.Argument(help="A request, a word, or something that a patch may teach.")
    ],
    limit: Annotated[int, typer.Option(min=1, help="Maximum number, nearest first.")] = 10,
    store: options.Store = DEFAULT_STORE,
    as_json: options.Json = False,
) -> None:
    """Find the patches, of any status, that are most relevant to a text.

    Patches whose trigger occurs in the text come first, then those whose contents contain the text,
    then those whose triggers are nearest in meaning. Distances are cosine distances between text
    and trigger: 0 is nearest.

    Examples:
        patchlab-agent patches search "two crates of batteries to Iran"

        patchlab-agent patches search hazmat --json
    """
    from patchlab_agent.lab.stored_lab import open_store

    with open_store(store) as lab:
        found = lab.patches.search(text, limit)
    if as_json:
        print_json(dumped(found))
        return
    from patchlab_agent.report.inspect import hit_table

    out().print(hit_table(found) if found else "No patch yet.")
