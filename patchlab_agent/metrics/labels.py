"""Precision, recall and F1 of each label."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from patchlab_agent.metrics.outcomes import GoldenOutcome
from patchlab_agent.models.report import LabelScore, Score
from patchlab_agent.skill.seam import Confusion


def with_seen(labels: Sequence[str], seen: Iterable[str | None]) -> tuple[str, ...]:
    """Return labels with those that were seen besides them at the end, sorted.

    A lesson may allow a value that the skill does not list, and a judge has a label for it.
    """
    return (*labels, *sorted({each for each in seen if each is not None} - {*labels}))


def label_score(label: str, outcomes: Sequence[GoldenOutcome]) -> LabelScore:
    """Score a label on golden cases, for baseline and patched answers."""
    none = Confusion()
    baseline = [g.baseline.get(label, none) for g in outcomes]
    patched = [g.patched.get(label, none) for g in outcomes]
    return LabelScore(
        label=label,
        support=sum(c.true_positive + c.false_negative for c in patched),
        baseline=score(baseline),
        patched=score(patched),
    )


def score(counts: Sequence[Confusion]) -> Score:
    """Return precision, recall and F1 of the summed counts; None where the denominator is 0."""
    true = sum(c.true_positive for c in counts)
    claimed = true + sum(c.false_positive for c in counts)
    there = true + sum(c.false_negative for c in counts)
    return Score(
        precision=true / claimed if claimed else None,
        recall=true / there if there else None,
        f1=2 * true / (claimed + there) if claimed + there else None,
    )
