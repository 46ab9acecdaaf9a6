"""What the records of a store say of each other, and whether it is there.

Patches name the traces that bore and moved them, traces the patches and examples that they showed,
and examples the traces that they come from.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from patchlab_agent.models.patch import Patch, StatusChange
from patchlab_agent.models.trace import Trace


def has_lost_birth(patch: Patch, requests: Mapping[str, str]) -> bool:
    """Return True if the trace that a patch names as its birth is missing, or another's.

    Args:
        patch: the patch.
        requests: of all traces, by id.
    """
    born = patch.provenance
    return bool(born.trace_id) and requests.get(born.trace_id) != born.request


def lost_changes(patch: Patch, requests: Collection[str]) -> list[StatusChange]:
    """Return the events of a patch's history whose traces are missing."""
    return [each for each in patch.history if each.trace_id and each.trace_id not in requests]


def lost_patches(trace: Trace, patches: Collection[str]) -> list[str]:
    """Return the ids of patches that a trace names and that are missing."""
    named = (*(ref.patch_id for ref in trace.retrieved), *(e.patch_id for e in trace.events))
    return [name for name in dict.fromkeys(named) if name and name not in patches]


def lost_examples(trace: Trace, requests: Collection[str]) -> list[str]:
    """Return the ids of traces that a trace names as its examples and that are missing."""
    withdrawn = (event.example_id for event in trace.events)
    named = (*trace.examples, *trace.examples_over_budget, *withdrawn)
    return [name for name in dict.fromkeys(named) if name and name not in requests]


def problems(
    patches: Iterable[Patch],
    traces: Iterable[Trace],
    requests: Mapping[str, str],
    examples: Iterable[tuple[str, str, str]],
) -> Iterator[str]:
    """Yield a phrase for each reference that leads nowhere, or elsewhere.

    Args:
        patches: all patches.
        traces: all traces.
        requests: of all traces, by id.
        examples: id, trace and request of all examples.
    """
    known = set()
    for patch in patches:
        known.add(patch.id)
        if has_lost_birth(patch, requests):
            named = patch.provenance.trace_id
            what = "is of another request" if named in requests else "is missing"
            yield f"patch {patch.id} was born of trace {named}, which {what}"
        for change in lost_changes(patch, requests):
            yield f"the history of patch {patch.id} names trace {change.trace_id}, which is missing"
    for trace in traces:
        for name in lost_patches(trace, known):
            yield f"trace {trace.id} names patch {name}, which is missing"
        for name in lost_examples(trace, requests):
            yield f"trace {trace.id} was shown the answer of trace {name}, which is missing"
    for key, trace_id, request in examples:
        if trace_id not in requests:
            yield f"examples record {key} is of no stored trace"
        elif requests[trace_id] != request:
            yield f"examples record {key} is of trace {trace_id}, which is of another request"
