"""`patchlab-agent run`: many requests, learning from each failure."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from patchlab_agent.cli import options
from patchlab_agent.cli.console import (
    err,
    is_interactive,
    knows_unicode,
    out,
    print_json,
    progress,
)
from patchlab_agent.cli.page import Html, check_page, write_page
from patchlab_agent.errors import PartialRun, StoreError, UsageError
from patchlab_agent.settings import REPLAY_STORE, RunSettings

if TYPE_CHECKING:
    from rich.progress import Progress

    from patchlab_agent.models.address import Location
    from patchlab_agent.models.report import RunReport
    from patchlab_agent.models.trace import Trace
    from patchlab_agent.runs.runner import Runner


@options.takes(
    options.RUNNING,
    options.ANSWERING,
    options.USING,
    options.SHARING,
    options.LEARNING,
    options.GATING,
    options.SPENDING,
    options.REAL_MODEL,
)
def run(
    context: typer.Context,
    fresh: Annotated[
        bool,
        typer.Option(
            "--fresh", help="Delete everything that the store has learned, and start over."
        ),
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask for confirmation of --fresh.")
    ] = False,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on with the store's latest run where it was cut off; settings that are left "
            "out are as they were.",
        ),
    ] = False,
    show: Annotated[
        int,
        typer.Option(min=0, help="Number of requests to list to which patches made a difference."),
    ] = 5,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Print every run step by step.")
    ] = False,
    trace: Annotated[
        int,
        typer.Option(
            min=0,
            help="Print the first N runs step by step, with prompt and raw answer.",
            metavar="N",
        ),
    ] = 0,
    html: Html = None,
    as_json: options.Json = False,
) -> None:
    """Run requests, learn from the failures, and report what that was worth.

    A second run on the same store continues with what was learned. A replay uses the settings of
    the recorded run unless the command line overrides them, and starts with an empty store of its
    own. A run that was killed or interrupted goes on with --resume, and ends in the report of one
    that never stopped; at most the requests that were being answered are asked again.

    Examples:
        patchlab-agent run

        patchlab-agent run --resume

        patchlab-agent run --backend replay

        patchlab-agent run --backend litellm --model ollama_chat/qwen2.5-coder:1.5b --runs 50

        patchlab-agent run --runs 200 --verbose --store /tmp/lab

        patchlab-agent run --html report.html

        patchlab-agent run --requests mine.csv --json > report.json
    """
    settings = options.settings(RunSettings, context)
    _refuse_contradictions(as_json, verbose, trace, resume and fresh)
    if settings.shared and (resume or fresh):
        raise UsageError(
            "--shared learns beside others, so it neither starts over nor resumes; leave out "
            "--fresh and --resume."
        )
    if settings.store == REPLAY_STORE and not resume:
        fresh = yes = True
    check_page(html)
    printer = _Printer(verbose, trace)
    if resume:
        report = _resumed(settings, show, printer, html)
    else:
        report = _run(settings, fresh, yes, show, printer, html)
    if as_json:
        print_json(report.model_dump(mode="json"))
    else:
        _print(report)
    if report.stopped is not None and report.stopped.kind == "store":
        raise StoreError(report.stopped.reason)
    if report.stopped is not None and report.stopped.kind != "budget":
        raise PartialRun(f"{report.stopped.reason} The report is of what was done before.")


@contextmanager
def _frozen() -> Iterator[None]:
    """Keep the garbage collector off what is there already."""
    # Modules are a quarter of a million objects, which it would go through again and again, in a
    # twentieth of a run's time.
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _refuse_contradictions(as_json: bool, verbose: bool, trace: int, both: bool) -> None:
    if both:
        raise UsageError("--fresh starts over and --resume goes on; give one of them.")
    if as_json and (verbose or trace):
        raise UsageError("--json prints nothing but JSON; leave out --verbose and --trace.")


def _resumed(settings: RunSettings, show: int, printer: _Printer, html: Path | None) -> RunReport:
    from patchlab_agent.lab.resuming import as_started, started_run
    from patchlab_agent.lab.stored_lab import open_store

    started = started_run(settings.store)
    if started is None:
        _tell(f"There is no run to resume in {settings.store}, so one starts from the beginning.")
        return _run(settings, False, True, show, printer, html)
    settings = as_started(started, settings, settings.model_fields_set)
    if not started.is_finished:
        return _run(settings, False, True, show, printer, html, resume=True)
    _tell(f"{started.run} came to its end already; this is its report.")
    with open_store(settings.store) as lab:
        report = lab.report(started.run)
        if html is not None:
            write_page(lab.page(report), html)
        return report


def _tell(note: str) -> None:
    err().print(note, markup=False, soft_wrap=True)


def _run(
    settings: RunSettings,
    fresh: bool,
    yes: bool,
    show: int,
    printer: _Printer,
    html: Path | None,
    *,
    resume: bool = False,
) -> RunReport:
    from patchlab_agent.lab.opening import lab_of
    from patchlab_agent.lab.preflight import check_replayable, check_settings
    from patchlab_agent.lab.skills import in_effect
    from patchlab_agent.lab.stores import store_contents

    settings = in_effect(settings)
    cases = check_settings(settings)
    is_begun = fresh or resume
    check_replayable(settings, cases, lambda: None if is_begun else store_contents(settings.store))
    if fresh:
        _start_over(settings.store, yes)
    with lab_of(settings) as lab:
        with printer.watching() as watch, _frozen():
            report = lab.run(settings, cases, show=show, watch=watch, resume=resume)
        if lab.recording is not None:
            _tell(lab.recording.summary)
        if html is not None:
            write_page(lab.page(report), html)
        return report


def _start_over(store: Location, yes: bool) -> None:
    from patchlab_agent.lab.stores import delete_store

    # Opening a store touches its files; with --yes there is nothing to count.
    what = None if yes else _lost_with(store)
    if what is not None:
        if not is_interactive():
            raise UsageError(f"--fresh would delete {what}; add --yes to do it.")
        typer.confirm(f"Delete {what}?", abort=True, err=True)
    delete_store(store)


def _lost_with(store: Location) -> str | None:
    """Say what is deleted together with a store; None if it is nothing worth a question."""
    from patchlab_agent.lab.stores import require_store, store_contents

    try:
        contents = store_contents(store)
    except StoreError:
        require_store(store)
        return f"{store}, which cannot be opened"
    if contents is None or not contents.patches:
        return None
    return (
        f"{contents.patches} patches ({contents.active} active) and {contents.traces} traces "
        f"in {store}"
    )


class _Printer:
    """Prints what happens while it happens: steps, or a progress bar."""

    def __init__(self, verbose: bool, trace: int) -> None:
        self._verbose = verbose
        self._trace = trace

    @contextmanager
    def watching(self) -> Iterator[Callable[[Runner], None]]:
        """Yield what listens to a run that is about to begin."""
        if self._verbose:
            yield self._watch_steps
            return
        with progress() as bars:
            yield lambda runner: self._watch_progress(runner, bars)

    def _watch_steps(self, runner: Runner) -> None:
        runner.on_trace = self._steps

    def _watch_progress(self, runner: Runner, bars: Progress) -> None:
        stream = bars.add_task("Requests", total=runner.total, completed=runner.done, note="")
        golden = bars.add_task("Golden set", total=runner.golden_total, note="", visible=False)
        active = runner.lab.store.patches

        def on_trace(trace: Trace, number: int) -> None:
            bars.update(stream, advance=1, note=f"{active.active_count} active patches")
            if number <= self._trace:
                self._steps(trace, number)

        def on_golden(done: int) -> None:
            bars.update(golden, completed=done, visible=True)

        runner.on_trace, runner.on_golden = on_trace, on_golden

    def _steps(self, trace: Trace, number: int) -> None:
        from patchlab_agent.report.steps import steps

        out().print(steps(trace, title=f"Trace {trace.id}", prompt=number <= self._trace))


def _print(report: RunReport) -> None:
    from patchlab_agent.report.terminal import render

    console = out()
    console.print(render(report, unicode=knows_unicode(console)))
