"""Success of baseline, patched and ceiling: overall, over time, and around a rule change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import median

from patchlab_agent.metrics.outcomes import Outcome
from patchlab_agent.models.event import EventKind
from patchlab_agent.models.patch import Status
from patchlab_agent.models.report import (
    DRIFT_WINDOW,
    ArmRates,
    CurvePoint,
    DriftReport,
    Highlight,
    MeanScores,
    PatchCounts,
    PromptTokens,
)
from patchlab_agent.statistics import mean, mean_difference, paired_difference, proportion

RECENT = 200
"""Requests at the end of a run, which show how far it has come."""
CURVE_POINTS = 10


def arm_rates(outcomes: Sequence[Outcome], *, is_graded: bool = False) -> ArmRates:
    """Return the success of baseline, patched and ceiling, with the paired difference.

    Args:
        outcomes: of the same requests.
        is_graded: return mean scores, too, as some answers of the report are right in part.
    """
    baseline = [outcome.baseline is None for outcome in outcomes]
    patched = [outcome.patched is None for outcome in outcomes]
    ceiling = ceilings(outcomes)
    gap = sum(ceiling) - sum(baseline)
    return ArmRates(
        cases=len(outcomes),
        baseline=proportion(baseline),
        patched=proportion(patched),
        ceiling=proportion(ceiling),
        difference=paired_difference(baseline, patched),
        gap_closed=(sum(patched) - sum(baseline)) / gap if gap > 0 else None,
        scores=_mean_scores(outcomes) if is_graded else None,
    )


def _mean_scores(outcomes: Sequence[Outcome]) -> MeanScores:
    scores = [outcome.scores for outcome in outcomes if outcome.scores is not None]
    baseline = [each.baseline for each in scores]
    patched = [each.patched for each in scores]
    return MeanScores(
        baseline=mean(baseline),
        patched=mean(patched),
        ceiling=mean([each.ceiling for each in scores if each.ceiling is not None]),
        difference=mean_difference(baseline, patched),
    )


def ceilings(outcomes: Iterable[Outcome]) -> list[bool]:
    """Return whether each answer under perfect context was right; none where nobody has one."""
    return [outcome.ceiling is None for outcome in outcomes if outcome.has_ceiling]


def curve(outcomes: Sequence[Outcome], at_start: Mapping[str, Status]) -> tuple[CurvePoint, ...]:
    """Return rates over up to `CURVE_POINTS` equal stretches; the last may be shorter.

    Args:
        outcomes: of the run, in order.
        at_start: the status of each patch already in the store, by id.
    """
    size = max(1, -(-len(outcomes) // CURVE_POINTS))
    # An event gives a patch's new status; only the patch itself holds the earlier one.
    status, points = dict(at_start), []
    for start in range(0, len(outcomes), size):
        part = outcomes[start : start + size]
        for event in (event for outcome in part for event in outcome.events):
            if event.patch_id is not None and event.kind.becomes is not None:
                status[event.patch_id] = event.kind.becomes
        points.append(
            CurvePoint(
                first=start + 1,
                last=start + len(part),
                baseline=proportion([o.baseline is None for o in part]),
                patched=proportion([o.patched is None for o in part]),
                ceiling=proportion(ceilings(part)),
                patches=PatchCounts(**Counter(map(str, status.values()))),
            )
        )
    return tuple(points)


def drift_report(
    outcomes: Sequence[Outcome], at: int, changes: Sequence[str], teaches: Mapping[str, str]
) -> DriftReport:
    """Compare success before and after a rule change.

    Args:
        outcomes: of the run, in order.
        at: the first run under the new rules, from 1.
        changes: what changed, one sentence each.
        teaches: what each patch teaches, in words, by id.
    """
    right = [outcome.patched is None for outcome in outcomes]
    earlier, later = right[max(0, at - 1 - RECENT) : at - 1], right[at - 1 :]
    before = proportion(earlier)
    rates = [
        sum(later[end - DRIFT_WINDOW : end]) / DRIFT_WINDOW
        for end in range(DRIFT_WINDOW, len(later) + 1)
    ]
    back = (n for n, rate in enumerate(rates) if before.rate is not None and rate >= before.rate)
    recovered = next(back, None)
    since = (event for outcome in outcomes[at - 1 :] for event in outcome.events)
    gone = [
        event.patch_id
        for event in since
        if event.kind in (EventKind.SUPERSEDED, EventKind.CONVICTED)
    ]
    return DriftReport(
        at=at,
        changes=tuple(changes),
        before=before,
        lowest=min(rates, default=None),
        recovered=None if recovered is None else recovered + DRIFT_WINDOW,
        gone=tuple(dict.fromkeys(teaches.get(each, each) for each in gone if each)),
    )


def highlights(outcomes: Iterable[Outcome], n: int) -> tuple[Highlight, ...]:
    """Return the last `n` requests to which patches made a difference, the latest last."""
    turned = [outcome for outcome in outcomes if outcome.saved or outcome.harmed]
    return tuple(
        Highlight(
            trace=outcome.number,
            request=outcome.request,
            baseline=outcome.baseline or "OK",
            patched=outcome.patched or "OK",
            applied=outcome.triggers,
        )
        for outcome in (turned[-n:] if n else ())
    )


def prompt_tokens(outcomes: Iterable[Outcome]) -> PromptTokens | None:
    """Return median prompt tokens without and with lessons; None if nothing was counted."""
    counts = [outcome.prompt_tokens for outcome in outcomes if outcome.prompt_tokens]
    if not counts:
        return None
    baseline = median(plain for plain, _ in counts)
    patched = median(learned for _, learned in counts)
    return PromptTokens(
        baseline=baseline,
        patched=patched,
        growth=(patched - baseline) / baseline if baseline else 0.0,
    )
