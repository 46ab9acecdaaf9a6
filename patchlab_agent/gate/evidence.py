"""Sources of evidence: what can tell a right answer from a wrong one without the patch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from patchlab_agent.models.base import Output
from patchlab_agent.models.evidence import EvidenceSource
from patchlab_agent.models.patch import Patch, agrees
from patchlab_agent.models.trace import Feedback, Trace
from patchlab_agent.models.trigger import Trigger
from patchlab_agent.skill.guard import Member, Promise, Promises, package_of, shown


class Referee(Protocol):
    """The source of the feedback, asked about a new answer to the same request.

    In a run that is the simulated judge. In production it may be another call to the real API, a
    judge function, or a labeled row.

    Example:
        >>> class RealApi:
        ...     def judge(self, request: str, output: Output | None) -> Feedback | None:
        ...         is_declared = output is not None and "hazmat" in output["declarations"]
        ...         return OK if is_declared else Feedback(label="hazmat_undeclared")
        >>> trace = lab.answer("Ship 2 kg sealant box to EU")
        >>> wrong = Feedback(label="hazmat_undeclared", detail="hazmat")
        >>> lab.learn(trace, wrong, RealApi()).events[0].text
        'by the referee, 1 request turns right and none wrong; on trial'
    """

    def judge(self, request: str, output: Output | None) -> Feedback | None:
        """Judge an answer as the first one was judged.

        Args:
            request: a request that failed before, or whose answer was accepted.
            output: the new answer; None stands for one that could not be used.

        Returns:
            OK or a complaint; None if the referee cannot judge this request.
        """
        ...


REFEREE: Promises = {"judge": Promise(gives=(Feedback, type(None)))}
"""What a referee's contract says."""


class AcceptedAnswers(Protocol):
    """A source of answers that the feedback accepted."""

    def accepted(self, trigger: Trigger, n: int) -> Sequence[Trace]:
        """Return the `n` newest accepted answers to different requests that a trigger concerns."""
        ...


@dataclass(frozen=True)
class Labeled:
    """A case of the regression suite.

    Attributes:
        request: what a person typed.
        answer: the right answer, every field of it.
        judge: returns the feedback on an answer to the request.
    """

    request: str
    answer: Output
    judge: Callable[[Output | None], Feedback]


@dataclass(frozen=True)
class Probe:
    """A request whose right answer is known or can be recognised.

    Attributes:
        source: where that knowledge comes from.
        request: what a person typed.
        judge: returns the feedback on an answer to the request.
        answer: the known fields of the right answer; None if there are none.
    """

    source: EvidenceSource
    request: str
    judge: Callable[[Output | None], Feedback]
    answer: Output | None = None


def says(patch: Patch, request: str, output: Output) -> bool | None:
    """Return whether an answer agrees with the patch; None where it is silent on its subject.

    Raises:
        SkillError: the patch's fix cannot tell, for a mistake of its own.
    """
    kind = type(patch.fix)
    member = Member(f"{kind.__name__}.holds_in", patch.skill, package_of(kind))
    with member.running(shown(request)):
        return patch.fix.holds_in(output)


def agreement(patch: Patch, known: Iterable[Probe]) -> list[bool]:
    """Return, for each right answer that bears on the patch's subject, whether it agrees."""
    said = (says(patch, each.request, each.answer) for each in known if each.answer is not None)
    return [each for each in said if each is not None]


DIFFERENT = Feedback(label="changed")
"""The complaint about an answer that differs from the one accepted before."""
UNJUDGED = Feedback(label="unjudged")
"""The complaint about an answer that the referee cannot judge."""


def accepted_probe(request: str, taken: Output, referee: Referee | None) -> Probe:
    """Return a probe for a request whose answer was accepted: its fields must stay as they were.

    If the referee can still judge the request, its verdict counts instead.
    """

    def judge(output: Output | None) -> Feedback:
        # Rules may change: an answer that was right once is no standard for ever.
        told = referee.judge(request, output) if referee is not None else None
        if told is not None:
            return told
        same = output is not None and all(agrees(taken[name], output.get(name)) for name in taken)
        return Feedback() if same else DIFFERENT

    return Probe(EvidenceSource.ACCEPTED, request, judge, taken)


def labeled_probe(case: Labeled) -> Probe:
    """Return the probe for a labeled case."""
    return Probe(EvidenceSource.LABELS, case.request, case.judge, case.answer)


def refereed_probe(request: str, referee: Referee) -> Probe:
    """Return a probe judged by the referee; an answer that it cannot judge is never right."""

    def judge(output: Output | None) -> Feedback:
        # Silence must not count as consent, or a patch could be let in on nobody's word.
        return referee.judge(request, output) or UNJUDGED

    return Probe(EvidenceSource.REFEREE, request, judge)
