"""Failures by label."""

from __future__ import annotations

from collections.abc import Sequence

from patchlab_agent.metrics.labels import with_seen
from patchlab_agent.metrics.outcomes import Outcome
from patchlab_agent.models.event import EventKind
from patchlab_agent.models.report import (
    FailureCluster,
)


def clusters(outcomes: Sequence[Outcome], labels: Sequence[str]) -> tuple[FailureCluster, ...]:
    """Group failures by label, most frequent with patches first; omit labels that never occur.

    Those that are not among the labels given are groups as well.
    """
    failures = sum(outcome.patched is not None for outcome in outcomes)
    found = []
    told = (label for outcome in outcomes for label in (outcome.baseline, outcome.patched))
    for label in with_seen(labels, told):
        baseline = [o for o in outcomes if o.baseline == label]
        patched = [o for o in outcomes if o.patched == label]
        either = sorted({o.number: o for o in (*baseline, *patched)}.values(), key=_number)
        if not either:
            continue
        first = either[0]
        seen = patched or either
        fixed = next((o.number for o in patched if _activates(o)), None)
        found.append(
            FailureCluster(
                label=label,
                baseline=len(baseline),
                patched=len(patched),
                share=len(patched) / failures if failures else 0.0,
                example=first.request,
                first_seen=first.number,
                last_seen=seen[-1].number,
                runs_to_patch=None if fixed is None else fixed - first.number,
                runs_to_last=seen[-1].number - first.number,
            )
        )
    return tuple(sorted(found, key=lambda c: (-c.patched, -c.baseline, c.label)))


def _number(outcome: Outcome) -> int:
    return outcome.number


def _activates(outcome: Outcome) -> bool:
    return any(event.kind is EventKind.ACTIVATED for event in outcome.events)
