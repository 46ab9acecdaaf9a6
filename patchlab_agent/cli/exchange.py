"""`patchlab-agent patches export`, `import` and `diff`: patches on their way between stores."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from patchlab_agent.cli import options
from patchlab_agent.cli.console import out, print_json, progress
from patchlab_agent.cli.files import STANDARD, check_target, read_lines, write_lines
from patchlab_agent.cli.patches import OneStatus, app
from patchlab_agent.errors import BackendError, InputError, PartialRun
from patchlab_agent.models.patch import Patch
from patchlab_agent.settings import DEFAULT_STORE, AgentSettings

if TYPE_CHECKING:
    from patchlab_agent.lab.lab import Lab
    from patchlab_agent.models.transfer import ImportReport

DIFFERENT = 1
"""The exit code of a question that is answered with no, as that of `diff`."""


@app.command()
def export(
    file: Annotated[str, typer.Argument(help="JSONL to write; - for standard output.")],
    status: OneStatus = None,
    store: options.Store = DEFAULT_STORE,
    force: options.Force = False,
) -> None:
    """Write patches as JSONL: to be reviewed, kept under version control, and imported elsewhere.

    The first line says format and skill; then comes a patch per line, with fix, tests, gate report
    and history, in the order in which they became what they are.

    Examples:
        patchlab-agent patches export patches.jsonl

        patchlab-agent patches export - --status active
    """
    from patchlab_agent.lab.stores import open_store
    from patchlab_agent.transfer.lines import export_lines

    check_target(file, force)
    with open_store(store) as opened:
        patches = opened.patches.all(status)
        lines = export_lines(opened.info.skill, patches, ascii_only=file == STANDARD)
        count = write_lines(file, lines) - 1
    if file != STANDARD:
        from patchlab_agent.report.format import several

        told = f"Wrote {several(count, 'patch', 'patches')} to {file}."
        out().print(told, markup=False, soft_wrap=True)


@app.command("import")
@options.takes(options.ANSWERING, options.SPENDING, options.REAL_MODEL)
def import_patches(
    context: typer.Context,
    file: Annotated[str, typer.Argument(help="JSONL of `patches export`; - for standard input.")],
    as_json: options.Json = False,
) -> None:
    """Take patches in: what was active elsewhere passes the gate before it is active here.

    All lines are checked before the first patch is taken in. Active ones are gated in the file's
    order; one that is refused is gated again only if the patches after it change what that rests
    on. What was quarantined, disabled or retired comes in as it is: `patches regate` and `patches
    enable` are for those. Patches that are known here are left alone, so an import that the model's
    side ended can be given again; only what an import of a file of this name had refused is gated
    again, if what that rests on has changed.

    Examples:
        patchlab-agent patches import patches.jsonl --store other

        patchlab-agent patches import patches.jsonl --json > report.json
    """
    settings = options.settings(AgentSettings, context)
    from patchlab_agent.lab.lab import lab_of
    from patchlab_agent.transfer.lines import read_export

    name, lines = read_lines(file)
    skill, patches = read_export(name, lines)
    if skill != settings.skill:
        raise InputError(f"{name} holds patches of the skill {skill!r}; add --skill {skill}.")
    with lab_of(settings) as lab:
        report, failure = _imported(lab, name, patches)
    if failure is not None and not report.patches:
        raise failure
    if as_json:
        print_json(report.model_dump(mode="json"))
    else:
        from patchlab_agent.report.transfer import render_import

        out().print(render_import(report))
    if failure is not None:
        raise PartialRun(f"{failure} What was taken in before is kept.") from failure


def _imported(
    lab: Lab, name: str, patches: list[Patch]
) -> tuple[ImportReport, BackendError | None]:
    from patchlab_agent.transfer.importer import Importer

    importer = Importer(lab.store.patches, lab.gate, lab.lifecycle, name)
    failure = None
    with progress() as bars:
        task = bars.add_task("Patches", total=len(patches), note="")
        try:
            importer.run(patches, lambda: bars.advance(task))
        except BackendError as error:
            failure = error
    return importer.report, failure


@app.command()
def diff(
    a: Annotated[Path, typer.Argument(help="A store's folder, or a file of `patches export`.")],
    b: Annotated[Path, typer.Argument(help="Another one.")],
    as_json: options.Json = False,
) -> None:
    """Tell what two stores or exports differ in: which patches, their status, what they say.

    Tests, gate reports and histories are not compared. The exit code is 0 where nothing differs,
    and 1 where something does.

    Example:
        patchlab-agent patches diff .patchlab patches.jsonl
    """
    from patchlab_agent.transfer.difference import compare

    found = compare(str(a), _patches_of(a), str(b), _patches_of(b))
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        from patchlab_agent.report.transfer import render_diff

        out().print(render_diff(found))
    if found.differences:
        raise typer.Exit(DIFFERENT)


def _patches_of(path: Path) -> list[Patch]:
    # A pipe, as of a shell's <(…), is read like a file. Path's own test raises on too long a name.
    if os.path.exists(path) and not path.is_dir():  # noqa: PTH110
        from patchlab_agent.transfer.lines import read_export

        return read_export(*read_lines(str(path)))[1]
    from patchlab_agent.lab.stores import open_store

    with open_store(path) as store:
        return list(store.patches.all())
