"""A whole run: stream, golden set, report."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from patchlab_agent.agent.agent import Ask, or_raise
from patchlab_agent.backends.recording import OWN_REQUESTS
from patchlab_agent.errors import BudgetReached, Interruption, StoreError
from patchlab_agent.metrics.golden import mistakes
from patchlab_agent.metrics.outcomes import GoldenOutcome, Outcome
from patchlab_agent.metrics.run import RunFigures
from patchlab_agent.models.base import JsonObject, digest
from patchlab_agent.models.case import Case, CaseSets
from patchlab_agent.models.golden import GoldenAnswer
from patchlab_agent.models.model import without_login
from patchlab_agent.models.progress import StartedRun
from patchlab_agent.models.report import RunReport
from patchlab_agent.models.trace import Trace, run_name
from patchlab_agent.runs.evaluation import stratified
from patchlab_agent.runs.loop import Loop, SimulatedReferee, windows, with_next
from patchlab_agent.runs.parts import Parts
from patchlab_agent.runs.passing import SharedPassing
from patchlab_agent.runs.progress import Progress, state_of
from patchlab_agent.runs.suite import labeled_cases
from patchlab_agent.runs.summary import (
    FinishedRun,
    run_report,
    stop_of,
)
from patchlab_agent.settings import (
    DEFAULT_RUNS,
    PATHS,
    RECORDED,
    RunSettings,
)
from patchlab_agent.skill.optional import DriftingSimulator, cases_of, rules_needed


def no_trace(trace: Trace, number: int) -> None:
    """Ignore the trace: the default listener."""


def no_golden(done: int) -> None:
    """Ignore the golden set: the default listener."""


@dataclass
class Runner:
    """Runs a lab through its requests and reports.

    Args:
        lab: open for writing.
        settings: what was asked for.
        cases: the user's labeled requests; None takes generated ones.
        on_trace: is called with every trace and its number, from 1, as soon as it is there.
        on_golden: is called with the number of golden cases done.
        resumed: what the run to go on with began with; None: a new run.
    """

    lab: Parts
    settings: RunSettings
    cases: Sequence[Case] | None = None
    on_trace: Callable[[Trace, int], None] = no_trace
    on_golden: Callable[[int], None] = no_golden
    resumed: StartedRun | None = None
    _changes: tuple[str, ...] = field(default=(), init=False)

    @property
    def total(self) -> int:
        """How many requests the run will make."""
        if self.cases is None:
            return self.settings.runs or DEFAULT_RUNS
        return min(self.settings.runs or len(self.cases), len(self.cases))

    @property
    def done(self) -> int:
        """How many of them were done before."""
        state = None if self.resumed is None else state_of(self.lab.store, self.resumed.run)
        return 0 if state is None else state.done

    @property
    def golden_total(self) -> int:
        """How many golden cases it will measure on."""
        return min(self.settings.golden, len(self.lab.skill.simulator.golden()))

    def run(self, show: int = 0) -> RunReport:
        """Do the run; the store keeps the report, too.

        Args:
            show: how many requests to name to which patches made a difference.

        Raises:
            Interruption: the model's side or the skill failed before anything was answered.
            StoreError: the store failed before anything was answered.
            InputError: the cassette to record into is of another kind of run.
        """
        start = time.perf_counter()
        referee = SimulatedReferee(
            self.lab.skill.simulator,
            falsify=self.lab.skill.falsify,
            share=self.settings.false_feedback,
            seed=self.settings.seed,
        )
        started = self.resumed or self._started()
        progress: Progress | SharedPassing
        if self.lab.store.is_shared:
            progress = SharedPassing(self.lab, started)
        else:
            progress = Progress(self.lab, started, referee)
        try:
            return self._run(progress, referee, start, show)
        finally:
            progress.close()

    def _started(self) -> StartedRun:
        """Count a new run, and keep what it begins with."""
        store = self.lab.store
        started = StartedRun(
            # Who shares a store has to be quicker than the others to have a name.
            run=store.start_run() if store.is_shared else run_name(store.info.runs + 1),
            settings=kept_settings(self.settings),
            requests=requests_digest(self.cases),
            at_start=store.patches.statuses(),
            continued_from=store.patches.active_count,
            started_at=self.lab.agent.clock(),
        )
        # First, so that a run that is killed before it is counted is still begun by its resumption.
        if not store.is_shared:
            store.keep_started(started)
        return started

    def _run(
        self,
        progress: Progress | SharedPassing,
        referee: SimulatedReferee,
        start: float,
        show: int,
    ) -> RunReport:
        started, name = progress.started, progress.started.run
        if run_name(self.lab.store.info.runs) != name:
            self.lab.store.start_run()
        if isinstance(progress, Progress) and self.resumed is not None:
            progress.resume()
        else:
            progress.begin()
        if self.lab.recording is not None:
            kept = recorded_run(self.settings, self.cases)
            self.lab.recording.begin(kept, self._case_sets(name))
        loop = Loop(
            self.lab.evaluator,
            self.lab.learner,
            self.lab.store.traces,
            referee,
            window=self.settings.concurrency,
            before={} if self.settings.drift is None else {self.settings.drift: self._drift},
            progress=progress,
        )
        figures = RunFigures(started.at_start, show=show, drift=self.settings.drift)
        before = progress.done
        for number, trace in enumerate(loop.run(self._stream(name), name, self.total), start=1):
            figures.add(Outcome.of(referee.truly(trace)))
            if number > before:
                self.on_trace(trace, number)
        golden: list[tuple[GoldenOutcome, GoldenAnswer]] = []
        error = loop.stopped
        if error is None:
            try:
                golden += self._golden(name)
            except (Interruption, StoreError) as failure:
                golden, error = [], failure
        if error is not None and not figures.runs and not isinstance(error, BudgetReached):
            raise error
        finished = FinishedRun(
            name=name,
            settings=self.settings,
            requests=self.total,
            figures=figures,
            golden=[outcome for outcome, _ in golden],
            continued_from=started.continued_from,
            error=error,
            changes=self._changes,
            full_calls=progress.full_calls,
            started_at=started.started_at,
            seconds=round(time.perf_counter() - start, 3),
        )
        lost = self.lab.store.rescue() if isinstance(error, StoreError) else 0
        answers = [answer for _, answer in golden]
        report = self._kept(name, run_report(self.lab, finished), answers, lost)
        if report.stopped is None:
            progress.finish()
        return report

    def _kept(
        self, name: str, report: RunReport, golden: Sequence[GoldenAnswer], lost: int
    ) -> RunReport:
        """Store a report and what belongs to it; return it, with what could not be stored.

        Args:
            name: of the run.
            report: of the run.
            golden: its answers to the golden set.
            lost: number of traces that could not be stored.
        """
        missing = [f"the last {lost} traces" if lost > 1 else "the last trace"] if lost else []
        stop = report.stopped
        try:
            self.lab.store.keep_report(name, report.model_dump_json(indent=2))
        except StoreError as failure:
            missing.append("this report")
            stop = stop_of(failure)
        try:
            if golden:
                self.lab.store.keep_golden(name, golden)
        except StoreError as failure:
            missing.append("the answers to the golden set")
            stop = stop_of(failure)
        try:
            self.lab.store.keep_snapshot(name)
        except StoreError as failure:
            missing.append("the snapshot for a rollback")
            stop = stop_of(failure)
        if stop is None or not missing:
            return report
        reason = f"{stop.reason} Not stored: {', '.join(missing)}."
        return report.model_copy(update={"stopped": stop.model_copy(update={"reason": reason})})

    def _case_sets(self, name: str) -> CaseSets:
        """Return all cases of the run, for a recording."""
        simulator = self.lab.skill.simulator
        stream: list[Case] = []
        # A stream that fails does so again, and is reported, when the run gets there.
        with suppress(Interruption):
            stream.extend(self._stream(name))
        return CaseSets(
            stream=tuple(stream),
            golden=tuple(simulator.golden()),
            regression=tuple(simulator.regression()),
        )

    def _stream(self, name: str) -> Iterator[Case]:
        if self.cases is not None:
            return islice(iter(self.cases), self.total)
        # The run's name makes a second run ask for other shipments than the first one did.
        rng = random.Random(f"{self.settings.seed}:{name}")  # noqa: S311 - a simulation
        return islice(cases_of(self.lab.skill.simulator, rng), self.total)

    def _golden(self, name: str) -> Iterator[tuple[GoldenOutcome, GoldenAnswer]]:
        """Compare on held-out cases; an interruption leaves none of them."""
        self.lab.store.follow()
        simulator = self.lab.skill.simulator
        evaluator = self.lab.evaluator
        numbered = enumerate(stratified(simulator.golden(), self.settings.golden), start=1)
        asked = (
            (case, Ask(case.request, draw="golden", trace_id="golden", index=number))
            for number, case in numbered
        )
        for window, following in with_next(windows(asked, self.settings.concurrency)):
            evaluator.expect([case for case, _ in following], [ask for _, ask in following])
            cases, asks = [case for case, _ in window], [ask for _, ask in window]
            compared = evaluator.compare(cases, asks, run=name)
            for (case, ask), found in zip(window, compared, strict=True):
                trace = or_raise(found)
                baseline = trace.baseline.attempt.output if trace.baseline else None
                outcome = GoldenOutcome(
                    outcome=Outcome.of(trace),
                    # Where nobody knows the rules, the baseline tells what they are needed for.
                    needs_lesson=bool(rules_needed(simulator, case))
                    if self.lab.skill.has_oracle
                    else not (trace.baseline and trace.baseline.feedback.ok),
                    baseline=simulator.confusion(case, baseline),
                    patched=simulator.confusion(case, trace.output),
                )
                wrong = mistakes(outcome, simulator.labels)
                yield outcome, GoldenAnswer(trace=trace, mistakes=wrong)
                self.on_golden(ask.index)

    def _drift(self) -> None:
        simulator = self.lab.skill.simulator
        if isinstance(simulator, DriftingSimulator):
            rng = random.Random(f"drift:{self.settings.seed}")  # noqa: S311 - a simulation
            self._changes = simulator.drift(rng)
            self.lab.gate.use_suite(labeled_cases(simulator))


def recorded_run(settings: RunSettings, cases: Sequence[Case] | None) -> JsonObject:
    """Return the settings that a cassette keeps, so that a replay repeats the same run.

    Args:
        settings: the run's.
        cases: the user's labeled requests, or None where they are generated.
    """
    kept = settings.model_dump(mode="json", include=set(RECORDED))
    return {**kept, OWN_REQUESTS: cases is not None}


def kept_settings(settings: RunSettings) -> JsonObject:
    """Return the settings that a resumed run must have again, with paths in full.

    Where the store is does not matter, and an address is kept without its password.
    """
    paths = {
        name: str(path.absolute())
        for name in PATHS
        if isinstance(path := getattr(settings, name), Path)
    }
    kept = {**settings.model_dump(mode="json"), **paths}
    del kept["store"]
    if settings.api_base is not None:
        kept["api_base"] = without_login(settings.api_base)
    return kept


def requests_digest(cases: Sequence[Case] | None) -> str:
    """Return a digest of the user's labeled requests; empty where they are generated."""
    return "" if cases is None else digest([case.model_dump(mode="json") for case in cases])
