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

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from patchlab_agent.agent.agent import Agent
from patchlab_agent.errors import Interruption
from patchlab_agent.gate.base import Candidate, Examination, Foreknowledge
from patchlab_agent.gate.batching import Dialogue, in_batches
from patchlab_agent.gate.evidence import (
    AcceptedAnswers,
    Labeled,
    Probe,
    Referee,
    accepted_probe,
    labeled_probe,
    refereed_probe,
)
from patchlab_agent.gate.examples import harmful
from patchlab_agent.gate.hearing import Hearing
from patchlab_agent.gate.reach import Distance, calibrated, concerns
from patchlab_agent.gate.reasons import (
    agreement,
    agrees,
    contradicted,
    mends,
    named,
    no_evidence,
    not_mended,
    outweighed,
)
from patchlab_agent.gate.trial import OutOfCalls, PatchTrial, RequestTrial
from patchlab_agent.models.base import Output, digest
from patchlab_agent.models.evidence import EvidenceSource, GateReport, Reason
from patchlab_agent.models.patch import Patch, Role
from patchlab_agent.models.trace import Context, Example, Trace
from patchlab_agent.models.trigger import Always, Similar
from patchlab_agent.skill.seam import MAX_TRIGGER_SHARE
from patchlab_agent.statistics import e_value, fixed_size, proportion
from patchlab_agent.text import words

ALPHA = 0.05
"""Bound on the chance that luck alone mends, or breaks, a request."""
MAX_CALLS = 400
"""Maximum number of answers for one decision."""
REMEMBERED = 1024
"""Phrases for which the labeled cases that they concern are remembered."""
MAX_ACCEPTED = 5
"""Number of accepted answers that a patch is tried on, the newest ones."""

POWER = 0.97
"""Share of true patches that the fixed-size test, for comparison, would let in."""
MIN_PATIENCE = 6
"""Minimum number of draws before a request is given up.

With fewer, the complaint that the report names could be a single slip.
"""
GIVING_UP = 0.01
"""Chance that a request is given up although the patch does turn it right."""
_PRIOR = (1, 3)
"""Right answers and draws assumed before anything is known about the model's reliability."""


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
        self._accepted = accepted
        self._judged = judged
        self._alpha = alpha
        self._max_calls = max_calls
        self._trusted = trusted
        self._max_trigger_share = max_trigger_share
        # The model's noise is estimated as decisions go by: how many draws a test needs depends
        # on it, and nobody knows it beforehand.
        self._right, self._draws = _PRIOR
        self.full_calls = 0
        self.use_suite(suite)

    @property
    def noise(self) -> tuple[int, int]:
        """Right answers and draws from which the model's noise is estimated."""
        return self._right, self._draws

    @noise.setter
    def noise(self, seen: tuple[int, int]) -> None:
        self._right, self._draws = seen

    def use_suite(self, suite: Sequence[Labeled]) -> None:
        """Use these labeled cases from now on."""
        self._suite = tuple(suite)
        self._said: dict[str, list[Labeled]] = {}
        self._suite_digest = digest([[case.request, case.answer] for case in self._suite])

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
                self._suite_digest,
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
        touched = self._touched(patch)
        # Occurrence is not enough: without a lesson of its own, `crate` would count as a misspelt
        # `crates`.
        if any(trial.changes(case.request) for case in touched):
            return True
        return any(agreement(patch, self._accepted_before(candidate)))

    def foreknown(self, candidate: Candidate) -> Foreknowledge:
        """Return what labels and accepted answers say of a candidate, without asking a model."""
        reaching, objection = self._within_reach(candidate.patch)
        if objection is not None:
            return Foreknowledge(is_fitted=True)
        known = self._known(replace(candidate, patch=reaching), self._touched(reaching))
        is_fitted = isinstance(reaching.trigger, Similar)
        here = proportion(agreement(reaching, known)).low or 0.0
        everywhere = proportion(agreement(reaching, map(labeled_probe, self._suite))).rate or 0.0
        return Foreknowledge(is_fitted, everywhere - here)

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
        self._learn_noise(trials)
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
        dialogue = harmful(
            examples,
            trace.request,
            context,
            judge,
            patience=self._patience,
            max_draws=min(self._max_pairs, self._max_calls // (1 + len(examples))),
            bound=1 / self._alpha,
            varies=self._agent.backend.varies,
        )
        [found] = in_batches(self._agent.attempts, [dialogue])
        if isinstance(found, Interruption):
            raise found
        return found

    @property
    def _share_right(self) -> float:
        """The share of right answers seen from this model when no lesson is missing."""
        return round(self._right / self._draws, 2)

    @property
    def _patience(self) -> int:
        """The number of draws after which a request that was never right is given up.

        A model whose share of right answers is the one seen so far would be wrong in all of them
        with a chance of `GIVING_UP`.
        """
        wrong = 1 - self._share_right
        return max(MIN_PATIENCE, math.ceil(math.log(GIVING_UP) / math.log(max(wrong, 1e-6))))

    @property
    def _max_pairs(self) -> int:
        """The number of pairs after which a request is left open; most are decided sooner."""
        enough = fixed_size(self._share_right, alpha=self._alpha, power=1 - GIVING_UP)
        return max(2 * self._patience, enough)

    def _learn_noise(self, trials: Sequence[RequestTrial]) -> None:
        for trial in trials:
            # Requests that stay wrong tell of a missing rule, not of the model's noise.
            if trial.outcome in ("mended", "kept"):
                self._right += trial.at_best
                self._draws += len(trial.given)

    def _trial(self, candidate: Candidate) -> PatchTrial:
        return PatchTrial(
            self._agent,
            candidate.patch,
            companions=candidate.companions,
            patience=self._patience,
            max_pairs=self._max_pairs,
            bound=1 / self._alpha,
            max_calls=self._max_calls,
        )

    def _examination(
        self, candidate: Candidate
    ) -> Dialogue[tuple[Examination, Sequence[RequestTrial]]]:
        reaching, objection = self._within_reach(candidate.patch)
        candidate = replace(candidate, patch=reaching)
        patch = candidate.patch
        touched = self._touched(patch)
        known = self._known(candidate, touched)
        hearing = Hearing(candidate, known, self._trial(candidate))
        objection = (
            self._set_aside(patch)
            or objection
            or self._too_broad(patch, len(touched))
            or contradicted(patch, known)
        )
        if objection is None:
            try:
                objection = yield from self._objection(hearing)
            except OutOfCalls:
                text = (
                    f"{hearing.trial.calls} answers did not decide; --gate-max-calls allows no more"
                )
                objection = Reason(code="undecided", text=text)
        calls = hearing.trial.calls
        report = GateReport(
            decision="quarantined" if objection else "active",
            reasons=(objection or self._speaks_for(hearing),),
            results=hearing.trial.results,
            suite_size=len(self._suite),
            suite_touched=len(touched),
            calls=calls,
            full_calls=self._full_calls(patch, len(known)) if calls else 0,
            alpha=self._alpha,
            conditions=self.conditions(patch),
        )
        is_other = objection is not None and objection.code == "other_complaint"
        remaining = hearing.complaint if is_other else None if objection else hearing.improved
        taken = None if objection else hearing.taken
        found = Examination(report, remaining, taken, patch.trigger)
        return found, hearing.trial.trials

    def _known(self, candidate: Candidate, touched: Sequence[Labeled]) -> list[Probe]:
        """Return the right answers at hand to requests that a candidate concerns."""
        return [labeled_probe(case) for case in touched] + self._accepted_before(candidate)

    def _set_aside(self, patch: Patch) -> Reason | None:
        problem = self._agent.misfit(patch)
        return Reason(code="set_aside", text=problem) if problem else None

    def _touched(self, patch: Patch) -> list[Labeled]:
        distance = self._distance(patch)
        if not isinstance(patch.trigger, str):
            return [case for case in self._suite if concerns(patch, case.request, distance)]
        # A phrase is looked for before each decision on it, and the suite rarely changes.
        if patch.trigger not in self._said:
            if len(self._said) >= REMEMBERED:
                self._said.clear()
            found = [case for case in self._suite if concerns(patch, case.request, distance)]
            self._said[patch.trigger] = found
        return self._said[patch.trigger]

    def _distance(self, patch: Patch) -> Distance:
        return lambda request: self._agent.relation(patch, request).distance

    def _within_reach(self, patch: Patch) -> tuple[Patch, Reason | None]:
        """Return a patch with its trigger reaching as far as labels allow; object if none does."""
        if not isinstance(patch.trigger, Similar):
            return patch, None
        distance = self._distance(patch)
        trigger = calibrated(patch, self._suite, distance, self._max_trigger_share)
        if trigger is not None:
            return patch.model_copy(update={"trigger": trigger}), None
        text = "too few labeled requests agree with it to tell how near to its own is near enough"
        return patch, Reason(code="no_evidence", text=text)

    def _objection(self, hearing: Hearing) -> Dialogue[Reason | None]:
        """Return the objection of the first step that has one, or None."""
        if objection := (yield from self._complaint_is_gone(hearing)):
            return objection
        if objection := (yield from self._what_was_right_stays(hearing)):
            return objection
        if not (self._is_shown(hearing) or hearing.vouched or self._is_trusted(hearing)):
            return no_evidence(hearing)
        return (yield from self._claims_hold(hearing))

    def _is_shown(self, hearing: Hearing) -> bool:
        """Return True if a request turns right and something outside the patch confirms it.

        A patch that no failure taught need not turn a request right by itself.
        """
        trial = hearing.trial
        mended = [each for each in trial.trials if each.outcome == "mended"]
        if hearing.has_to_gain:
            return bool(mended)
        return (bool(mended) or hearing.is_unprompted) and (
            any(trial.speaks(each, self._judged) for each in mended)
            or any(map(trial.teaches_right, hearing.labeled))
            or any(agreement(hearing.candidate.patch, hearing.known))
        )

    def _is_trusted(self, hearing: Hearing) -> bool:
        candidate = hearing.candidate
        # Where no failure taught the patch, there is nobody whose word could be taken.
        is_on_word = candidate.referee is None and not (
            hearing.is_unprompted or hearing.has_to_gain
        )
        return is_on_word and self._trusted(candidate.patch.provenance.origin)

    def _speaks_for(self, hearing: Hearing) -> Reason:
        if hearing.mended:
            return mends(hearing.trial)
        if hearing.vouched:
            record = hearing.candidate.patch.record
            gained, lost = record.in_words
            text = f"its record stands: {record.mended} requests {gained}, {record.broken} {lost}"
            return Reason(code="mends", text=text)
        if hearing.is_unprompted:
            return agrees(hearing)
        text = (
            "nobody can judge the answer again and nothing at hand says otherwise: taken on the "
            f"word of its origin ({hearing.candidate.patch.provenance.origin})"
        )
        return Reason(code="taken_on_trust", text=text)

    def _full_calls(self, patch: Patch, known: int) -> int:
        """Return the answers of a fixed-size test: each request, each draw, without and with."""
        share = self._share_right
        draws = (
            fixed_size(share, alpha=self._alpha, power=POWER) if self._agent.backend.varies else 1
        )
        return 2 * draws * (len(patch.tests) + known)

    def _accepted_before(self, candidate: Candidate) -> list[Probe]:
        found = self._accepted.accepted(candidate.patch.trigger, MAX_ACCEPTED)
        spoiled = [test for test in candidate.patch.tests if test.role is Role.SPOILED]
        taken = [(test.request, test.taken) for test in spoiled]
        taken += [(trace.request, trace.output) for trace in found]
        probes = [
            (accepted_probe(request, self._judged(output), candidate.referee), output)
            for request, output in dict(taken).items()
            if output is not None and request not in candidate.patch.failing
        ]
        # Rules may have changed since: what the referee no longer accepts is no longer right.
        found_right = [probe for probe, output in probes if probe.judge(output).ok]
        return found_right + self._spoiled_in_part(candidate)

    @staticmethod
    def _spoiled_in_part(candidate: Candidate) -> list[Probe]:
        """Return the requests that the patch made worse, where no answer was right throughout."""
        referee, patch = candidate.referee, candidate.patch
        if referee is None:
            return []
        return [
            refereed_probe(test.request, referee)
            for test in patch.tests
            if test.role is Role.SPOILED
            and test.taken is None
            and test.request not in patch.failing
        ]

    def _too_broad(self, patch: Patch, touched: int) -> Reason | None:
        if isinstance(patch.trigger, Always):
            return None
        share = touched / len(self._suite) if self._suite else 0.0
        if share <= self._max_trigger_share and words(patch.trigger_text):
            return None
        text = f"{named(patch)} occurs in {share:.0%} of the regression suite"
        return Reason(code="trigger_too_broad", text=text)

    def _complaint_is_gone(self, hearing: Hearing) -> Dialogue[Reason | None]:
        patch, trial = hearing.candidate.patch, hearing.trial
        if hearing.is_unprompted:
            return None
        requests = [request for request in patch.failing if trial.changes(request)]
        if not requests:
            text = "there is no room for the patch in the prompt of its own failing request"
            if not isinstance(patch.trigger, str):
                text = f"{text}, or a nearer lesson speaks there"
            return Reason(code="no_room", text=text)
        if hearing.candidate.referee is not None:
            hearing.failing += trial.begin(
                refereed_probe(request, hearing.candidate.referee) for request in requests
            )
            yield from trial.mends(hearing.failing)
            return not_mended(patch, hearing.failing)
        # Nobody can judge the answer, and it does not show what the patch says: labels have to.
        if not patch.fix.shows_in_answers:
            return None
        if (yield from trial.satisfies(requests, self._judged)):
            return None
        text = "its failing request still gets no complete answer that agrees with it"
        return Reason(code="still_wrong", text=text)

    def _what_was_right_stays(self, hearing: Hearing) -> Dialogue[Reason | None]:
        """Object if as much turns wrong as right, or if the changed values are wrong."""
        if isinstance(hearing.candidate.patch.trigger, Always):
            return (yield from self._gains_everywhere(hearing))
        trial = hearing.trial
        tried = trial.begin(probe for probe in hearing.known if trial.changes(probe.request))
        yield from trial.keeps(tried)
        hearing.labeled += [each for each in tried if each.probe.source is EvidenceSource.LABELS]
        broken = [each for each in tried if each.outcome == "broken"]
        if broken or hearing.is_unprompted or not self._is_shown(hearing):
            # `keeps` stops at the first right answer, which is cheap but cannot show a gain. Full
            # pairs are drawn only now that it matters what else the patch turns right.
            again = trial.begin_again([each for each in hearing.labeled if each.outcome == "kept"])
            yield from trial.mends(again)
            for each in again:
                if each.outcome != "mended":
                    each.outcome = "broken" if each.lost > each.gained else "kept"
            broken = [each for each in trial.trials if each.outcome == "broken"]
        # A lesson has to win by the number of requests and by what they gain: many small gains do
        # not make up for a request that is lost, nor one large gain for many small losses.
        if broken and (len(broken) >= hearing.mended or hearing.change <= 0):
            return outweighed(hearing, broken)
        return self._misleading(hearing)

    def _gains_everywhere(self, hearing: Hearing) -> Dialogue[Reason | None]:
        """Object unless a patch in every prompt turns clearly more requests right than wrong.

        The requests that taught it do not count: what is in every prompt has to be good for others.
        """
        changing = [probe for probe in hearing.known if hearing.trial.changes(probe.request)]
        # A sample, as far as calls reach: in an order that has nothing to do with that of the file.
        changing.sort(key=lambda probe: digest(probe.request))
        tried = yield from hearing.trial.weigh(changing)
        hearing.labeled += [each for each in tried if each.probe.source is EvidenceSource.LABELS]
        gained = sum(each.outcome == "mended" for each in tried)
        lost = sum(each.outcome == "broken" for each in tried)
        if e_value(gained, lost) >= 1 / self._alpha:
            return self._misleading(hearing)
        text = (
            f"of {len(tried)} other requests {gained} turn right and {lost} wrong, which is not "
            "enough for what stands in every prompt"
        )
        return Reason(code="outweighed" if lost >= gained and lost else "no_evidence", text=text)

    def _misleading(self, hearing: Hearing) -> Reason | None:
        """Object if most of the changes that the patch makes to labeled answers are wrong.

        Labels may state the effect of a rule and not the rule itself, as a weight in kg does not
        name the unit it was converted from.
        """
        trial = hearing.trial
        told = [
            trial.speaks(each, self._judged) or trial.teaches_right(each)
            for each in hearing.labeled
        ]
        wrong, right = told.count(False), told.count(True)
        if wrong <= right:
            return None
        where = f"labeled requests with {named(hearing.candidate.patch)}"
        text = (
            f"in {wrong} of {wrong + right} {where} it changes the "
            "answer to another value than the right one"
        )
        return Reason(code="contradicted", text=text)

    @staticmethod
    def _claims_hold(hearing: Hearing) -> Dialogue[Reason | None]:
        def made(role: Role) -> list[str]:
            return [test.request for test in hearing.candidate.patch.tests if test.role is role]

        if not (yield from hearing.trial.unchanged(made(Role.UNCONCERNED))):
            text = "an answer changes to a request that the patch does not concern"
            return Reason(code="changes_unconcerned", text=text)
        if not (yield from hearing.trial.obeyed(made(Role.OBEDIENCE))):
            text = "the model does not do what the patch says in most requests made for it"
            return Reason(code="disobeyed", text=text)
        return None
