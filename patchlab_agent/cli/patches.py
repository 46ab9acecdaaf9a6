"""`patchlab-agent patches`: look into what was learned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from patchlab_agent.cli import options
from patchlab_agent.cli.console import dumped, out, print_json
from patchlab_agent.cli.ids import find_patch, patch_ids
from patchlab_agent.cli.labels import known_label
from patchlab_agent.models.evidence import Standing
from patchlab_agent.models.patch import Origin, Patch, Status
from patchlab_agent.models.tally import Tally
from patchlab_agent.settings import DEFAULT_STORE

if TYPE_CHECKING:
    from collections.abc import Mapping


app = typer.Typer(no_args_is_help=True, help="Look into the stored patches, and steer them.")

PatchId = Annotated[
    str,
    typer.Argument(help="Its id, or as much of it as is unique.", autocompletion=patch_ids),
]
OneStatus = Annotated[
    Status | None, typer.Option(help="Only those of one status.", show_default="all")
]
NONE = Tally()


@app.command("list")
def list_patches(
    status: OneStatus = None,
    label: Annotated[
        str | None, typer.Option(help="Only those born of a failure with this label.")
    ] = None,
    kind: Annotated[
        str | None, typer.Option(help="Only those with this kind of fix, as unit or parcel.")
    ] = None,
    origin: Annotated[
        Origin | None, typer.Option(help="Only those of one origin.", show_default="any")
    ] = None,
    standing: Annotated[
        Literal["trial", "proven"] | None,
        typer.Option(help="Only active ones on trial, or proven ones.", show_default="all"),
    ] = None,
    trigger: Annotated[
        str | None, typer.Option(help="Only those whose trigger has these words.", metavar="WORDS")
    ] = None,
    unused: Annotated[
        bool, typer.Option("--unused", help="Only those that no stored trace applied.")
    ] = False,
    sort: Annotated[
        Literal["trigger", "uses", "effect"],
        typer.Option(help="trigger, or the highest first: uses, or effect: saves minus harms."),
    ] = "trigger",
    store: options.Store = DEFAULT_STORE,
    as_json: options.Json = False,
) -> None:
    """List patches with what they teach, why the gate decided so, and what became of answers.

    Uses are the stored traces that a patch was applied to. Of those, saves are wrong without
    patches and right with them, harms the other way round; where several patches were applied,
    each of them counts. `patches effect` tells them apart.

    Examples:
        patchlab-agent patches list --status quarantined

        patchlab-agent patches list --status active --sort effect

        patchlab-agent patches list --unused --label destination_unknown

        patchlab-agent patches list --standing trial --origin person
    """
    from patchlab_agent.lab.stores import labels_in, open_store

    with open_store(store) as opened:
        known = known_label(label, labels_in(opened)) if label is not None else None
        tallies = opened.traces.tallies()
        patches = [
            patch
            for patch in opened.patches.all(
                status,
                label=known,
                kind=kind,
                origin=origin,
                standing=Standing[standing.upper()] if standing else None,
            )
            if (trigger is None or _has_words(patch, trigger))
            and not (unused and patch.id in tallies)
        ]
    _sort(patches, tallies, sort)
    if as_json:
        print_json([record(patch, tallies) for patch in patches])
        return
    from patchlab_agent.report.inspect import patch_table

    out().print(patch_table(patches, tallies) if patches else "No such patch.")


@app.command()
def show(
    patch_id: PatchId,
    store: options.Store = DEFAULT_STORE,
    as_json: options.Json = False,
) -> None:
    """Show one patch: fix, trigger, origin, birth, uses, evidence, the gate's decision, history.

    The evidence is the requests that the patch turned right (+) or wrong (-), the latest last. An
    active patch is on trial until they prove it; those that turn wrong may convict it. Where it is
    held out of a share of its uses (--holdout), so do pairs of uses, of which one is right only
    with it (+) or only without it (-).

    Example:
        patchlab-agent patches show 3f9c
    """
    from patchlab_agent.lab.stores import open_store

    with open_store(store) as opened:
        patch = find_patch(opened.patches, patch_id)
        tallies = opened.traces.tallies()
        rivals = opened.patches.rivals(patch)
        born = opened.traces.get(patch.provenance.trace_id)
    if born is not None and born.request != patch.provenance.request:
        # An imported patch was born in another store, whose traces have the same names.
        born = None
    if as_json:
        print_json(
            {
                **record(patch, tallies),
                "superseded_by": patch.superseded_by,
                "same_subject": [{"id": each.id, "status": each.status} for each in rivals],
                "birth": born and born.model_dump(mode="json"),
            }
        )
        return
    from patchlab_agent.report.inspect import patch_details

    out().print(patch_details(patch, tallies.get(patch.id, NONE), rivals, born))


@app.command()
def search(
    text: Annotated[str, typer.Argument(help="A request, a word, or what a patch may teach.")],
    limit: Annotated[int, typer.Option(min=1, help="How many, the nearest first.")] = 10,
    store: options.Store = DEFAULT_STORE,
    as_json: options.Json = False,
) -> None:
    """Find the patches, whatever their status, that a text is most about.

    First come those whose trigger stands in the text, then those that say it, then those whose
    triggers are nearest in meaning. Distances are cosine distances from text to trigger: 0 is
    nearest.

    Examples:
        patchlab-agent patches search "two crates of batteries to Iran"

        patchlab-agent patches search hazmat --json
    """
    from patchlab_agent.lab.stores import open_store
    from patchlab_agent.text import check_request

    check_request(text)
    with open_store(store) as opened:
        hits = opened.patches.look_up(text, limit)
        tallies = opened.traces.tallies()
    if as_json:
        print_json(
            [{**record(h.patch, tallies), "distance": h.distance, "occurs": h.occurs} for h in hits]
        )
        return
    from patchlab_agent.report.inspect import hit_table

    out().print(hit_table(hits, tallies) if hits else "No patch yet.")


def record(patch: Patch, tallies: Mapping[str, Tally]) -> dict[str, Any]:
    """Return a patch as JSON, with its id, its standing, and what became of its uses."""
    tally = tallies.get(patch.id, NONE)
    standing = patch.standing and str(patch.standing)
    return {"id": patch.id, **dumped([patch])[0], "standing": standing, **tally.model_dump()}


def _has_words(patch: Patch, wanted: str) -> bool:
    from patchlab_agent.text import phrases, words

    return " ".join(words(wanted)) in phrases(patch.trigger)


def _sort(patches: list[Patch], tallies: Mapping[str, Tally], by: str) -> None:
    """Stable, so that equal ones stay sorted by trigger and id."""
    if by != "trigger":
        patches.sort(key=lambda patch: -int(getattr(tallies.get(patch.id, NONE), by)))
