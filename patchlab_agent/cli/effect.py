"""`patchlab-agent patches effect`: what each patch and each example is worth."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from patchlab_agent.cli import options
from patchlab_agent.cli.console import out, print_json, progress
from patchlab_agent.cli.ids import patch_ids
from patchlab_agent.cli.patches import app
from patchlab_agent.settings import REPLAY, RunSettings

TRACES = 100
"""A tenth of a default run."""


@app.command()
@options.takes(options.ANSWERING, options.SPENDING, options.REAL_MODEL)
def effect(
    context: typer.Context,
    named: Annotated[
        list[str] | None,
        typer.Argument(
            help="Ids of active patches, or unique prefixes of them.",
            metavar="[ID]...",
            show_default="all active patches, and the examples that are shown",
            autocompletion=patch_ids,
        ),
    ] = None,
    golden: Annotated[
        int, typer.Option(min=0, help="Number of held-out golden cases to measure on; 0 for none.")
    ] = 40,
    traces: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Number of the latest traces to measure on; 0 for none.",
            metavar="N",
            show_default=f"{TRACES}, or 0 with --backend {REPLAY}",
        ),
    ] = None,
    sort: Annotated[
        Literal["saves", "spoils", "net"], typer.Option(help="What to sort by, highest first.")
    ] = "net",
    as_json: options.Json = False,
) -> None:
    """Leave out one patch or example at a time, and count the answers that it saves and spoils.

    Only cases whose prompts contain a patch or an example are answered again. Traces hold no truth:
    an answer to one counts as right if it agrees with the answer that was accepted.
    Patches are learned from traces, so what counts is the golden set. Nothing is stored.

    Examples are measured when no ID is given; --examples 0 leaves them out of all prompts.

    Two patches that do the same job each look useless: without one, the other still does it.

    Give the model's options as they were in the run. A replay has only the answers of its run: to
    most golden cases without a patch, which is what its baseline was asked, and to few traces.

    Examples:
        patchlab-agent patches effect

        patchlab-agent patches effect 3f9c --golden 260 --traces 0

        patchlab-agent patches effect --sort spoils --json
    """
    settings = options.settings(RunSettings, context)
    from patchlab_agent.lab.opening import lab_of
    from patchlab_agent.lab.preflight import check_settings

    check_settings(settings)
    with lab_of(settings, write=False) as lab, progress() as bars:
        task = bars.add_task("Answers", total=None, note="")

        def on_answers(done: int, total: int) -> None:
            bars.update(task, completed=done, total=total)

        report = lab.effects(
            *named or (),
            golden=settings.golden,
            traces=_traces(settings) if traces is None else traces,
            sort=sort,
            on_answers=on_answers,
        )
    if as_json:
        print_json(report.model_dump(mode="json"))
        return
    from patchlab_agent.report.effects import render

    out().print(render(report))


def _traces(settings: RunSettings) -> int:
    return 0 if settings.backend == REPLAY else TRACES
