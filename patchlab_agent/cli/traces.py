"""`patchlab-agent traces`: look into what was answered."""

from __future__ import annotations

from typing import Annotated

import typer

from patchlab_agent.cli import options
from patchlab_agent.cli.console import dumped, out, print_json
from patchlab_agent.errors import InputError
from patchlab_agent.settings import DEFAULT_STORE

app = typer.Typer(no_args_is_help=True, help="Look into the stored traces.")


@app.command("list")
def list_traces(
    limit: Annotated[int, typer.Option(min=1, help="How many, the newest first.")] = 20,
    store: options.Store = DEFAULT_STORE,
    as_json: options.Json = False,
) -> None:
    """List the newest traces with the outcome of baseline and patched.

    Example:
        patchlab-agent traces list --limit 50
    """
    from patchlab_agent.wiring import open_store

    with open_store(store) as opened:
        traces = list(opened.traces.newest(limit))
    if as_json:
        print_json(dumped(traces))
        return
    from patchlab_agent.report.inspect import trace_table

    out().print(trace_table(traces) if traces else "No trace yet.")


@app.command()
def show(
    trace_id: Annotated[str, typer.Argument(help="Its id, as `traces list` shows it.")],
    store: options.Store = DEFAULT_STORE,
    as_json: options.Json = False,
) -> None:
    """Show one trace step by step, with its prompt and the raw answer.

    Example:
        patchlab-agent traces show t-0000041
    """
    from patchlab_agent.wiring import open_store

    with open_store(store) as opened:
        trace = opened.traces.get(trace_id)
    if trace is None:
        raise InputError(f"There is no trace {trace_id!r}; see `traces list`.")
    if as_json:
        print_json(trace.model_dump(mode="json"))
        return
    from patchlab_agent.report.steps import steps

    out().print(steps(trace, title=f"Trace {trace.id}", prompt=True))
