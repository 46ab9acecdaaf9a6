"""The interface of whatever decides whether a patch becomes active."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
        trigger: the patch's trigger, as far as it reaches by the labels.
    """

    report: GateReport
    remaining: tuple[Attempt, Feedback] | None = None
    taken: Attempt | None = None
    trigger: Trigger | None = None


@dataclass(frozen=True, order=True)
class Foreknowledge:
    """What right answers at hand say of a candidate before any model is asked.

    The least comes first: how near is near enough was chosen by those same answers, so that they
    say less of similar requests, which come after phrases.

    Attributes:
        is_fitted: whether the labels at hand chose how far the trigger reaches.
        shortfall: by how much the share of right answers that agree with the patch, where it
            applies, may fall short of the share among all labeled answers, -1 to 1; less is better,
            and below 0 the trigger tells something.
    """

    is_fitted: bool = False
    shortfall: float = 1.0


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

    def foreknown(self, candidate: Candidate) -> Foreknowledge:
        """Return what is known of a candidate without asking a model."""
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

    def recall(self, reports: Iterable[GateReport]) -> None:
        """Know what earlier decisions taught, which another process took in the same work."""
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

    def foreknown(self, candidate: Candidate) -> Foreknowledge:  # noqa: ARG002 - the same
        """Return that nothing is known."""
        return Foreknowledge()

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

    def recall(self, reports: Iterable[GateReport]) -> None:
        """Ignore them."""
