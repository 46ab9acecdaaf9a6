"""Failures by label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from patchlab_agent.metrics.labels import with_seen
from patchlab_agent.metrics.outcomes import Outcome
from patchlab_agent.models.event import EventKind
from patchlab_agent.models.report import FailureCluster


@dataclass
class _Failures:
    """What was seen of one label, by the numbers of traces."""

    example: str
    first: int
    last: int
    baseline: int = 0
    patched: int = 0
    last_patched: int | None = None
    fixed: int | None = None

    def add(self, outcome: Outcome, *, baseline: bool, patched: bool) -> None:
        if outcome.number < self.first:
            self.first, self.example = outcome.number, outcome.request
        self.last = max(self.last, outcome.number)
        self.baseline += baseline
        self.patched += patched
        if patched:
            self.last_patched = outcome.number
            if self.fixed is None and _activates(outcome):
                self.fixed = outcome.number


class Clusters:
    """The failures of a run by label, counted one request after the other."""

    def __init__(self) -> None:
        self._labels: dict[str, _Failures] = {}
        self._failures = 0

    def add(self, outcome: Outcome) -> None:
        """Count one request's failures."""
        self._failures += outcome.patched is not None
        for label in {outcome.baseline, outcome.patched} - {None}:
            name, number = str(label), outcome.number
            if name not in self._labels:
                self._labels[name] = _Failures(outcome.request, number, number)
            self._labels[name].add(
                outcome, baseline=outcome.baseline == label, patched=outcome.patched == label
            )

    def found(self, labels: Sequence[str]) -> tuple[FailureCluster, ...]:
        """Return the labels that occurred, most frequent with patches first.

        Those that are not among the labels given are groups as well.
        """
        seen = with_seen(labels, self._labels)
        found = (self._cluster(label) for label in seen if label in self._labels)
        return tuple(sorted(found, key=lambda c: (-c.patched, -c.baseline, c.label)))

    def _cluster(self, label: str) -> FailureCluster:
        seen = self._labels[label]
        last = seen.last if seen.last_patched is None else seen.last_patched
        return FailureCluster(
            label=label,
            baseline=seen.baseline,
            patched=seen.patched,
            share=seen.patched / self._failures if self._failures else 0.0,
            example=seen.example,
            first_seen=seen.first,
            last_seen=last,
            runs_to_patch=None if seen.fixed is None else seen.fixed - seen.first,
            runs_to_last=last - seen.first,
        )


def _activates(outcome: Outcome) -> bool:
    return any(event.kind is EventKind.ACTIVATED for event in outcome.events)
