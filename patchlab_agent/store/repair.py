"""Repairs a store whose records name others that are missing, or that are another's.

Earlier versions could be killed between a patch and the trace that bore it, and gave the trace's
name to another request; imported patches named the traces of the store that they came from. What
is lost cannot be brought back, so the names go, and what they were part of stays.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from patchlab_agent.models.patch import Patch
from patchlab_agent.models.repair import RepairReport
from patchlab_agent.models.trace import Trace
from patchlab_agent.store.references import (
    has_lost_birth,
    lost_changes,
    lost_examples,
    lost_patches,
)
from patchlab_agent.store.store import Store


def repair(store: Store) -> RepairReport:
    """Have no record of a store name one that is missing, or that is another's.

    Args:
        store: open for writing.

    Raises:
        StoreError: it cannot be read or written.
    """
    store.traces.flush()
    requests = store.traces.requests()
    known = store.patches.statuses().keys()
    with store.unit():
        patches = tuple(_repaired_patches(store, requests))
        traces = tuple(_repaired_traces(store, requests, known))
    examples = tuple(_repaired_examples(store, requests))
    return RepairReport(patches=patches, traces=traces, examples=examples)


def _repaired_patches(store: Store, requests: Mapping[str, str]) -> Iterator[str]:
    for patch in list(store.patches.all()):
        lost = {change.trace_id for change in lost_changes(patch, requests)}
        if has_lost_birth(patch, requests):
            lost.add(patch.provenance.trace_id)
        if lost:
            store.patches.upsert(_without(patch, lost))
            yield f"Patch {patch.id} ({patch.trigger}) names trace {_listed(lost)} no longer."


def _without(patch: Patch, lost: Collection[str]) -> Patch:
    """Return a patch that names none of these traces."""
    history = tuple(
        each.model_copy(update={"trace_id": "", "elsewhere": each.trace_id})
        if each.trace_id in lost
        else each
        for each in patch.history
    )
    born = patch.provenance
    if born.trace_id in lost:
        born = born.model_copy(update={"trace_id": ""})
    return patch.model_copy(update={"provenance": born, "history": history})


def _repaired_traces(
    store: Store, requests: Mapping[str, str], known: Collection[str]
) -> Iterator[str]:
    for trace in store.traces.select():
        patches, examples = lost_patches(trace, known), lost_examples(trace, requests)
        if not (patches or examples):
            continue
        store.traces.add(_trace_without(trace, patches, examples))
        named = (
            *([f"patch {_listed(patches)}"] if patches else []),
            *([f"example {_listed(examples)}"] if examples else []),
        )
        yield f"Trace {trace.id} names {' and '.join(named)} no longer."


def _trace_without(trace: Trace, patches: Collection[str], examples: Collection[str]) -> Trace:
    events = tuple(
        event.model_copy(
            update={
                "patch_id": None if event.patch_id in patches else event.patch_id,
                "example_id": None if event.example_id in examples else event.example_id,
            }
        )
        for event in trace.events
    )
    return trace.model_copy(
        update={
            "retrieved": tuple(ref for ref in trace.retrieved if ref.patch_id not in patches),
            "events": events,
            "examples": tuple(each for each in trace.examples if each not in examples),
            "examples_over_budget": tuple(
                each for each in trace.examples_over_budget if each not in examples
            ),
        }
    )


def _repaired_examples(store: Store, requests: Mapping[str, str]) -> Iterator[str]:
    found = store.examples.all()
    kept = [each for each in found if requests.get(each.id) == each.request]
    if len(kept) < len(found):
        store.examples.replace(kept)
    for example in found:
        if example not in kept:
            yield f"The example of trace {example.id} was deleted, as that is of another request."


def _listed(names: Collection[str]) -> str:
    return ", ".join(sorted(names))
