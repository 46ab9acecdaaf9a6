"""The gate: an acceptance criterion that decides from evidence outside the patch.

A decision takes four steps, and stops at the first that speaks against the patch:

1. the labels: is the trigger too broad, do labeled or accepted answers contradict the patch? No
   model is asked.
2. the referee: is the complaint that gave rise to the patch gone, on fresh draws of the request?
3. what was right: do labeled cases and accepted answers with the trigger stay right, and are the
   changes that the patch makes to them right?
4. the patch's own claims: does the model obey it elsewhere, and does it leave alone what it does
   not concern?

Only steps 1 to 3 are evidence that the patch is true, and at least one must bear on what it says:
a shipment that is rightly refused may be refused whatever the patch says. Both answers of a pair
come from the same draw, hence under the same noise, so any difference between them is due to the
patch. Examples from traces are left out of the prompts: they change with every run, and a decision
should depend on the patch alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from patchlab_agent.agent.agent import Agent
from patchlab_agent.errors import Interruption
from patchlab_agent.gate.base import Candidate, Examination, Foreknowledge
from patchlab_agent.gate.batching import Dialogue, in_batches
from patchlab_agent.gate.evidence import (
    AcceptedAnswers,
    Labeled,
    Referee,
    agreement,
    refereed_probe,
)
from patchlab_agent.gate.examples import harmful
from patchlab_agent.gate.hearing import Hearing
from patchlab_agent.gate.known_answers import KnownAnswers
from patchlab_agent.gate.noise import Noise
from patchlab_agent.gate.paired_answers import OutOfCalls
from patchlab_agent.gate.reasons import speaks_for
from patchlab_agent.gate.request_trial import Limits, RequestTrial
from patchlab_agent.gate.steps import objection
from patchlab_agent.gate.trial import PatchTrial
from patchlab_agent.models.base import Output, digest
from patchlab_agent.models.evidence import GateReport, Reason
from patchlab_agent.models.patch import Patch
from patchlab_agent.models.trace import Context, Example, Trace
from patchlab_agent.skill.skill import MAX_TRIGGER_SHARE

ALPHA = 0.05
"""Bound on the chance that luck alone mends, or breaks, a request."""
MAX_CALLS = 400
"""Maximum number of answers for one decision."""


class Gate:
    """An acceptance criterion that decides from evidence.

    Args:
        agent: answers the tests; its store is only read.
        suite: the labeled cases.
        accepted: finds answers that were accepted before.
        judged: returns the fields of an answer that accepting it vouches for; none of an incomplete
            answer.
        alpha: bound on the chance that luck alone turns a request right, or wrong.
        max_calls: maximum number of answers for one decision.
        trusted: returns whether a lesson of this origin may go on trial when nothing outside it
            can tell whether it is true.
        max_trigger_share: share of the suite in which a trigger may occur, 0 to 1.
    """

    def __init__(
        self,
        agent: Agent,
        suite: Sequence[Labeled],
        accepted: AcceptedAnswers,
        *,
        judged: Callable[[Output], Output],
        alpha: float = ALPHA,
        max_calls: int = MAX_CALLS,
        trusted: Callable[[str], bool] = lambda _: True,
        max_trigger_share: float = MAX_TRIGGER_SHARE,
    ) -> None:
        self._agent = agent
        self._known = KnownAnswers(
            suite, accepted, agent, judged=judged, max_trigger_share=max_trigger_share
        )
        self._judged = judged
        self._alpha = alpha
        self._max_calls = max_calls
        self._trusted = trusted
        self._max_trigger_share = max_trigger_share
        self._noise = Noise()
        self.full_calls = 0

    @property
    def noise(self) -> tuple[int, int]:
        """Right answers and draws from which the model's noise is estimated."""
        return self._noise.right, self._noise.draws

    @noise.setter
    def noise(self, seen: tuple[int, int]) -> None:
        self._noise = Noise(*seen)

    def use_suite(self, suite: Sequence[Labeled]) -> None:
        """Use these labeled cases from now on."""
        self._known.use_suite(suite)

    def conditions(self, patch: Patch) -> str:
        """Return a digest of what a decision on this patch depends on, without asking the model.

        These are the suite, the prompts, the model, the gate's own settings, and the active
        patches that apply to the failing requests or that the patch contradicts.
        """
        applied = [
            [
                known.id
                for known in self._agent.context(
                    request, applied_only=True, without=patch.id
                ).applied
            ]
            for request in patch.failing
        ]
        return digest(
            [
                patch.id,
                applied,
                self._known.suite_digest,
                self._agent.prompts.digest,
                self._agent.system_digest,
                self._agent.backend.name,
                self._agent.top_k,
                self._agent.context_tokens,
                self._alpha,
                self._max_calls,
                self._trusted(patch.provenance.origin),
                self._max_trigger_share,
            ]
        )

    def can_tell(self, patch: Patch) -> bool:
        """Return True if the patch applies to a labeled case, or an accepted answer agrees with it.

        Asks no model. An accepted answer that does not mention the patch's subject was right
        without it, so it can only speak against the patch.
        """
        candidate = Candidate(patch)
        trial = self._trial(candidate)
        touched = self._known.touched(patch)
        # Occurrence is not enough: without a lesson of its own, `crate` would count as a misspelt
        # `crates`.
        if any(trial.changes(case.request) for case in touched):
            return True
        return any(agreement(patch, self._known.accepted_before(candidate)))

    def foreknown(self, candidate: Candidate) -> Foreknowledge:
        """Return what labels and accepted answers say of a candidate, without asking a model."""
        return self._known.foreknown(candidate)

    def examine(self, candidate: Candidate) -> Examination:
        """Decide on a patch.

        Asks no model if the trigger or the labels decide, and otherwise no more than the decision
        needs.

        Raises:
            Interruption: the model's side or the skill failed; no decision was made.
        """
        [found] = in_batches(self._agent.attempts, [self._examination(candidate)])
        if isinstance(found, Interruption):
            raise found
        examination, trials = found
        self._noise.learn(trials)
        report = examination.report.model_copy(update={"noise": self.noise})
        self.full_calls += report.full_calls
        return replace(examination, report=report)

    def recall(self, reports: Iterable[GateReport]) -> None:
        """Estimate the model's noise as after the latest of these decisions, if that saw more."""
        seen = (report.noise for report in reports if report.noise is not None)
        self.noise = max([self.noise, *seen], key=lambda noise: noise[1])

    def prepare(self, candidates: Sequence[Candidate]) -> None:
        """Examine these candidates concurrently, and keep only the model's answers.

        The answers wait in the backend's cache. `examine` asks again for whatever an earlier patch
        changes for a later one, and it reports failures of the model's side.
        """
        # The verdicts are dropped: a patch that becomes active changes the prompts of those after
        # it, so decisions are made one by one. Only their questions are worth batching.
        in_batches(self._agent.attempts, [self._examination(each) for each in candidates])

    def confirms_harm(
        self, patches: Sequence[Patch], request: str, referee: Referee, /
    ) -> list[Patch]:
        """Return the patches that turn the request wrong, tested by leaving out each one alone.

        Raises:
            Interruption: the model's side or the skill failed.
        """
        trials = [self._trial(Candidate(patch, referee)) for patch in patches]
        probe = refereed_probe(request, referee)

        def broken(trial: PatchTrial) -> Dialogue[bool]:
            [tried] = trial.begin([probe])
            try:
                yield from trial.keeps([tried])
            except OutOfCalls:
                # An undecided test is no evidence of harm.
                return False
            return tried.outcome == "broken"

        found = in_batches(self._agent.attempts, map(broken, trials))
        for each in found:
            if isinstance(each, Interruption):
                raise each
        return [patch for patch, is_broken in zip(patches, found, strict=True) if is_broken]

    def confirms_harmful(
        self, examples: Sequence[Example], trace: Trace, context: Context, referee: Referee, /
    ) -> list[Example]:
        """Return the examples that turn the trace's answer wrong, each left out alone.

        The lessons and the other examples stay in place. The list is empty if the trace's prompt
        cannot be reproduced, for instance because the templates have changed.

        Raises:
            Interruption: the model's side or the skill failed.
        """
        again = self._agent.render(trace.request, context, trace.draw)
        if again.changing != trace.attempt.user_prompt:
            return []
        judge = refereed_probe(trace.request, referee).judge
        limits, affordable = self._limits, self._max_calls // (1 + len(examples))
        dialogue = harmful(
            examples,
            trace.request,
            context,
            judge,
            limits=replace(limits, max_pairs=min(limits.max_pairs, affordable)),
        )
        [found] = in_batches(self._agent.attempts, [dialogue])
        if isinstance(found, Interruption):
            raise found
        return found

    @property
    def _limits(self) -> Limits:
        return self._noise.limits(alpha=self._alpha, varies=self._agent.backend.varies)

    def _trial(self, candidate: Candidate) -> PatchTrial:
        return PatchTrial(
            self._agent,
            candidate.patch,
            judged=self._judged,
            limits=self._limits,
            max_calls=self._max_calls,
            companions=candidate.companions,
        )

    def _examination(
        self, candidate: Candidate
    ) -> Dialogue[tuple[Examination, Sequence[RequestTrial]]]:
        known = self._known.about(candidate)
        candidate, patch = known.candidate, known.candidate.patch
        is_trusted = self._trusted(patch.provenance.origin)
        hearing = Hearing(candidate, known.answers, self._trial(candidate), is_trusted)
        against = self._set_aside(patch) or self._known.objection(known)
        if against is None:
            try:
                against = yield from objection(hearing)
            except OutOfCalls:
                text = (
                    f"{hearing.trial.calls} answers did not decide; --gate-max-calls allows no more"
                )
                against = Reason(code="undecided", text=text)
        calls = hearing.trial.calls
        report = GateReport(
            decision="quarantined" if against else "active",
            reasons=(against or speaks_for(hearing),),
            results=hearing.trial.results,
            suite_size=len(self._known.suite),
            suite_touched=len(known.touched),
            calls=calls,
            full_calls=self._full_calls(patch, len(known.answers)) if calls else 0,
            alpha=self._alpha,
            conditions=self.conditions(patch),
        )
        is_other = against is not None and against.code == "other_complaint"
        remaining = hearing.complaint if is_other else None if against else hearing.improved
        taken = None if against else hearing.taken
        found = Examination(report, remaining, taken, patch.trigger)
        return found, hearing.trial.trials

    def _set_aside(self, patch: Patch) -> Reason | None:
        problem = self._agent.misfit(patch)
        return Reason(code="set_aside", text=problem) if problem else None

    def _full_calls(self, patch: Patch, known: int) -> int:
        """Return the answers of a fixed-size test: each request, each draw, without and with."""
        draws = self._noise.fixed_draws(alpha=self._alpha, varies=self._agent.backend.varies)
        return 2 * draws * (len(patch.tests) + known)
