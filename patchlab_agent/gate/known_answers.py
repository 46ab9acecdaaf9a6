"""The right answers at hand, and what they say of a patch before any model is asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from patchlab_agent.agent.agent import Agent
from patchlab_agent.gate.base import Candidate, Foreknowledge
from patchlab_agent.gate.evidence import (
    AcceptedAnswers,
    Labeled,
    Probe,
    accepted_probe,
    agreement,
    labeled_probe,
    refereed_probe,
)
from patchlab_agent.gate.reach import Distance, calibrated, concerns
from patchlab_agent.gate.reasons import contradicted, named
from patchlab_agent.models.base import Output, digest
from patchlab_agent.models.evidence import Reason
from patchlab_agent.models.patch import Patch, Role
from patchlab_agent.models.trigger import Always, Similar
from patchlab_agent.statistics import proportion
from patchlab_agent.text import words

REMEMBERED = 1024
"""Phrases for which the labeled cases that they concern are remembered."""
MAX_ACCEPTED = 5
"""Number of accepted answers that a patch is tried on, the newest ones."""


@dataclass(frozen=True)
class Known:
    """What right answers at hand say of a candidate.

    Attributes:
        candidate: the candidate, its trigger reaching as far as the labels allow.
        touched: the labeled cases that it concerns.
        answers: those, and the accepted answers that it concerns.
        unreached: the objection where the labels cannot tell how far its trigger reaches.
    """

    candidate: Candidate
    touched: Sequence[Labeled]
    answers: Sequence[Probe]
    unreached: Reason | None


class KnownAnswers:
    """The labeled cases, and the answers that were accepted before.

    Args:
        suite: the labeled cases.
        accepted: finds answers that were accepted before.
        agent: tells how near a request is to a patch's trigger; is asked for no answer.
        judged: returns the fields of an answer that accepting it vouches for.
        max_trigger_share: share of the suite in which a trigger may occur, 0 to 1.
    """

    def __init__(
        self,
        suite: Sequence[Labeled],
        accepted: AcceptedAnswers,
        agent: Agent,
        *,
        judged: Callable[[Output], Output],
        max_trigger_share: float,
    ) -> None:
        self._accepted = accepted
        self._agent = agent
        self._judged = judged
        self._max_trigger_share = max_trigger_share
        self.use_suite(suite)

    def use_suite(self, suite: Sequence[Labeled]) -> None:
        """Use these labeled cases from now on."""
        self.suite = tuple(suite)
        self._said: dict[str, list[Labeled]] = {}
        self.suite_digest = digest([[case.request, case.answer] for case in self.suite])

    def about(self, candidate: Candidate) -> Known:
        """Return what is at hand about a candidate."""
        patch, unreached = self._within_reach(candidate.patch)
        candidate = replace(candidate, patch=patch)
        touched = self.touched(patch)
        answers = [labeled_probe(case) for case in touched] + self.accepted_before(candidate)
        return Known(candidate, touched, answers, unreached)

    def foreknown(self, candidate: Candidate) -> Foreknowledge:
        """Return how well the right answers agree with a candidate."""
        known = self.about(candidate)
        if known.unreached is not None:
            return Foreknowledge(is_fitted=True)
        patch = known.candidate.patch
        here = proportion(agreement(patch, known.answers)).low or 0.0
        everywhere = proportion(agreement(patch, map(labeled_probe, self.suite))).rate or 0.0
        return Foreknowledge(isinstance(patch.trigger, Similar), everywhere - here)

    def objection(self, known: Known) -> Reason | None:
        """Return what speaks against a candidate before any model is asked; None if nothing."""
        patch = known.candidate.patch
        return (
            known.unreached
            or self._too_broad(patch, len(known.touched))
            or contradicted(patch, known.answers)
        )

    def touched(self, patch: Patch) -> list[Labeled]:
        """Return the labeled cases that a patch concerns."""
        if not isinstance(patch.trigger, str):
            return self._concerned(patch)
        # A phrase is looked for before each decision on it, and the suite rarely changes.
        if patch.trigger not in self._said:
            if len(self._said) >= REMEMBERED:
                self._said.clear()
            self._said[patch.trigger] = self._concerned(patch)
        return self._said[patch.trigger]

    def _concerned(self, patch: Patch) -> list[Labeled]:
        distance = self._distance(patch)
        return [case for case in self.suite if concerns(patch, case.request, distance)]

    def accepted_before(self, candidate: Candidate) -> list[Probe]:
        """Return the accepted answers that a candidate concerns, and those that it spoiled."""
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

    def _within_reach(self, patch: Patch) -> tuple[Patch, Reason | None]:
        """Return a patch with its trigger reaching as far as labels allow; object if none does."""
        if not isinstance(patch.trigger, Similar):
            return patch, None
        distance = self._distance(patch)
        trigger = calibrated(patch, self.suite, distance, self._max_trigger_share)
        if trigger is not None:
            return patch.model_copy(update={"trigger": trigger}), None
        text = "too few labeled requests agree with it to tell how near to its own is near enough"
        return patch, Reason(code="no_evidence", text=text)

    def _distance(self, patch: Patch) -> Distance:
        return lambda request: self._agent.relation(patch, request).distance

    def _too_broad(self, patch: Patch, touched: int) -> Reason | None:
        if isinstance(patch.trigger, Always):
            return None
        share = touched / len(self.suite) if self.suite else 0.0
        if share <= self._max_trigger_share and words(patch.trigger_text):
            return None
        text = f"{named(patch)} occurs in {share:.0%} of the regression suite"
        return Reason(code="trigger_too_broad", text=text)

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
