"""May this patch become active?

The gate replays a patch's own tests and the cases of the regression suite that its trigger
touches, each without and with the patch. Both answers of a pair come from the same draw, hence
under the same noise, so a difference between them is the patch's doing.

Examples from traces are left out of its prompts: they change with every run, and a decision
should rest on the patch alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from patchlab_agent.agent import Agent
from patchlab_agent.errors import BackendError
from patchlab_agent.lockstep import Dialogue, in_lockstep
from patchlab_agent.models.base import digest
from patchlab_agent.models.patch import GateCase, GateReport, Patch, Reason, Role, Status
from patchlab_agent.models.trace import Context
from patchlab_agent.paired_trial import PairedTrial
from patchlab_agent.text import occurs, words
from patchlab_agent.verdict import contradicted, false_accept_rate, fixes, objections

DRAWS = 5
"""Pairs per test where answers vary: a majority of five is wrong by chance about 1 time in 900
at 5 % noise, where a single pair would be 1 time in 20."""

MENDED_PER_BROKEN = 2
"""Labeled draws that a patch must mend for each draw that it turns wrong. A real model follows a
true rule and slips elsewhere now and then: a rule that many requests need is not lost to one such
slip. A false one mends next to nothing that is labeled, so hardly any break is outweighed."""

MAX_TRIGGER_SHARE = 0.2
"""A trigger that stands in more of the suite than this says too little about a request."""


class Admission(Protocol):
    """Whatever decides whether a patch becomes active."""

    @property
    def full_calls(self) -> int:
        """Answers that all decisions would have needed, had everything been asked."""
        ...

    def conditions(self, patch: Patch) -> str:
        """Digest of what a decision rests on; while it stands, none is taken anew."""
        ...

    def examine(self, patch: Patch) -> GateReport:
        """Decide.

        Raises:
            BackendError: the model's side failed; nothing is decided then.
        """
        ...

    def prepare(self, patches: Iterable[Patch]) -> None:
        """Get ready, all beside each other, for what examining these patches will need."""
        ...


class OpenGate:
    """Lets every patch in unseen: what the gate is compared with."""

    full_calls = 0

    def conditions(self, patch: Patch) -> str:
        """The patch is all that counts."""
        return digest(["open", patch.id])

    def examine(self, patch: Patch) -> GateReport:
        """Always active."""
        reason = Reason(code="unchecked", text="the gate is off: let in unseen")
        return GateReport(
            decision=Status.ACTIVE,
            reasons=(reason,),
            suite_size=0,
            suite_touched=0,
            calls=0,
            full_calls=0,
            false_accept_rate=1.0,
            conditions=self.conditions(patch),
        )

    def prepare(self, patches: Iterable[Patch]) -> None:
        """Nothing to ask."""


class Gate:
    """Decides from tests.

    Args:
        agent: answers the tests; its store is only read.
        suite: the regression suite.
        draws: pairs per test where the backend's answers vary; one is enough where they do not.
        mended_per_broken: labeled draws to be mended for each draw that turns wrong.
        max_trigger_share: of the suite, 0 to 1.
    """

    def __init__(
        self,
        agent: Agent,
        suite: Sequence[GateCase],
        *,
        draws: int = DRAWS,
        mended_per_broken: int = MENDED_PER_BROKEN,
        max_trigger_share: float = MAX_TRIGGER_SHARE,
    ) -> None:
        self._agent = agent
        self._suite = tuple(suite)
        self._suite_digest = digest([case.model_dump(mode="json") for case in self._suite])
        self._draws = draws if agent.backend.varies else 1
        self._mended_per_broken = mended_per_broken
        self._max_trigger_share = max_trigger_share
        self.full_calls = 0
        """Answers that all decisions would have needed, had every test and every case of the
        suite been asked without and with the patch."""

    def conditions(self, patch: Patch) -> str:
        """Digest of what a decision on this patch rests on, without asking the model.

        That is the tests, the suite, the prompts, the model, the gate's own settings, and the
        active patches that the failing request brings up; those that only other tests bring up
        are left out.
        """
        applied = [
            [known.id for known in self._others(patch, case.request).applied]
            for case in patch.tests
            if case.role is Role.FAILING
        ]
        return digest(
            [
                patch.id,
                [case.model_dump(mode="json") for case in patch.tests],
                applied,
                self._suite_digest,
                self._agent.prompts.digest,
                self._agent.system_digest,
                self._agent.backend.name,
                self._agent.top_k,
                self._draws,
                self._mended_per_broken,
                self._max_trigger_share,
            ]
        )

    def _others(self, patch: Patch, request: str) -> Context:
        return self._agent.context(request, applied_only=True, without=patch.id)

    def examine(self, patch: Patch) -> GateReport:
        """Run the tests and decide.

        Asks no model where the trigger or the labels decide, and for no pairs where the failure
        does not come again.

        Raises:
            BackendError: the model's side failed; nothing is decided then.
        """
        [report] = in_lockstep(self._agent.attempts, [self._examination(patch)])
        if isinstance(report, BackendError):
            raise report
        self.full_calls += report.full_calls if report.calls else 0
        return report

    def _examination(self, patch: Patch) -> Dialogue[GateReport]:
        trial = PairedTrial(self._agent, patch, self._draws)
        touched = self._touched(patch)
        reasons = self._too_broad(patch, len(touched)) or contradicted(patch, touched)
        if not reasons:
            reasons = yield from self._tried(trial, patch, touched)
        return GateReport(
            decision=Status.QUARANTINED if reasons else Status.ACTIVE,
            reasons=tuple(reasons) or (fixes(trial.results),),
            results=tuple(trial.results),
            suite_size=len(self._suite),
            suite_touched=len(touched),
            calls=trial.calls,
            full_calls=2 * self._draws * (len(patch.tests) + len(self._suite)),
            false_accept_rate=false_accept_rate(trial.results, self._draws),
            conditions=self.conditions(patch),
        )

    def prepare(self, patches: Iterable[Patch]) -> None:
        """Examine these patches beside each other, and keep nothing but the model's answers.

        Those wait in the backend's cache. What the first of the patches changes for the others,
        `examine` asks anew; a failure of the model's side is its business, too.
        """
        in_lockstep(self._agent.attempts, [self._examination(patch) for patch in patches])

    def _touched(self, patch: Patch) -> list[GateCase]:
        return [case for case in self._suite if occurs(patch.trigger, case.request)]

    def _too_broad(self, patch: Patch, touched: int) -> list[Reason]:
        share = touched / len(self._suite) if self._suite else 0.0
        if share <= self._max_trigger_share and words(patch.trigger):
            return []
        text = f"{patch.trigger!r} stands in {share:.0%} of the regression suite"
        return [Reason(code="trigger_too_broad", text=text)]

    def _tried(
        self, trial: PairedTrial, patch: Patch, touched: list[GateCase]
    ) -> Dialogue[list[Reason]]:
        if reason := (yield from trial.not_reproduced()):
            return [reason]
        others = [case for case in patch.tests if case.role is not Role.FAILING]
        yield from trial.run([*trial.failing, *others, *touched])
        return list(objections(trial.results, self._mended_per_broken))
