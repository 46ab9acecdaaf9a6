"""A whole run: stream, golden set, report."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from patchlab_agent.agent.agent import Ask, or_raise
from patchlab_agent.backends.recording import REQUESTS
from patchlab_agent.errors import BackendError, BackendUnavailable, BudgetReached
from patchlab_agent.metrics.metrics import (
    MOST_USEFUL,
    RECENT,
    GoldenOutcome,
    Outcome,
    clusters,
    compare,
    curve,
    drift_report,
    example_summary,
    golden_report,
    highlights,
    patch_uses,
    prompt_tokens,
)
from patchlab_agent.models.base import JsonObject, digest
from patchlab_agent.models.case import Case
from patchlab_agent.models.evidence import Standing
from patchlab_agent.models.model import without_login
from patchlab_agent.models.patch import PatchEvent, Status
from patchlab_agent.models.report import (
    Cost,
    DriftReport,
    ExampleSummary,
    GateCalls,
    PatchSummary,
    RunReport,
    Stop,
    Timing,
)
from patchlab_agent.models.trace import Trace
from patchlab_agent.runs.evaluation import stratified
from patchlab_agent.runs.loop import CarrierReferee, Loop, windows, with_next
from patchlab_agent.runs.parts import Parts
from patchlab_agent.runs.suite import labeled_cases
from patchlab_agent.settings import (
    DEFAULT_RUNS,
    LITELLM,
    MODEL,
    PATHS,
    RECORDED,
    REPLAY,
    SIMULATION,
    RunSettings,
)
from patchlab_agent.skill import DriftingWorld
from patchlab_agent.store.patches import describe


def no_trace(trace: Trace, number: int) -> None:
    """The default listener: nobody looks on."""


def no_golden(done: int) -> None:
    """The default listener on the golden set."""


@dataclass
class Runner:
    """Runs a lab through its requests and reports.

    Args:
        lab: open for writing.
        settings: what was asked for.
        cases: the user's labeled requests; None takes generated ones.
        on_trace: is called with every trace and its number, from 1, as soon as it is there.
        on_golden: is called with the number of golden cases done.
    """

    lab: Parts
    settings: RunSettings
    cases: Sequence[Case] | None = None
    on_trace: Callable[[Trace, int], None] = no_trace
    on_golden: Callable[[int], None] = no_golden
    _changes: tuple[str, ...] = field(default=(), init=False)

    @property
    def total(self) -> int:
        """How many requests the run will make."""
        if self.cases is None:
            return self.settings.runs or DEFAULT_RUNS
        return min(self.settings.runs or len(self.cases), len(self.cases))

    @property
    def golden_total(self) -> int:
        """How many golden cases it will measure on."""
        return min(self.settings.golden, len(self.lab.skill.world.golden()))

    def run(self, show: int = 0) -> RunReport:
        """Do the run; the store keeps the report, too.

        Args:
            show: how many requests to name to which patches made a difference.

        Raises:
            BackendError: the model's side failed before anything was answered.
            InputError: the cassette to record into is of another kind of run.
        """
        if self.lab.recording is not None:
            self.lab.recording.begin(recorded_run(self.settings, self.cases))
        started_at, start = self.lab.agent.clock(), time.perf_counter()
        at_start = self.lab.store.patches.statuses()
        continued_from = self.lab.store.patches.active_count
        self.lab.meter.reset()
        name = self.lab.store.start_run()
        referee = CarrierReferee(
            self.lab.skill.world,
            falsify=self.lab.skill.falsify,
            share=self.settings.false_feedback,
            seed=self.settings.seed,
        )
        loop = Loop(
            self.lab.evaluator,
            self.lab.learner,
            self.lab.store.traces,
            referee,
            window=self.settings.concurrency,
            before={} if self.settings.drift is None else {self.settings.drift: self._drift},
        )
        full_calls = self.lab.gate.full_calls
        outcomes: list[Outcome] = []
        for number, trace in enumerate(loop.run(self._stream(name), name), start=1):
            outcomes.append(Outcome.of(referee.truly(trace), number))
            self.on_trace(trace, number)
        golden: list[GoldenOutcome] = []
        error = loop.stopped
        if error is None:
            try:
                golden += self._golden(name)
            except BackendError as failure:
                golden, error = [], failure
        if error is not None and not outcomes and not isinstance(error, BudgetReached):
            raise error
        timing = Timing(
            started_at=started_at,
            seconds=round(time.perf_counter() - start, 3),
            seconds_per_call=self._latency(),
        )
        report = RunReport(
            run=name,
            backend=self.lab.agent.backend.name,
            settings=self._settings(),
            continued_from=continued_from,
            runs=len(outcomes),
            stopped=None if error is None else stop_of(error),
            structure=self._structure(),
            overall=compare(outcomes),
            recent=compare(outcomes[-RECENT:]),
            curve=curve(outcomes, at_start),
            clusters=clusters(outcomes, self.lab.skill.world.labels),
            patches=self._patches(outcomes),
            examples=self._examples(outcomes),
            highlights=highlights(outcomes, show),
            drift=self._drifted(outcomes),
            golden=golden_report(golden, self.lab.skill.world.labels) if golden else None,
            cost=tuple(self._cost()),
            prompt_tokens=prompt_tokens([*outcomes, *(each.outcome for each in golden)]),
            gate_calls=GateCalls(
                asked=self.lab.meter.spent["gate"].calls if "gate" in self.lab.meter.spent else 0,
                full=self.lab.gate.full_calls - full_calls,
            ),
            store=str(self.lab.store.path),
            timing=timing,
        )
        self.lab.store.keep_report(name, report.model_dump_json(indent=2))
        self.lab.store.keep_snapshot(name)
        return report

    def _stream(self, name: str) -> Iterator[Case]:
        if self.cases is not None:
            return islice(iter(self.cases), self.total)
        # The run's name makes a second run ask for other shipments than the first one did.
        rng = random.Random(f"{self.settings.seed}:{name}")  # noqa: S311 - a simulation
        return islice(self.lab.skill.world.requests(rng), self.total)

    def _golden(self, name: str) -> Iterator[GoldenOutcome]:
        """Compare on held-out cases; a failure of the model's side leaves none of them."""
        world = self.lab.skill.world
        evaluator = self.lab.evaluator
        numbered = enumerate(stratified(world.golden(), self.settings.golden), start=1)
        asked = (
            (case, Ask(case.request, draw="golden", trace_id="golden", index=number))
            for number, case in numbered
        )
        for window, following in with_next(windows(asked, self.settings.concurrency)):
            evaluator.expect([case for case, _ in following], [ask for _, ask in following])
            cases, asks = [case for case, _ in window], [ask for _, ask in window]
            compared = evaluator.compare_all(cases, asks, run=name)
            for (case, ask), found in zip(window, compared, strict=True):
                trace = or_raise(found)
                baseline = trace.baseline.attempt.quote if trace.baseline else None
                yield GoldenOutcome(
                    outcome=Outcome.of(trace, ask.index),
                    needs_lesson=bool(world.untaught(case)),
                    baseline=world.confusion(case, baseline),
                    patched=world.confusion(case, trace.quote),
                )
                self.on_golden(ask.index)

    def _drift(self) -> None:
        world = self.lab.skill.world
        if isinstance(world, DriftingWorld):
            rng = random.Random(f"drift:{self.settings.seed}")  # noqa: S311 - a simulation
            self._changes = world.drift(rng)
            self.lab.gate.use_suite(labeled_cases(world))

    def _drifted(self, outcomes: Sequence[Outcome]) -> DriftReport | None:
        if not self._changes or self.settings.drift is None:
            return None
        teaches = {patch.id: describe(patch) for patch in self.lab.store.patches.all()}
        return drift_report(outcomes, self.settings.drift, self._changes, teaches)

    def _structure(self) -> str | None:
        structure = self.lab.meter.structure
        return None if structure is None else str(structure)

    def _settings(self) -> dict[str, Any]:
        """What was asked for, as far as it had a say, and no path of this machine."""
        idle = SIMULATION if self.settings.backend in (LITELLM, REPLAY) else MODEL
        shown = self.settings.model_dump(mode="json", exclude={*PATHS, *idle})
        embedder = self.lab.store.info.embedder
        if shown.get("api_base"):
            shown["api_base"] = without_login(shown["api_base"])
        return {**shown, "runs": self.total, "embedder": embedder}

    def _patches(self, outcomes: Sequence[Outcome]) -> PatchSummary:
        events = [event for outcome in outcomes for event in outcome.events]
        kinds = Counter(event.kind for event in events)
        store = self.lab.store.patches
        uses = patch_uses(outcomes, {})[:MOST_USEFUL]
        named = [
            use.model_copy(update={"teaches": describe(patch)})
            for use in uses
            if (patch := store.get(use.id)) is not None
        ]
        active = [event for event in events if event.kind == "activated"]
        return PatchSummary(
            proposed=sum(len(_proposed(outcome.events)) for outcome in outcomes),
            created=sum(event.created for event in events),
            activated=len(active),
            quarantined=kinds["quarantined"],
            retired=kinds["superseded"],
            without_lesson=kinds["none"],
            known=kinds["known"],
            active_already=kinds["active_already"],
            proven=kinds["proven"],
            convicted=kinds["convicted"],
            quarantine_reasons=self._quarantine_reasons(),
            active_in_store=store.active_count,
            proven_in_store=store.count_standing(Standing.PROVEN),
            on_trial_in_store=store.count_standing(Standing.TRIAL),
            total_in_store=store.count(),
            kinds=_counted(str(event.fix["kind"]) for event in active if event.fix),
            most_useful=tuple(named),
        )

    def _examples(self, outcomes: Sequence[Outcome]) -> ExampleSummary | None:
        if not self.settings.examples:
            return None
        return example_summary(outcomes, self.lab.store.examples.all())

    def _quarantine_reasons(self) -> dict[str, int]:
        reports = (patch.gate for patch in self.lab.store.patches.all(Status.QUARANTINED))
        return _counted(code for gate in reports if gate for code in gate.codes)

    def _cost(self) -> Iterator[Cost]:
        for purpose, spent in sorted(self.lab.meter.spent.items()):
            yield Cost(
                purpose=purpose,
                calls=spent.calls,
                cache_hits=spent.cache_hits,
                prompt_tokens=spent.prompt_tokens,
                prefix_hits=spent.prefix_hits,
                completion_tokens=spent.completion_tokens,
                cost_usd=spent.cost_usd,
            )

    def _latency(self) -> dict[str, float]:
        return {
            purpose: round(spent.seconds / spent.calls, 6)
            for purpose, spent in sorted(self.lab.meter.spent.items())
            if spent.calls
        }


def recorded_run(settings: RunSettings, cases: Sequence[Case] | None) -> JsonObject:
    """What a cassette keeps of a run, so that a replay can be the same one.

    Args:
        settings: the run's.
        cases: the user's labeled requests, or None where they are generated.
    """
    requests = None if cases is None else digest([case.model_dump() for case in cases])
    return {**settings.model_dump(mode="json", include=set(RECORDED)), REQUESTS: requests}


def stop_of(error: BackendError) -> Stop:
    """Why a run ended, as a report says it."""
    if isinstance(error, BudgetReached):
        return Stop(kind="budget", reason=str(error))
    is_outage = isinstance(error, BackendUnavailable)
    return Stop(kind="outage" if is_outage else "refused", reason=str(error))


_PROPOSED = frozenset({"activated", "quarantined", "regated", "known", "active_already"})
"""Kinds of events that tell what became of a proposal."""


def _proposed(events: Iterable[PatchEvent]) -> set[str]:
    """Return the ids of the patches that one request's failure gave to decide on."""
    return {each.patch_id for each in events if each.patch_id and each.kind in _PROPOSED}


def _counted(names: Iterable[str]) -> dict[str, int]:
    """Counts by name, the most frequent first."""
    counts = Counter(names)
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))
