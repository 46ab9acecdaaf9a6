"""Who can tell a right answer from a wrong one without asking the patch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from patchlab_agent.models.base import Quote
from patchlab_agent.models.evidence import EvidenceSource
from patchlab_agent.models.patch import Patch, agrees
from patchlab_agent.models.trace import Feedback, Trace
from patchlab_agent.skill.guard import Member, Promise, Promises, package_of, shown


class Referee(Protocol):
    """A judge of new answers to a request: whoever gave the feedback on the first one.

    In a run that is the simulated carrier. In production it may be another call to the real API, a
    judge function, or a labeled row.

    Example:
        >>> class Carrier:
        ...     def judge(self, request: str, quote: Quote | None) -> Feedback | None:
        ...         is_declared = quote is not None and "hazmat" in quote["declarations"]
        ...         return OK if is_declared else Feedback(label="hazmat_undeclared")
        >>> trace = lab.answer("Ship 2 kg sealant box to EU")
        >>> wrong = Feedback(label="hazmat_undeclared", detail="hazmat")
        >>> lab.learn(trace, wrong, Carrier()).events[0].text
        'by the referee, 1 request turns right and none wrong; on trial'
    """

    def judge(self, request: str, quote: Quote | None) -> Feedback | None:
        """Judge an answer as the first one was judged.

        Args:
            request: one that failed before, or whose answer was taken.
            quote: the new answer; None is one that could not be used.

        Returns:
            OK or a complaint; None where the referee cannot judge this request.
        """
        ...


REFEREE: Promises = {"judge": Promise(gives=(Feedback, type(None)))}
"""What a referee's contract says."""


class AcceptedAnswers(Protocol):
    """Where answers that the feedback took are found again."""

    def accepted(self, trigger: str, n: int) -> Sequence[Trace]:
        """The `n` newest accepted answers to different requests in which the trigger occurs."""
        ...


@dataclass(frozen=True)
class Labeled:
    """A case of the regression suite.

    Attributes:
        request: what a person typed.
        answer: every field of the right answer.
        judge: gives the feedback on an answer to it.
    """

    request: str
    answer: Quote
    judge: Callable[[Quote | None], Feedback]


@dataclass(frozen=True)
class Probe:
    """A request to which a right answer is known, or can be told.

    Attributes:
        source: what it is known from.
        request: what a person typed.
        judge: gives the feedback on an answer to it.
        answer: fields of the right answer, as far as they are known.
    """

    source: EvidenceSource
    request: str
    judge: Callable[[Quote | None], Feedback]
    answer: Quote | None = None


def says(patch: Patch, request: str, quote: Quote) -> bool | None:
    """Whether an answer to a request agrees with the patch; None where it is silent on its subject.

    Raises:
        SkillError: the patch's fix cannot tell, for a mistake of its own.
    """
    kind = type(patch.fix)
    member = Member(f"{kind.__name__}.holds_in", patch.skill, package_of(kind))
    with member.running(shown(request)):
        return patch.fix.holds_in(quote)


DIFFERENT = Feedback(label="changed")
"""The complaint about an answer that is not the one that was taken before."""
UNJUDGED = Feedback(label="unjudged")
"""The complaint about an answer that the referee cannot judge."""


def accepted_probe(request: str, taken: Quote, referee: Referee | None) -> Probe:
    """A request whose answer was taken before: its fields must stay as they were.

    Where the referee can still judge the request, its word counts: what was right once need not
    be so for ever.
    """

    def judge(quote: Quote | None) -> Feedback:
        told = referee.judge(request, quote) if referee is not None else None
        if told is not None:
            return told
        same = quote is not None and all(agrees(taken[name], quote.get(name)) for name in taken)
        return Feedback() if same else DIFFERENT

    return Probe(EvidenceSource.ACCEPTED, request, judge, taken)


def labeled_probe(case: Labeled) -> Probe:
    """A labeled case as the gate asks it."""
    return Probe(EvidenceSource.LABELS, case.request, case.judge, case.answer)


def refereed_probe(request: str, referee: Referee) -> Probe:
    """A request that the referee judges; one that it cannot judge is never right."""

    def judge(quote: Quote | None) -> Feedback:
        return referee.judge(request, quote) or UNJUDGED

    return Probe(EvidenceSource.REFEREE, request, judge)
