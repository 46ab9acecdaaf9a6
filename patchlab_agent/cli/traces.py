"""`patchlab-agent traces`: look into what was answered."""

from __future__ import annotations

from typing import Annotated, TypedDict

import typer

from patchlab_agent.cli import options
from patchlab_agent.cli.console import dumped, out, print_json
from patchlab_agent.cli.ids import patch_ids, trace_ids
from patchlab_agent.settings import DEFAULT_STORE
from patchlab_agent.transfer.files import STANDARD, check_target, write_lines

app = typer.Typer(no_args_is_help=True, help="Inspect the stored traces.")

TraceId = Annotated[
    str,
    typer.Argument(
        help="Its id, a unique prefix of it, or its number: 41 is t-0000041; last is the newest.",
        autocompletion=trace_ids,
    ),
]
Label = Annotated[
    str | None, typer.Option(help="Only those with this error label; OK for those accepted.")
]
Failed = Annotated[bool, typer.Option("--failed", help="Only those that were judged wrong.")]
Better = Annotated[
    bool, typer.Option("--better", help="Only those that are right with patches and wrong without.")
]
Applied = Annotated[
    str | None,
    typer.Option(
        help="Only those to which this patch was applied; its id, or a unique prefix.",
        metavar="ID",
        autocompletion=patch_ids,
    ),
]
Run = Annotated[
    str | None, typer.Option(help="Only those of one run: run-0001, 1, last, or answer.")
]


class _Filters(TypedDict):
    """The traces that a command selects; all filters must match."""

    label: str | None
    failed: bool
    better: bool
    applied: str | None
    run: str | None


@app.command("list")
def list_traces(
    limit: Annotated[int, typer.Option(min=1, help="Maximum number, newest first.")] = 20,
    label: Label = None,
    failed: Failed = False,
    better: Better = False,
    applied: Applied = None,
    run: Run = None,
    store: options.Store = DEFAULT_STORE,
    as_json: options.Json = False,
) -> None:
    """List the newest traces with the outcomes of baseline and patched answers.

    Filters are combined: all of them must match.

    Examples:
        patchlab-agent traces list --limit 50

        patchlab-agent traces list --failed --applied 3f9c

        patchlab-agent traces list --better --run run-0001
    """
    from patchlab_agent.lab.stored_lab import open_store

    chosen = _Filters(label=label, failed=failed, better=better, applied=applied, run=run)
    with open_store(store) as lab:
        traces = list(lab.traces.select(limit=limit, **chosen))
    if as_json:
        print_json(dumped(traces))
        return
    from patchlab_agent.report.inspect import trace_table

    nothing = "No such trace." if any(chosen.values()) else "No trace yet."
    out().print(trace_table(traces) if traces else nothing)


@app.command()
def show(
    trace_id: TraceId,
    store: options.Store = DEFAULT_STORE,
    as_json: options.Json = False,
) -> None:
    """Show one trace step by step, with its prompt and the raw answer.

    Example:
        patchlab-agent traces show 41
    """
    from patchlab_agent.lab.stored_lab import open_store

    with open_store(store) as lab:
        trace = lab.traces.get(trace_id)
    if as_json:
        print_json(trace.model_dump(mode="json"))
        return
    from patchlab_agent.report.steps import steps

    out().print(steps(trace, title=f"Trace {trace.id}", prompt=True))


@app.command()
def search(
    text: Annotated[str, typer.Argument(help="A request, or part of one.")],
    limit: Annotated[int, typer.Option(min=1, help="Maximum number, nearest first.")] = 10,
    store: options.Store = DEFAULT_STORE,
    as_json: options.Json = False,
) -> None:
    """Find the traces whose requests are most like a text.

    Traces whose request contains the text verbatim come first, regardless of case. Distances are
    cosine distances: 0 is nearest.

    Examples:
        patchlab-agent traces search "battery crate"

        patchlab-agent traces search "2 lb tea box to Portugal" --limit 3 --json
    """
    from patchlab_agent.lab.stored_lab import open_store

    with open_store(store) as lab:
        found = lab.traces.search(text, limit)
    if as_json:
        print_json(dumped(found))
        return
    from patchlab_agent.report.inspect import trace_table

    distances = {each.trace.id: each.distance for each in found}
    traces = [each.trace for each in found]
    out().print(trace_table(traces, distances) if found else "No trace yet.")


@app.command()
def export(
    file: Annotated[str, typer.Argument(help="JSONL file to write; - for standard output.")],
    limit: Annotated[
        int | None, typer.Option(min=1, help="Maximum number, newest first.", show_default="all")
    ] = None,
    label: Label = None,
    failed: Failed = False,
    better: Better = False,
    applied: Applied = None,
    run: Run = None,
    store: options.Store = DEFAULT_STORE,
    force: options.Force = False,
) -> None:
    """Write whole traces as JSONL, one per line, newest first.

    Each line is what `traces show --json` prints. Filters are combined: all of them must match.

    Examples:
        patchlab-agent traces export traces.jsonl

        patchlab-agent traces export - --failed --limit 100
    """
    from patchlab_agent.lab.stored_lab import open_store

    check_target(file, force)
    chosen = _Filters(label=label, failed=failed, better=better, applied=applied, run=run)
    with open_store(store) as lab:
        traces = lab.traces.select(limit=limit, **chosen)
        count = write_lines(file, lab.traces.export(traces, ascii_only=file == STANDARD))
    if file != STANDARD:
        from patchlab_agent.report.format import several

        told = f"Wrote {several(count, 'trace', 'traces')} to {file}."
        out().print(told, markup=False, soft_wrap=True)
