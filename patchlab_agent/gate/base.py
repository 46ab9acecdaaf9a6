"""The interface of whatever decides whether a patch becomes active."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from patchlab_agent.gate.evidence import Labeled, Referee
from patchlab_agent.models.base import digest
from patchlab_agent.models.evidence import GateReport, Reason
from patchlab_agent.models.patch import Patch
from patchlab_agent.models.trace import Attempt, Context, Example, Feedback, Trace
from patchlab_agent.models.trigger import Trigger


@dataclass(frozen=True)
class Candidate:
    """A patch before the gate.

    Attributes:
        patch: the patch to decide on.
        referee: judges answers to its failing requests; None if nobody can.
        companions: lessons shown in the prompt with it, as if they were active: those of the same
            request that wait for this one.
    """

    patch: Patch
    referee: Referee | None = None
    companions: tuple[Patch, ...] = ()


@dataclass(frozen=True)
class Examination:
    """A decision, and what remains to be learned.

    Attributes:
        report: the decision and the evidence for it.
        remaining: an answer with the patch and what is still wrong with it: another complaint than
            the patch is about, or, if the patch was let in, what it leaves of a better answer.
        taken: an answer to the latest failing request that the referee accepted; None if there is
            none, or if nobody was asked.
        agreement: lower bound of the share of right answers at hand, among those that bear on the
            patch, that agree with it; 0 if none bears on it.
        trigger: the patch's trigger, as far as it reaches by the labels.
    """

    report: GateReport
    remaining: tuple[Attempt, Feedback] | None = None
    taken: Attempt | None = None
    agreement: float = 0.0
    trigger: Trigger | None = None


class AcceptanceCriterion(Protocol):
    """An acceptance criterion: decides whether a patch becomes active."""

    full_calls: int
    """Answers that a fixed-size test would have needed for all decisions so far."""

    def conditions(self, patch: Patch) -> str:
        """Return a digest of what a decision depends on; until it changes, the decision stands."""
        ...

    def can_tell(self, patch: Patch) -> bool:
        """Return True if known right answers could confirm a patch without a failing request."""
        ...

    def examine(self, candidate: Candidate) -> Examination:
        """Decide on a patch.

        Raises:
            Interruption: the model's side or the skill failed; no decision was made.
        """
        ...

    def prepare(self, candidates: Sequence[Candidate]) -> None:
        """Ask the model ahead, concurrently, for what examining these candidates will need."""
        ...

    def confirms_harm(
        self, patches: Sequence[Patch], request: str, referee: Referee, /
    ) -> list[Patch]:
        """Return the patches that turn the request wrong, tested by leaving out each one alone.

        Raises:
            Interruption: the model's side or the skill failed.
        """
        ...

    def confirms_harmful(
        self, examples: Sequence[Example], trace: Trace, context: Context, referee: Referee, /
    ) -> list[Example]:
        """Return the examples that turn the trace's answer wrong, each left out alone.

        Args:
            examples: some of the examples that its prompt showed.
            trace: a wrong answer.
            context: the context of its prompt.
            referee: judges the new answers.

        Raises:
            Interruption: the model's side or the skill failed.
        """
        ...

    def use_suite(self, suite: Sequence[Labeled]) -> None:
        """Use these labeled cases from now on."""
        ...


class OpenGate:
    """A gate that activates every patch untested: the control for the real one."""

    def __init__(self) -> None:
        self.full_calls = 0

    def conditions(self, patch: Patch) -> str:
        """Return a digest of the patch, the only thing that its decision depends on."""
        return digest(["open", patch.id])

    def can_tell(self, patch: Patch) -> bool:  # noqa: ARG002 - it knows no answers
        """Return False: it activates what failures teach, and nothing else."""
        return False

    def examine(self, candidate: Candidate) -> Examination:
        """Activate the patch."""
        reason = Reason(code="unchecked", text="the gate is off: activated untested")
        report = GateReport(
            decision="active",
            reasons=(reason,),
            suite_size=0,
            suite_touched=0,
            calls=0,
            full_calls=0,
            alpha=None,
            conditions=self.conditions(candidate.patch),
        )
        return Examination(report)

    def prepare(self, candidates: Sequence[Candidate]) -> None:
        """Ask nothing."""

    def confirms_harm(self, *_: object) -> list[Patch]:
        """Confirm none."""
        return []

    def confirms_harmful(self, *_: object) -> list[Example]:
        """Confirm none."""
        return []

    def use_suite(self, suite: Sequence[Labeled]) -> None:
        """Ignore the labels."""
