"""The seam: whatever decides whether a patch becomes active."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from patchlab_agent.gate.evidence import Labeled, Referee
from patchlab_agent.models.base import digest
from patchlab_agent.models.evidence import GateReport, Reason
from patchlab_agent.models.patch import Patch
from patchlab_agent.models.trace import Attempt, Context, Example, Feedback, Trace


@dataclass(frozen=True)
class Candidate:
    """A patch before the gate.

    Attributes:
        patch: the one to decide on.
        referee: judges answers to its failing requests; None where nobody can.
        companions: lessons that stand in the prompt with it, as if they were active: those of the
            same request that wait for this one.
    """

    patch: Patch
    referee: Referee | None = None
    companions: tuple[Patch, ...] = ()


@dataclass(frozen=True)
class Examination:
    """A decision, and what is left to learn.

    Attributes:
        report: the decision and what it rests on.
        remaining: an answer with the patch and what is still said of it, where that is not what
            the patch is about.
        taken: an answer to the latest failing request that the referee took; None where there is
            none, or nobody was asked.
    """

    report: GateReport
    remaining: tuple[Attempt, Feedback] | None = None
    taken: Attempt | None = None


class AcceptanceCriterion(Protocol):
    """Whatever decides whether a patch becomes active."""

    full_calls: int
    """Answers that all decisions so far would have needed from a test of fixed size."""

    def conditions(self, patch: Patch) -> str:
        """Return the digest of what a decision rests on; while it stands, none is taken anew."""
        ...

    def can_tell(self, patch: Patch) -> bool:
        """Whether right answers at hand may show that a patch without a failing request is true."""
        ...

    def examine(self, candidate: Candidate) -> Examination:
        """Decide.

        Raises:
            Interruption: the model's side or the skill failed; nothing is decided then.
        """
        ...

    def prepare(self, candidates: Sequence[Candidate]) -> None:
        """Ask ahead, concurrently, what examining these candidates will need."""
        ...

    def confirms_harm(
        self, patches: Sequence[Patch], request: str, referee: Referee, /
    ) -> list[Patch]:
        """Return those of the patches that turn the request wrong, each left out by itself.

        Raises:
            Interruption: the model's side or the skill failed.
        """
        ...

    def confirms_harmful(
        self, examples: Sequence[Example], trace: Trace, context: Context, referee: Referee, /
    ) -> list[Example]:
        """Return those of the examples that turn the trace's answer wrong, each left out alone.

        Args:
            examples: some of those that its prompt showed.
            trace: a wrong answer.
            context: what its prompt was made of.
            referee: judges.

        Raises:
            Interruption: the model's side or the skill failed.
        """
        ...

    def use_suite(self, suite: Sequence[Labeled]) -> None:
        """Take other labeled cases from now on."""
        ...


class OpenGate:
    """Activates every patch untested: the control that the gate is compared with."""

    def __init__(self) -> None:
        self.full_calls = 0

    def conditions(self, patch: Patch) -> str:
        """Return a digest of the patch, which is all that counts."""
        return digest(["open", patch.id])

    def can_tell(self, patch: Patch) -> bool:  # noqa: ARG002 - it knows no answers
        """Return False: it activates what failures teach, and looks for nothing more."""
        return False

    def examine(self, candidate: Candidate) -> Examination:
        """Activate."""
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
        """Heed no labels."""
