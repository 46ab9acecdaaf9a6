"""Pure functions from traces to figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from patchlab_agent.models.evidence import Record
from patchlab_agent.models.example import StoredExample
from patchlab_agent.models.patch import PatchEvent, Status
from patchlab_agent.models.report import (
    DRIFT_WINDOW,
    CaseOutcome,
    Comparison,
    CurvePoint,
    DriftReport,
    ExampleSummary,
    ExampleUse,
    FailureCluster,
    GoldenReport,
    Highlight,
    LabelScore,
    PatchCounts,
    PatchUse,
    PromptTokens,
    Score,
)
from patchlab_agent.models.trace import Attempt, Trace
from patchlab_agent.skill import Confusion
from patchlab_agent.statistics import e_value, paired_difference, proportion

RECENT = 200
CURVE_POINTS = 10
MOST_USEFUL = 10
TELLING_EXAMPLES = 5
"""Examples that a report names for either reason: they help, or they were withdrawn."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the figures need of one trace."""

    number: int
    request: str
    baseline: str | None
    patched: str | None
    ceiling: str | None
    applied: tuple[str, ...]
    triggers: tuple[str, ...]
    events: tuple[PatchEvent, ...]
    examples: tuple[str, ...] = ()
    """Ids of those that the prompt showed."""
    prompt_tokens: tuple[int, int] | None = None
    """Of the baseline's prompt and of the patched one, where the backend counts them."""

    @classmethod
    def of(cls, trace: Trace, number: int) -> Outcome:
        """Boil a judged trace down; labels are None where the carrier said OK.

        Raises:
            ValueError: nobody judged the trace, or it lacks its baseline or ceiling.
        """
        if trace.feedback is None or trace.baseline is None or trace.ceiling is None:
            raise ValueError(f"trace {trace.id} was not compared")
        applied = [ref for ref in trace.retrieved if ref.applied]
        return cls(
            number=number,
            request=trace.request,
            baseline=trace.baseline.feedback.label,
            patched=trace.feedback.label,
            ceiling=trace.ceiling.feedback.label,
            applied=tuple(ref.patch_id for ref in applied),
            triggers=tuple(ref.trigger for ref in applied),
            events=trace.events,
            examples=trace.examples,
            prompt_tokens=_prompt_tokens(trace.baseline.attempt, trace.attempt),
        )

    @property
    def saved(self) -> bool:
        """Wrong without patches and right with them."""
        return self.baseline is not None and self.patched is None

    @property
    def harmed(self) -> bool:
        """Right without patches and wrong with them."""
        return self.baseline is None and self.patched is not None


def _prompt_tokens(baseline: Attempt, patched: Attempt) -> tuple[int, int] | None:
    counts = (baseline.usage.prompt_tokens, patched.usage.prompt_tokens)
    # A repair shows the prompt again, which says nothing about what was learned.
    if None in counts or baseline.repairs or patched.repairs:
        return None
    return counts  # type: ignore[return-value]


def prompt_tokens(outcomes: Iterable[Outcome]) -> PromptTokens | None:
    """Median prompt without and with what was learned; None where nobody counted."""
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


def compare(outcomes: Sequence[Outcome]) -> Comparison:
    """Success of baseline, patched and ceiling with the paired difference."""
    baseline = [outcome.baseline is None for outcome in outcomes]
    patched = [outcome.patched is None for outcome in outcomes]
    ceiling = [outcome.ceiling is None for outcome in outcomes]
    gap = sum(ceiling) - sum(baseline)
    return Comparison(
        cases=len(outcomes),
        baseline=proportion(baseline),
        patched=proportion(patched),
        ceiling=proportion(ceiling),
        difference=paired_difference(baseline, patched),
        gap_closed=(sum(patched) - sum(baseline)) / gap if gap > 0 else None,
    )


def curve(outcomes: Sequence[Outcome], at_start: Mapping[str, Status]) -> tuple[CurvePoint, ...]:
    """Rates over up to `CURVE_POINTS` stretches of equal length, the last maybe shorter.

    Args:
        outcomes: of the run, in its order.
        at_start: the status of each patch that was in the store before, by id.
    """
    size = max(1, -(-len(outcomes) // CURVE_POINTS))
    # An event says what a patch became; only the patch itself tells what it was before.
    status, points = dict(at_start), []
    for start in range(0, len(outcomes), size):
        part = outcomes[start : start + size]
        for event in (event for outcome in part for event in outcome.events):
            if event.patch_id is not None and event.kind in _BECOMES:
                status[event.patch_id] = _BECOMES[event.kind]
        points.append(
            CurvePoint(
                first=part[0].number,
                last=part[-1].number,
                baseline=proportion([o.baseline is None for o in part]),
                patched=proportion([o.patched is None for o in part]),
                ceiling=proportion([o.ceiling is None for o in part]),
                patches=PatchCounts(**Counter(map(str, status.values()))),
            )
        )
    return tuple(points)


_BECOMES = {
    "activated": Status.ACTIVE,
    "quarantined": Status.QUARANTINED,
    "regated": Status.QUARANTINED,
    "superseded": Status.RETIRED,
    "convicted": Status.QUARANTINED,
    "retired": Status.RETIRED,
    "disabled": Status.DISABLED,
}


def clusters(outcomes: Sequence[Outcome], labels: Sequence[str]) -> tuple[FailureCluster, ...]:
    """Failures by label, the most frequent with patches first; labels that never came left out."""
    failures = sum(outcome.patched is not None for outcome in outcomes)
    found = []
    for label in labels:
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


def drift_report(
    outcomes: Sequence[Outcome], at: int, changes: Sequence[str], teaches: Mapping[str, str]
) -> DriftReport:
    """Success before and after a change of the rules.

    Args:
        outcomes: of the run, in its order.
        at: the first run under the new rules, from 1.
        changes: what changed, a sentence each.
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
    gone = [event.patch_id for event in since if event.kind in ("superseded", "convicted")]
    return DriftReport(
        at=at,
        changes=tuple(changes),
        before=before,
        lowest=min(rates, default=None),
        recovered=None if recovered is None else recovered + DRIFT_WINDOW,
        gone=tuple(dict.fromkeys(teaches.get(each, each) for each in gone if each)),
    )


def _number(outcome: Outcome) -> int:
    return outcome.number


def _activates(outcome: Outcome) -> bool:
    return any(event.kind == "activated" for event in outcome.events)


def patch_uses(outcomes: Iterable[Outcome], teaches: Mapping[str, str]) -> tuple[PatchUse, ...]:
    """Uses, saves and harms of each applied patch, the most saving first.

    A save or harm counts for every patch that was applied; which of several did it, only leaving
    one out at a time could tell.

    Args:
        outcomes: of the run.
        teaches: what each patch teaches, in words, by id.
    """
    uses: Counter[str] = Counter()
    saves: Counter[str] = Counter()
    harms: Counter[str] = Counter()
    triggers: dict[str, str] = {}
    for outcome in outcomes:
        triggers.update(zip(outcome.applied, outcome.triggers, strict=True))
        uses.update(outcome.applied)
        saves.update(outcome.applied if outcome.saved else ())
        harms.update(outcome.applied if outcome.harmed else ())
    return tuple(
        PatchUse(
            id=patch_id,
            trigger=triggers[patch_id],
            teaches=teaches.get(patch_id, ""),
            uses=uses[patch_id],
            saves=saves[patch_id],
            harms=harms[patch_id],
        )
        for patch_id in sorted(uses, key=lambda i: (-saves[i], harms[i], -uses[i], i))
    )


def example_summary(outcomes: Sequence[Outcome], stored: Sequence[StoredExample]) -> ExampleSummary:
    """How many examples were shown and withdrawn, and what is known of those that tell most.

    Args:
        outcomes: of the run.
        stored: all examples after it, those that are withdrawn included.
    """
    uses = Counter(name for outcome in outcomes for name in outcome.examples)
    kinds = Counter(event.kind for outcome in outcomes for event in outcome.events)
    withdrawn = [each for each in stored if each.withdrawn]
    useful = [
        each
        for each in stored
        if not each.withdrawn and uses[each.id] and each.record.mended > each.record.broken
    ]
    useful.sort(key=lambda e: (e.record.broken - e.record.mended, -uses[e.id], e.id))

    def use(example: StoredExample) -> ExampleUse:
        return ExampleUse(
            id=example.id,
            request=example.request,
            uses=uses[example.id],
            gains=example.record.mended,
            harms=example.record.broken,
            withdrawn=example.withdrawn,
        )

    return ExampleSummary(
        stored=len(stored) - len(withdrawn),
        shown=uses.total() / len(outcomes) if outcomes else 0.0,
        withdrawn=kinds["withdrawn"],
        withdrawn_in_store=len(withdrawn),
        most_useful=tuple(map(use, useful[:TELLING_EXAMPLES])),
        harmful=tuple(map(use, withdrawn[-TELLING_EXAMPLES:])),
    )


def highlights(outcomes: Iterable[Outcome], n: int) -> tuple[Highlight, ...]:
    """The last `n` requests to which patches made a difference, the latest last."""
    turned = [outcome for outcome in outcomes if outcome.saved or outcome.harmed]
    return tuple(
        Highlight(
            run=outcome.number,
            request=outcome.request,
            baseline=outcome.baseline or "OK",
            patched=outcome.patched or "OK",
            applied=outcome.triggers,
        )
        for outcome in (turned[-n:] if n else ())
    )


@dataclass(frozen=True, slots=True)
class GoldenOutcome:
    """One golden case's outcome, and what the scores per label need."""

    outcome: Outcome
    needs_lesson: bool
    baseline: Mapping[str, Confusion]
    patched: Mapping[str, Confusion]


def golden_report(outcomes: Sequence[GoldenOutcome], labels: Sequence[str]) -> GoldenReport:
    """Accuracy in all, by what was taught, and each label's scores."""
    covered = [g.outcome for g in outcomes if g.outcome.applied]
    rest = [g for g in outcomes if not g.outcome.applied]
    return GoldenReport(
        all=compare([g.outcome for g in outcomes]),
        covered=compare(covered),
        known=compare([g.outcome for g in rest if not g.needs_lesson]),
        untaught=compare([g.outcome for g in rest if g.needs_lesson]),
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
    """Precision, recall and F1 of summed counts; None where the denominator is 0."""
    true = sum(c.true_positive for c in counts)
    claimed = true + sum(c.false_positive for c in counts)
    there = true + sum(c.false_negative for c in counts)
    return Score(
        precision=true / claimed if claimed else None,
        recall=true / there if there else None,
        f1=2 * true / (claimed + there) if claimed + there else None,
    )


def evidence_path(record: Record) -> tuple[float, ...]:
    """Return the e-value for a patch after each outcome of its record, the latest last."""
    outcomes = record.outcomes
    seen = (outcomes[: position + 1] for position in range(len(outcomes)))
    return tuple(e_value(each.count("+"), each.count("-")) for each in seen)
