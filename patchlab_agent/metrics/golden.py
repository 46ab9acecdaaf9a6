"""Golden-set accuracy, overall and by what was taught, and the scores of each label."""

from __future__ import annotations

from collections.abc import Sequence

from patchlab_agent.metrics.outcomes import GoldenOutcome, Outcome
from patchlab_agent.metrics.success import arm_rates
from patchlab_agent.models.report import (
    CaseOutcome,
    GoldenReport,
    LabelScore,
    Score,
)
from patchlab_agent.skill.seam import Confusion


def golden_report(outcomes: Sequence[GoldenOutcome], labels: Sequence[str]) -> GoldenReport:
    """Report accuracy overall and by what was taught, and the scores of each label."""
    covered = [g.outcome for g in outcomes if g.outcome.applied]
    rest = [g for g in outcomes if not g.outcome.applied]
    return GoldenReport(
        all=arm_rates([g.outcome for g in outcomes]),
        covered=arm_rates(covered),
        known=arm_rates([g.outcome for g in rest if not g.needs_lesson]),
        untaught=arm_rates([g.outcome for g in rest if g.needs_lesson]),
        labels=tuple(_label_score(label, outcomes) for label in labels),
        cases=tuple(_case(g.outcome) for g in outcomes),
    )


def _case(outcome: Outcome) -> CaseOutcome:
    return CaseOutcome(
        request=outcome.request,
        baseline=outcome.baseline,
        patched=outcome.patched,
        ceiling=outcome.ceiling,
        applied=outcome.applied,
    )


def _label_score(label: str, outcomes: Sequence[GoldenOutcome]) -> LabelScore:
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
