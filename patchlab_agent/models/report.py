"""A run's results, each figure with the counts behind it. Rates are shares from 0 to 1."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from patchlab_agent.models.base import Frozen, JsonObject

SCHEMA_VERSION = 6


class Proportion(Frozen):
    """A share of successes with its Wilson 95 % interval; higher is better."""

    successes: int
    total: int
    rate: float | None = Field(description="None if the total is 0")
    low: float | None
    high: float | None


class PairedDifference(Frozen):
    """Patched minus baseline over the same cases; positive is better for patched."""

    mean: float | None
    low: float | None = Field(description="95 % interval, Newcombe's hybrid score for pairs")
    high: float | None
    gained: int = Field(description="cases that baseline got wrong and patched right")
    lost: int = Field(description="cases that baseline got right and patched wrong")
    p_value: float = Field(description="exact McNemar test, two-sided")


class MeanDifference(Frozen):
    """Mean of patched minus baseline scores over the same cases; positive is better for patched."""

    mean: float | None
    low: float | None = Field(
        description="95 % interval, Student's t for pairs; None if all differences are equal"
    )
    high: float | None


class MeanScores(Frozen):
    """Mean scores of baseline, patched and ceiling; 1 is right, 0 wrong throughout."""

    baseline: float | None
    patched: float | None
    ceiling: float | None
    difference: MeanDifference


class ArmRates(Frozen):
    """Baseline, patched and ceiling over the same cases under the same noise."""

    cases: int
    baseline: Proportion
    patched: Proportion
    ceiling: Proportion
    difference: PairedDifference
    gap_closed: float | None = Field(
        description="(patched - baseline) / (ceiling - baseline); None if there is no gap"
    )
    scores: MeanScores | None = Field(
        default=None,
        description="with partly right answers counted in part; None if the report has none",
    )


class PatchCounts(Frozen):
    """A store's patches by status."""

    active: int = 0
    quarantined: int = 0
    retired: int = 0
    disabled: int = 0

    @property
    def total(self) -> int:
        """All patches, of whatever status."""
        return self.active + self.quarantined + self.retired + self.disabled


class CurvePoint(Frozen):
    """One stretch of the run."""

    first: int = Field(description="first request of the stretch, counted from 1")
    last: int
    baseline: Proportion
    patched: Proportion
    ceiling: Proportion
    patches: PatchCounts = Field(description="in the store at the end of the stretch")


class FailureCluster(Frozen):
    """All failures of one label."""

    label: str
    baseline: int = Field(description="the baseline's failures")
    patched: int = Field(description="failures with patches")
    share: float = Field(description="of all failures with patches")
    example: str = Field(description="the first such request")
    first_seen: int = Field(description="trace number in the store, as in `traces show 41`")
    last_seen: int = Field(description="trace number in the store")
    runs_to_patch: int | None = Field(
        description="runs from the first failure to the first active patch for the label"
    )
    runs_to_last: int = Field(description="runs from the first failure to the last")


class PatchUse(Frozen):
    """The effect of one patch in a run."""

    id: str
    trigger: str
    teaches: str
    uses: int = Field(description="requests that it was applied to")
    saves: int = Field(description="of those, wrong without patches and right with them")
    harms: int = Field(description="of those, right without patches and wrong with them")


class PatchSummary(Frozen):
    """Patches of a run, and of the store after it.

    Every proposal ends in one of four ways, so `activated`, `quarantined`, `known` and
    `active_already` add up to `proposed`.
    """

    proposed: int = Field(description="patches that failures proposed, for the first time or again")
    created: int = Field(description="of the proposals, patches that were new to the store")
    activated: int = Field(description="proposals that the gate let in")
    quarantined: int = Field(description="proposals that the gate kept out, now or again")
    known: int = Field(description="proposals that skipped the gate: known and unchanged")
    active_already: int = Field(description="proposals that an active patch already covers")
    without_lesson: int = Field(description="failures that taught nothing")
    superseded: int = Field(description="active patches that gave way to a newer one")
    proven: int = Field(description="patches proven by their uses in the run")
    convicted: int = Field(description="patches convicted by their uses in the run")
    in_store: PatchCounts = Field(description="all patches of the store, by status")
    proven_in_store: int = Field(description="active patches that are proven")
    on_trial_in_store: int = Field(description="active patches that are on trial")
    quarantine_reasons: dict[str, int] = Field(
        description="patches in quarantine by the first of the gate's reason codes"
    )
    kinds: dict[str, int] = Field(description="activated patches by kind of fix")
    most_useful: tuple[PatchUse, ...]


class ExampleUse(Frozen):
    """The effect of one example in a run, and its evidence since it was stored."""

    id: str = Field(description="id of the trace that it comes from")
    request: str
    uses: int = Field(description="requests of the run whose prompts showed it")
    gains: int = Field(
        description="requests without lessons that were right only with examples, each counted for "
        "all examples shown"
    )
    harms: int = Field(description="requests that were right when only this example was left out")
    withdrawn: str = Field(description="why prompts no longer show it; empty while they may")


class ExampleSummary(Frozen):
    """Examples of a run, and of the store after it."""

    stored: int = Field(description="examples that prompts may show after the run")
    shown: float = Field(description="examples per request of the run, on average")
    withdrawn: int = Field(description="examples that the run withdrew")
    withdrawn_in_store: int
    most_useful: tuple[ExampleUse, ...] = Field(description="among those that prompts may show")
    harmful: tuple[ExampleUse, ...] = Field(
        description="among those withdrawn, the latest by trace"
    )


class Score(Frozen):
    """A detector's scores; higher is better; None where the denominator is 0."""

    precision: float | None
    recall: float | None
    f1: float | None


class LabelScore(Frozen):
    """One label on the golden set."""

    label: str
    support: int = Field(description="cases in which the label had something to detect")
    baseline: Score
    patched: Score


class CaseScores(Frozen):
    """How much is right of the three answers to a case, 0 to 1."""

    baseline: float
    patched: float
    ceiling: float | None = Field(description="None: nobody knows the rules")


class CaseOutcome(Frozen):
    """One case answered three ways: a label names the error, None means right."""

    request: str
    baseline: str | None
    patched: str | None
    ceiling: str | None
    has_ceiling: bool = Field(default=True, description="False: nobody knows the rules")
    applied: tuple[str, ...] = Field(description="ids of the patches in the prompt")
    scores: CaseScores | None = Field(
        default=None, description="None if no answer of the report is right in part"
    )

    @property
    def graded(self) -> CaseScores:
        """The scores, also where every answer is right or wrong."""
        return self.scores or CaseScores(
            baseline=float(self.baseline is None),
            patched=float(self.patched is None),
            ceiling=float(self.ceiling is None) if self.has_ceiling else None,
        )


class GoldenReport(Frozen):
    """Accuracy on held-out cases, none of which the stream or the gate has seen."""

    all: ArmRates
    covered: ArmRates = Field(description="cases to which some active patch applies")
    known: ArmRates = Field(description="no patch applies, and the starting rules suffice")
    uncovered: ArmRates = Field(description="no patch applies, although a rule is missing")
    labels: tuple[LabelScore, ...]
    cases: tuple[CaseOutcome, ...] = Field(description="all of them, in the order of the set")


class Cost(Frozen):
    """Model calls for one purpose."""

    purpose: str
    calls: int
    cache_hits: int
    prompt_tokens: int
    prefix_hits: float | None = Field(
        default=None,
        description="share of the prompt tokens served from the server's prefix cache, 0 to 1, "
        "over the calls that report it; None if none does",
    )
    completion_tokens: int
    cost_usd: float | None = Field(description="None if the backend reports no price")


class PromptTokens(Frozen):
    """Median prompt tokens per request, over the run and the golden set."""

    baseline: float = Field(description="of the prompt without anything learned")
    patched: float
    growth: float = Field(description="(patched - baseline) / baseline")


class GateCalls(Frozen):
    """The gate's model calls, and those that a full test would have made."""

    asked: int = Field(description="calls made")
    full: int = Field(
        description="calls of a gate that asks every test and every suite case, without and with "
        "the patch, for every draw"
    )


DRIFT_WINDOW = 50
"""Number of consecutive runs over which success counts as recovered."""


class DriftReport(Frozen):
    """The effect of a rule change on a run."""

    at: int = Field(description="the first run under the new rules, from 1")
    changes: tuple[str, ...] = Field(description="what changed, one sentence each")
    before: Proportion = Field(description="success with patches in up to 200 runs before")
    lowest: float | None = Field(description="lowest success over 50 consecutive runs since then")
    recovered: int | None = Field(
        description="runs until the latest 50 were as successful as those before; None: not yet"
    )
    gone: tuple[str, ...] = Field(
        description="what the patches taught that were superseded or convicted since then"
    )


class Stop(Frozen):
    """The reason why a run ended early."""

    kind: Literal["outage", "budget", "refused", "skill", "store"]
    reason: str


class Highlight(Frozen):
    """A request that patches turned from wrong to right, or from right to wrong."""

    trace: int = Field(description="number of its trace in the store")
    request: str
    baseline: str
    patched: str
    applied: tuple[str, ...] = Field(description="triggers of the applied patches")


class Timing(Frozen):
    """The only part of a report, apart from paths, that differs between two equal runs."""

    started_at: str
    seconds: float
    seconds_per_call: dict[str, float] = Field(description="mean latency by purpose")


class RunReport(Frozen):
    """One run's report.

    Example:
        report = lab.run(RunSettings(runs=200))
        print(report.overall.patched.rate, report.golden.all.difference.mean)
    """

    schema_version: int = SCHEMA_VERSION
    run: str
    backend: str
    settings: JsonObject
    continued_from: int = Field(description="active patches at the start")
    runs: int = Field(description="completed runs")
    stopped: Stop | None = Field(description="why the run ended early, or None")
    structure: str | None = Field(description="how a real model was held to the answer's form")
    overall: ArmRates
    recent: ArmRates = Field(description="the last runs")
    curve: tuple[CurvePoint, ...]
    clusters: tuple[FailureCluster, ...]
    patches: PatchSummary
    examples: ExampleSummary | None = Field(
        default=None, description="None if prompts show no examples: --examples 0"
    )
    highlights: tuple[Highlight, ...]
    drift: DriftReport | None = Field(description="None if the rules did not change")
    golden: GoldenReport | None
    cost: tuple[Cost, ...]
    prompt_tokens: PromptTokens | None = Field(description="None if the backend counts none")
    gate_calls: GateCalls
    store: str
    timing: Timing
