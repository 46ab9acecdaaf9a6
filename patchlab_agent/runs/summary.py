"""What a finished run comes to: its report, put together from outcomes, store and meter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from patchlab_agent.backends.meter import MeteredBackend
from patchlab_agent.errors import (
    BackendError,
    BackendUnavailable,
    BudgetReached,
    Interruption,
    StoreError,
)
from patchlab_agent.metrics.golden import golden_report
from patchlab_agent.metrics.outcomes import GoldenOutcome
from patchlab_agent.metrics.run import RunFigures
from patchlab_agent.models.event import EventKind
from patchlab_agent.models.evidence import Standing
from patchlab_agent.models.model import without_login
from patchlab_agent.models.patch import Status
from patchlab_agent.models.report import (
    Cost,
    DriftReport,
    GateCalls,
    PatchCounts,
    PatchSummary,
    RunReport,
    Stop,
    Timing,
)
from patchlab_agent.runs.parts import Parts
from patchlab_agent.settings import LITELLM, MODEL, PATHS, REPLAY, SIMULATION, RunSettings
from patchlab_agent.store.patch_records import describe
from patchlab_agent.store.patches import PatchStore

MOST_USEFUL = 10
"""Patches that a report names."""


@dataclass(frozen=True, kw_only=True)
class FinishedRun:
    """What a run leaves behind.

    Attributes:
        name: the store's name for it.
        settings: what was asked for.
        requests: how many were asked for.
        figures: of its requests.
        golden: of the golden set; none where it was not measured.
        continued_from: active patches that were in the store before.
        error: what ended it early.
        changes: what a drift changed, a sentence each.
        full_calls: answers that the gate's decisions would have needed from a test of fixed size.
        started_at: ISO 8601 time.
        seconds: how long it took.
    """

    name: str
    settings: RunSettings
    requests: int
    figures: RunFigures
    golden: Sequence[GoldenOutcome]
    continued_from: int
    error: Interruption | StoreError | None
    changes: tuple[str, ...]
    full_calls: int
    started_at: str
    seconds: float


def run_report(lab: Parts, run: FinishedRun) -> RunReport:
    """Put the report of a run together.

    Args:
        lab: as the run left it.
        run: what it did.
    """
    labels = lab.skill.simulator.labels
    structure = lab.meter.structure
    figures = run.figures
    is_graded = figures.is_graded or any(each.outcome.is_graded for each in run.golden)
    for each in run.golden:
        figures.prompts.add(each.outcome)
    return RunReport(
        run=run.name,
        backend=lab.agent.backend.name,
        settings=_settings(lab, run),
        continued_from=run.continued_from,
        runs=figures.runs,
        stopped=None if run.error is None else stop_of(run.error),
        structure=None if structure is None else str(structure),
        overall=figures.arms.rates(is_graded=is_graded),
        recent=figures.recent(is_graded=is_graded),
        curve=figures.curve.points(),
        clusters=figures.clusters.found(labels),
        patches=_patch_summary(lab.store.patches, figures),
        examples=figures.examples.summary(lab.store.examples.each())
        if run.settings.examples
        else None,
        highlights=figures.highlights.latest(),
        drift=_drift(lab.store.patches, run),
        golden=golden_report(run.golden, labels, is_graded=is_graded) if run.golden else None,
        cost=tuple(_cost(lab.meter)),
        prompt_tokens=figures.prompts.medians(),
        gate_calls=GateCalls(
            asked=lab.meter.spent["gate"].calls if "gate" in lab.meter.spent else 0,
            full=run.full_calls,
        ),
        store=str(lab.store.path),
        timing=Timing(
            started_at=run.started_at, seconds=run.seconds, seconds_per_call=_latency(lab.meter)
        ),
    )


def _drift(patches: PatchStore, run: FinishedRun) -> DriftReport | None:
    drift = run.figures.drift
    if not run.changes or drift is None:
        return None
    gone = filter(None, map(patches.get, drift.gone))
    return drift.report(run.changes, {patch.id: describe(patch) for patch in gone})


def _settings(lab: Parts, run: FinishedRun) -> dict[str, Any]:
    """Return the settings that had an effect, without any path of this machine."""
    idle = SIMULATION if run.settings.backend in (LITELLM, REPLAY) else MODEL
    shown = run.settings.model_dump(mode="json", exclude={*PATHS, *idle})
    if shown.get("api_base"):
        shown["api_base"] = without_login(shown["api_base"])
    # A task is a skill that the settings do not name.
    found = {"skill": lab.skill.name, "embedder": lab.store.info.embedder}
    return {**shown, **found, "runs": run.requests}


def _patch_summary(store: PatchStore, figures: RunFigures) -> PatchSummary:
    uses = figures.uses.ranked({})[:MOST_USEFUL]
    named = [
        use.model_copy(update={"teaches": describe(patch)})
        for use in uses
        if (patch := store.get(use.id)) is not None
    ]
    proposals = figures.proposals
    kinds, ends = proposals.kinds, proposals.ends
    return PatchSummary(
        proposed=ends.total(),
        created=proposals.created,
        activated=ends[EventKind.ACTIVATED],
        quarantined=ends[EventKind.QUARANTINED] + ends[EventKind.REGATED],
        known=ends[EventKind.KNOWN],
        active_already=ends[EventKind.ACTIVE_ALREADY],
        without_lesson=kinds[EventKind.NONE],
        superseded=kinds[EventKind.SUPERSEDED],
        proven=kinds[EventKind.PROVEN],
        convicted=kinds[EventKind.CONVICTED],
        in_store=PatchCounts(**Counter(map(str, store.statuses().values()))),
        proven_in_store=store.count_standing(Standing.PROVEN),
        on_trial_in_store=store.count_standing(Standing.TRIAL),
        quarantine_reasons=_quarantine_reasons(store),
        kinds=_ranked(proposals.fixes),
        most_useful=tuple(named),
    )


def _quarantine_reasons(store: PatchStore) -> dict[str, int]:
    reports = (patch.gate for patch in store.all(Status.QUARANTINED))
    return _ranked(
        Counter(gate.codes[0] if gate and gate.codes else "none_given" for gate in reports)
    )


def _cost(meter: MeteredBackend) -> Iterator[Cost]:
    for purpose, spent in sorted(meter.spent.items()):
        yield Cost(
            purpose=purpose,
            calls=spent.calls,
            cache_hits=spent.cache_hits,
            prompt_tokens=spent.prompt_tokens,
            prefix_hits=spent.prefix_hits,
            completion_tokens=spent.completion_tokens,
            cost_usd=spent.cost_usd,
        )


def _latency(meter: MeteredBackend) -> dict[str, float]:
    return {
        purpose: round(spent.seconds / spent.calls, 6)
        for purpose, spent in sorted(meter.spent.items())
        if spent.calls
    }


def stop_of(error: Interruption | StoreError) -> Stop:
    """Why a run ended, as a report says it."""
    if isinstance(error, StoreError):
        return Stop(kind="store", reason=str(error))
    if not isinstance(error, BackendError):
        return Stop(kind="skill", reason=str(error))
    if isinstance(error, BudgetReached):
        return Stop(kind="budget", reason=str(error))
    is_outage = isinstance(error, BackendUnavailable)
    return Stop(kind="outage" if is_outage else "refused", reason=str(error))


def _ranked(counts: Counter[str]) -> dict[str, int]:
    """Counts by name, the most frequent first."""
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))
