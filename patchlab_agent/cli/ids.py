"""Patches and traces as people name them, and what a shell may offer for them and for runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import typer

from patchlab_agent.cli.completion import hint
from patchlab_agent.errors import InputError, PatchLabError
from patchlab_agent.settings import DEFAULT_STORE

if TYPE_CHECKING:
    from patchlab_agent.models.patch import Patch
    from patchlab_agent.models.trace import Trace
    from patchlab_agent.store.patches import PatchStore
    from patchlab_agent.store.store import Store
    from patchlab_agent.store.traces import TraceStore

MOST_DIGITS = 16
"""Of the number of a trace: what is longer is none."""
MOST_OFFERED = 200
"""Ids that a shell gets to choose from; nobody reads more."""

Found = TypeVar("Found")


def find_patch(patches: PatchStore, prefix: str) -> Patch:
    """The patch whose id begins so.

    Raises:
        InputError: none does, or several do.
    """
    return _found(prefix, patches.find(prefix) if prefix else [], patches.get, "patch", "patches")


def find_patches(patches: PatchStore, prefixes: Iterable[str]) -> list[Patch]:
    """The patches whose ids begin so, each once, in the order given.

    Raises:
        InputError: one of them is not there, or not unique.
    """
    found = (find_patch(patches, prefix) for prefix in prefixes)
    return list({patch.id: patch for patch in found}.values())


def find_trace(traces: TraceStore, named: str) -> Trace:
    """The trace whose id begins so, or that stands at this position in the store: 41 → t-0000041.

    Raises:
        InputError: none does, or several do.
    """
    from patchlab_agent.models.trace import trace_name

    if named.isascii() and named.isdigit() and len(named) < MOST_DIGITS:
        numbered = traces.get(trace_name(int(named)))
        if numbered is not None:
            return numbered
    return _found(named, traces.find(named) if named else [], traces.get, "trace", "traces")


def _found(
    prefix: str, ids: list[str], get: Callable[[str], Found | None], one: str, many: str
) -> Found:
    exact = [prefix] if prefix in ids else ids
    found = get(exact[0]) if len(exact) == 1 else None
    if found is not None:
        return found
    if not ids:
        raise InputError(f"No {one} has an id that starts with {prefix!r}; see `{many} list`.")
    raise InputError(f"{len(ids)} {many} have ids that start with {prefix!r}; give more of it.")


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
    from patchlab_agent.lab.stores import open_store

    try:
        with open_store(Path(context.params.get("store") or DEFAULT_STORE)) as store:
            return [(name, hint(told)) for name, told in ids(store) if hint(name) == name]
    except PatchLabError:
        return []


def _of_patches(store: Store, prefix: str) -> Iterator[tuple[str, str]]:
    for patch_id in store.patches.find(prefix)[:MOST_OFFERED]:
        patch = store.patches.get(patch_id)
        if patch is not None:
            yield patch_id, f"{patch.status} {patch.trigger}"


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
