"""`patchlab-agent patches export`, `import` and `diff`: patches on their way between stores."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from patchlab_agent.cli import options
from patchlab_agent.cli.console import knows_unicode, out, print_json, progress
from patchlab_agent.cli.patches import app
from patchlab_agent.errors import PartialRun
from patchlab_agent.models.patch import Status
from patchlab_agent.settings import DEFAULT_STORE, AgentSettings
from patchlab_agent.transfer.files import (
    STANDARD,
    ascii_only,
    check_target,
    read_lines,
    write_lines,
)

DIFFERENT = 1
"""Exit code for differences, as of `diff`."""


@app.command()
def export(
    file: Annotated[str, typer.Argument(help="File to write; - for standard output.")],
    form: Annotated[
        Literal["jsonl", "prompt", "agents-md"],
        typer.Option(
            "--format",
            help="jsonl: all of each patch, which `patches import` reads; prompt: text for a "
            "static prompt; agents-md: a Markdown file for coding agents, as AGENTS.md.",
        ),
    ] = "jsonl",
    status: Annotated[
        Status | None,
        typer.Option(
            help="Only those with this status.", show_default="all as jsonl, active as text"
        ),
    ] = None,
    store: options.Store = DEFAULT_STORE,
    force: options.Force = False,
) -> None:
    """Write patches to a file: to review, keep, import elsewhere, or use without PatchLab.

    As jsonl, the first line gives format and skill; each further line is a patch with its fix,
    tests, gate report and history, in the order in which they reached their present status. As
    text, lessons are worded as in a prompt, each with the words of a request that call for it.

    Examples:
        patchlab-agent patches export patches.jsonl

        patchlab-agent patches export - --status active

        patchlab-agent patches export lessons.txt --format prompt

        patchlab-agent patches export AGENTS.md --format agents-md --force
    """
    from patchlab_agent.lab.stored_lab import open_store
    from patchlab_agent.report.format import several

    check_target(file, force)
    with open_store(store) as lab:
        if form == "jsonl":
            lines = lab.patches.export(status, ascii_only=file == STANDARD)
            told = several(write_lines(file, lines) - 1, "patch", "patches")
        else:
            found = lab.patches.text(form, status or Status.ACTIVE)
            is_safe = file != STANDARD or knows_unicode(out())
            text = found.text if is_safe else ascii_only(found.text)
            write_lines(file, text.split("\n"))
            told = several(found.lessons, "lesson", "lessons")
    if file != STANDARD:
        out().print(f"Wrote {told} to {file}.", markup=False, soft_wrap=True)


@app.command("import")
@options.takes(options.ANSWERING, options.GATING, options.SPENDING, options.REAL_MODEL)
def import_patches(
    context: typer.Context,
    file: Annotated[
        str, typer.Argument(help="File written by `patches export`; - for standard input.")
    ],
    as_json: options.Json = False,
) -> None:
    """Import patches: those that were active elsewhere must pass the gate here first.

    All lines are checked before the first patch is imported. Active patches are gated in the file's
    order; a rejected one is gated again only if later patches change what the decision depends on.
    Quarantined, disabled and retired patches are imported as they are: use `patches regate` and
    `patches enable` for those. Patches that are known here are left alone, so an import that an
    outage cut short can be repeated; only patches that an import of a file of this name had
    rejected are gated again, if what that decision depends on has changed.

    Examples:
        patchlab-agent patches import patches.jsonl --store other

        patchlab-agent patches import patches.jsonl --json > report.json
    """
    settings = options.settings(AgentSettings, context)
    from patchlab_agent.lab.opening import lab_of
    from patchlab_agent.lab.skills import skill_of
    from patchlab_agent.transfer.lines import check_export

    name, lines = read_lines(file)
    check_export(name, lines, skill_of(settings))
    with lab_of(settings) as lab, progress() as bars:
        task = bars.add_task("Patches", total=None, note="")

        def on_patch(done: int, total: int) -> None:
            bars.update(task, completed=done, total=total)

        report = lab.import_patches(name, lines, on_patch)
    if as_json:
        print_json(report.model_dump(mode="json"))
    else:
        from patchlab_agent.report.transfer import render_import

        out().print(render_import(report))
    if report.stopped is not None:
        raise PartialRun(f"{report.stopped.reason} What was taken in before is kept.")


@app.command()
def diff(
    a: Annotated[
        str, typer.Argument(help="A store's folder or address, or a file of `patches export`.")
    ],
    b: Annotated[str, typer.Argument(help="Another store or file.")],
    as_json: options.Json = False,
) -> None:
    """Show how two stores or exports differ: in their patches, statuses and contents.

    Tests, gate reports and histories are not compared. The exit code is 0 if nothing differs, and 1
    if something does.

    Example:
        patchlab-agent patches diff .patchlab patches.jsonl
    """
    from patchlab_agent.lab.differing import diff_patches

    found = diff_patches(a, b)
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        from patchlab_agent.report.transfer import render_diff

        out().print(render_diff(found))
    if found.differences:
        raise typer.Exit(DIFFERENT)
