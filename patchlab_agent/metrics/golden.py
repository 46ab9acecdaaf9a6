"""Golden-set accuracy, overall and by what was taught, and the mistakes in each case."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from patchlab_agent.metrics.labels import label_score, with_seen
from patchlab_agent.metrics.outcomes import GoldenOutcome, Outcome
from patchlab_agent.metrics.success import arm_rates
from patchlab_agent.models.golden import Mistake, Verdict
from patchlab_agent.models.report import (
    CaseOutcome,
    CaseScores,
    GoldenReport,
)
from patchlab_agent.skill.seam import Confusion


def golden_report(
    outcomes: Sequence[GoldenOutcome], labels: Sequence[str], *, is_graded: bool = False
) -> GoldenReport:
    """Report accuracy overall and by what was taught, and the scores of each label.

    Args:
        outcomes: of the golden cases.
        labels: in the order of the report.
        is_graded: report mean scores, too, as some answers of the report are right in part.
    """
    rates = partial(arm_rates, is_graded=is_graded)
    covered = [g.outcome for g in outcomes if g.outcome.applied]
    seen = (label for g in outcomes for arm in (g.baseline, g.patched) for label in arm)
    rest = [g for g in outcomes if not g.outcome.applied]
    return GoldenReport(
        all=rates([g.outcome for g in outcomes]),
        covered=rates(covered),
        known=rates([g.outcome for g in rest if not g.needs_lesson]),
        uncovered=rates([g.outcome for g in rest if g.needs_lesson]),
        labels=tuple(label_score(label, outcomes) for label in with_seen(labels, seen)),
        cases=tuple(_case(g.outcome, is_graded) for g in outcomes),
    )


def _case(outcome: Outcome, is_graded: bool) -> CaseOutcome:
    return CaseOutcome(
        request=outcome.request,
        baseline=outcome.baseline,
        patched=outcome.patched,
        ceiling=outcome.ceiling,
        has_ceiling=outcome.has_ceiling,
        applied=outcome.applied,
        scores=CaseScores(**outcome.scores._asdict()) if is_graded and outcome.scores else None,
    )


def mistakes(outcome: GoldenOutcome, labels: Sequence[str]) -> tuple[Mistake, ...]:
    """Return the labels that at least one answer to a case got wrong, in the order given."""
    none = Confusion()
    verdicts = (
        (label, *(_verdict(arm.get(label, none)) for arm in (outcome.baseline, outcome.patched)))
        for label in with_seen(labels, (*outcome.baseline, *outcome.patched))
    )
    return tuple(
        Mistake(label=label, baseline=baseline, patched=patched)
        for label, baseline, patched in verdicts
        if (baseline, patched) != ("right", "right")
    )


def _verdict(counts: Confusion) -> Verdict:
    if counts.false_positive and counts.false_negative:
        return "another value"
    if counts.false_negative:
        return "missed"
    return "uncalled for" if counts.false_positive else "right"
