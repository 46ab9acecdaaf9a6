"""Shell completion for the ids of patches and traces, and for the names of runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import typer

from patchlab_agent.cli.completion import hint
from patchlab_agent.errors import PatchLabError
from patchlab_agent.settings import DEFAULT_STORE

if TYPE_CHECKING:
    from patchlab_agent.store.store import Store

MOST_OFFERED = 200
"""Maximum number of ids to offer a shell; nobody reads more."""


def patch_ids(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """For a shell: ids that begin so, each with status and trigger."""
    return _offered(context, lambda store: _of_patches(store, incomplete))


def trace_ids(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """For a shell: ids that begin so, the newest first, each with its request."""
    return _offered(context, lambda store: _of_traces(store, incomplete))


def run_names(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """For a shell: runs whose report was kept, the newest first."""
    return _offered(context, lambda store: ((run, "") for run in _begun(store.runs(), incomplete)))


def snapshot_names(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """For a shell: runs that can be rolled back to, the newest first, each with what it left."""
    return _offered(context, lambda store: _of_snapshots(store, incomplete))


def _offered(
    context: typer.Context, ids: Callable[[Store], Iterator[tuple[str, str]]]
) -> list[tuple[str, str]]:
    """Ids in the store that the line names so far; none where it cannot be read."""
    from patchlab_agent.lab.stored_lab import open_store

    try:
        with open_store(context.params.get("store") or DEFAULT_STORE) as lab:
            return [(name, hint(told)) for name, told in ids(lab.store) if hint(name) == name]
    except PatchLabError:
        return []


def _of_patches(store: Store, prefix: str) -> Iterator[tuple[str, str]]:
    for patch_id in store.patches.find(prefix)[:MOST_OFFERED]:
        patch = store.patches.get(patch_id)
        if patch is not None:
            yield patch_id, f"{patch.status} {patch.trigger_text}"


def _of_traces(store: Store, prefix: str) -> Iterator[tuple[str, str]]:
    newest = sorted(store.traces.find(prefix), reverse=True)[:MOST_OFFERED]
    for trace_id in newest:
        trace = store.traces.get(trace_id)
        if trace is not None:
            yield trace_id, " ".join(trace.request.split())


def _of_snapshots(store: Store, prefix: str) -> Iterator[tuple[str, str]]:
    for run in _begun(store.snapshots(), prefix):
        header = store.snapshot_header(run)
        yield run, f"{header.active} active patches, {header.examples} examples"


def _begun(runs: Sequence[str], prefix: str) -> list[str]:
    return [run for run in reversed(runs) if run.startswith(prefix)][:MOST_OFFERED]
