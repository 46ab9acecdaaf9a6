"""`patchlab-agent compare`: runs or settings side by side."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from patchlab_agent.cli import options
from patchlab_agent.cli.console import knows_unicode, out, print_json, progress
from patchlab_agent.cli.page import Html, check_page, write_page
from patchlab_agent.config import key
from patchlab_agent.errors import PartialRun, UsageError
from patchlab_agent.files import no_room
from patchlab_agent.settings import RunSettings

if TYPE_CHECKING:
    from patchlab_agent.models.comparison import ComparisonReport
    from patchlab_agent.runs.runner import Runner
    from patchlab_agent.studies.sweep import PlannedRun

MODEL = {
    name: option
    for name, option in options.REAL_MODEL.items()
    if name not in ("record", "record_note")
}
"""All options of a real model but those of a cassette, which holds a single run."""
PICTURES = (".svg", ".png")


@options.takes(
    options.RUNNING,
    options.ANSWERING,
    options.USING,
    options.LEARNING,
    options.GATING,
    options.SPENDING,
    MODEL,
)
def compare(
    context: typer.Context,
    runs_to_compare: Annotated[
        list[str] | None,
        typer.Argument(
            help="Runs in --store by name or number, or reports as `run --json` prints them.",
            metavar="[RUN]...",
            show_default=False,
        ),
    ] = None,
    vary: Annotated[
        list[str] | None,
        typer.Option(
            help="A setting and its values, such as top-k=1,5,20. Repeat it to run every "
            "combination; two settings make a grid.",
            metavar="NAME=VALUE,...",
        ),
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option(
            help="New or empty folder in which to keep each setting's store.", metavar="FOLDER"
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            help="Also plot the comparison to a .svg or .png file; two --vary make a line plot.",
            metavar="FILE",
        ),
    ] = None,
    html: Html = None,
    as_json: options.Json = False,
) -> None:
    """Compare runs, or settings, pair by pair on the golden cases that all of them have.

    The others are compared with the first one. Stored runs are compared as they are; with --vary
    each setting is run now, on a store of its own that starts empty, with all other options the
    same. Two --vary make a grid: the values of the first are its rows and the horizontal axis of
    the plot; those of the second are its columns and the plot's lines. A setting that fails is
    reported and left out; after an outage the remaining ones are not tried.

    Examples:
        patchlab-agent compare 1 2

        patchlab-agent compare --vary top-k=1,5,20 --runs 400 --golden 260

        patchlab-agent compare --vary noise=0.03,0.1,0.2 --vary gate=on,off --plot gate.svg

        patchlab-agent compare 1 2 --html compared.html

        patchlab-agent compare before.json after.json --json
    """
    names = runs_to_compare or []
    _refuse_contradictions(names, vary or [], keep)
    _refuse_unheeded(options.given(context), is_over=bool(names))
    settings = options.settings(RunSettings, context)
    if vary and settings.golden == 0:
        raise UsageError("Settings are compared on golden cases; give --golden 1 or more.")
    _check_picture(plot)
    check_page(html)
    _check_folder(keep)
    if vary:
        report = _tried(settings, vary, keep)
    else:
        from patchlab_agent.lab.comparing import compare_stored

        report = compare_stored(names, settings.store)
    if plot is not None:
        _draw(report, plot)
    if html is not None:
        from patchlab_agent.report.html.comparison_page import comparison_page

        write_page(comparison_page(report), html)
    if as_json:
        print_json(report.model_dump(mode="json"))
    else:
        _print(report)
    for failure in report.failures:
        if failure.stop.kind != "budget":
            raise PartialRun(
                f"{failure.label} failed: {failure.stop.reason} "
                "The comparison is of the settings that came to golden answers."
            )


def _refuse_contradictions(names: list[str], vary: list[str], keep: Path | None) -> None:
    if names and vary:
        raise UsageError("Name runs or give --vary, not both.")
    if not vary and len(names) < 2:
        raise UsageError("Name two runs or more, or give --vary as in --vary top-k=1,5,20.")
    if keep is not None and not vary:
        raise UsageError("--keep is for the stores of --vary; leave it out.")


def _refuse_unheeded(given: list[str], *, is_over: bool) -> None:
    """Runs that are over lie in a store and are compared as they are; new ones get stores."""
    if not is_over and "store" in given:
        raise UsageError("--store is for finished runs; with --vary, --keep names the folder.")
    for name in given:
        if is_over and name in RunSettings.model_fields and name != "store":
            raise UsageError(
                f"--{key(name)} is for the runs of --vary; leave it out to compare runs."
            )


def _check_picture(path: Path | None) -> None:
    if path is None:
        return
    if path.suffix.casefold() not in PICTURES:
        raise UsageError(f"--plot {path} must end in {' or '.join(PICTURES)}.")
    if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        raise UsageError(f"--plot {path} cannot be written; name a file in a writable folder.")


def _check_folder(path: Path | None) -> None:
    if path is None:
        return
    existing = next(each for each in (path, *path.absolute().parents) if each.exists())
    is_usable = existing.is_dir() and os.access(existing, os.W_OK)
    if not is_usable or (existing == path and any(path.iterdir())):
        raise UsageError(f"--keep {path} is not empty or cannot be written; name a new folder.")


def _tried(settings: RunSettings, vary: list[str], keep: Path | None) -> ComparisonReport:
    from patchlab_agent.lab.sweeping import compare_settings

    with _folder(keep) as folder, progress() as bars:
        task = bars.add_task("Settings", total=None, note="")

        def watch(planned: PlannedRun, number: int, total: int, runner: Runner) -> None:
            bars.reset(task, total=runner.total + runner.golden_total, note=planned.label)
            bars.update(task, description=f"Setting {number} of {total}")
            runner.on_trace = lambda _trace, done: bars.update(task, completed=done)
            runner.on_golden = lambda done: bars.update(task, completed=runner.total + done)

        return compare_settings(settings, vary, folder, watch)


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    """Yield the folder for the stores: the given one, or a temporary one."""
    if keep is not None:
        yield keep
        return
    with tempfile.TemporaryDirectory(prefix="patchlab-") as folder:
        yield Path(folder)


def _draw(report: ComparisonReport, path: Path) -> None:
    from patchlab_agent.report.comparison_plot import draw

    try:
        draw(report, path)
    except OSError as error:
        raise no_room(path, error) or UsageError(
            f"--plot {path} cannot be written ({error.strerror}); name another file."
        ) from error


def _print(report: ComparisonReport) -> None:
    from patchlab_agent.report.comparison import render

    console = out()
    console.print(render(report, unicode=knows_unicode(console)))
