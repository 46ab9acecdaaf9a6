"""The evidence for or against a patch: outcomes, their sources, and what they add up to."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field

from patchlab_agent.models.base import Frozen, digest


class EvidenceSource(StrEnum):
    """A source, other than the patch itself, that knows the right answer to a request."""

    REFEREE = "referee"
    """The author of the complaint, who judged the new answer to the same request."""
    LABELS = "labels"
    """A labeled case of the regression suite."""
    ACCEPTED = "accepted"
    """An answer that earlier feedback accepted."""
    LIVE = "live"
    """A use of the active patch, compared with an answer without it."""


class Claim(StrEnum):
    """A claim that a patch's own test can show, which is never that the patch is true."""

    OBEDIENCE = "obedience"
    UNCONCERNED = "unconcerned"


Outcome = Literal["mended", "kept", "broken", "open", "failed"]
"""The effect of a patch on one request, beyond the noise of single answers.

* `mended`: wrong without the patch, right with it; or better, in what the patch is about
* `kept`: nothing turned wrong, or worse
* `broken`: right without the patch, wrong with it; or worse
* `open`: the answers do not decide it
* `failed`: a failing request that still draws a complaint, or a claim's test that failed
"""


class Tested(Frozen):
    """One request on which a patch was tested.

    Draws of one request are correlated, so together they decide about that request alone, and it
    counts once.
    """

    source: EvidenceSource | Claim
    request: str
    outcome: Outcome
    draws: int = Field(description="answers with the patch; 0 where it changes no prompt")
    right_with: int = Field(description="of those, the right ones")
    pairs: int = Field(description="draws that were also asked without the patch")
    gained: int = Field(description="pairs wrong without and right with the patch, or better")
    lost: int = Field(description="pairs right without and wrong with the patch, or worse")
    complaint: str = Field(
        default="", description="short complaint that remains about the new answer"
    )
    scores: tuple[float, float] | None = Field(
        default=None,
        description="mean score of the pairs without and with the patch; None if no answer is "
        "right in part",
    )


class Reason(Frozen):
    """A reason for a gate's decision: a stable code and a sentence."""

    code: Literal[
        "mends",
        "agrees",
        "taken_on_trust",
        "not_reproduced",
        "no_room",
        "still_wrong",
        "other_complaint",
        "undecided",
        "no_evidence",
        "outweighed",
        "disobeyed",
        "changes_unconcerned",
        "trigger_too_broad",
        "contradicted",
        "convicted",
        "set_aside",
        "unchecked",
    ]
    text: str


WANTS_EVIDENCE = frozenset({"no_room", "other_complaint", "undecided", "no_evidence"})
"""Codes of decisions that only lacked evidence; the next similar failure reopens them."""


class Count(Frozen):
    """The requests on which one source judged a patch, counted by outcome."""

    source: EvidenceSource | Claim
    requests: int
    mended: int
    broken: int
    failed: int
    answers: int = Field(description="answers requested, without and with the patch")


class GateReport(Frozen):
    """A gate's decision and everything that it rests on."""

    decision: Literal["active", "quarantined"]
    reasons: tuple[Reason, ...]
    results: tuple[Tested, ...] = ()
    suite_size: int = Field(description="cases in the regression suite")
    suite_touched: int = Field(description="suite cases in which the trigger occurs")
    calls: int = Field(description="answers that were needed, including those already known")
    full_calls: int = Field(
        description="answers that a test of fixed size with the same error rates would have needed"
    )
    alpha: float | None = Field(
        description="bound on the probability that chance alone fixes a request; None: no test"
    )
    conditions: str = Field(
        description="digest of what the decision rests on; while unchanged, the decision is not "
        "taken again; empty: it never holds, as for a patch that a rollback retired"
    )
    noise: tuple[int, int] | None = Field(
        default=None,
        description="right answers and draws from which the gate estimates the model's noise after "
        "this decision; None: it does not",
    )

    @property
    def is_graded(self) -> bool:
        """True if answers that were right in part played a role."""
        return any(result.scores for result in self.results)

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes of the reasons, without repetition."""
        return tuple(dict.fromkeys(reason.code for reason in self.reasons))

    @property
    def mended(self) -> int:
        """Number of requests that turn right, judged by a source outside the patch."""
        return sum(result.outcome == "mended" for result in self.results)

    @property
    def broken(self) -> int:
        """Number of requests that turn wrong, judged by a source outside the patch."""
        return sum(result.outcome == "broken" for result in self.results)

    @property
    def wants_evidence(self) -> bool:
        """True if the patch was kept out only for lack of evidence."""
        return self.decision == "quarantined" and WANTS_EVIDENCE.issuperset(self.codes)

    def counts(self) -> tuple[Count, ...]:
        """Count the requests of each source, in the order in which the sources were asked."""
        found: dict[EvidenceSource | Claim, list[Tested]] = {}
        for result in self.results:
            found.setdefault(result.source, []).append(result)
        return tuple(
            Count(
                source=source,
                requests=len(results),
                mended=sum(result.outcome == "mended" for result in results),
                broken=sum(result.outcome == "broken" for result in results),
                failed=sum(result.outcome == "failed" for result in results),
                answers=sum(result.draws + result.pairs for result in results),
            )
            for source, results in found.items()
        )


class Standing(StrEnum):
    """The degree to which an active patch is proven.

    Example:
        >>> lab.patches.get("3696").standing
        <Standing.TRIAL: 'on trial'>
    """

    TRIAL = "on trial"
    """Activated on little evidence, and watched."""
    PROVEN = "proven"
    """Supported by evidence beyond the gate's error rate."""


MAX_RECORD = 64
"""The latest discordant requests that a record keeps: enough to prove and to convict."""


class Use(Frozen):
    """A judged answer for which a random draw decided whether to leave the patch out."""

    request: str = Field(description="digest of what was asked")
    held_out: bool = Field(description="the draw left the patch out")
    score: float = Field(ge=0, le=1, description="of the answer; 1 is right, 0 wrong")
    share: float = Field(description="the probability with which the draw leaves it out")


class Pairs(Frozen):
    """Paired uses of a patch that a random draw held out of a share of them.

    Of two successive uses with the same hold-out probability, the draw could equally have left the
    patch out of the other one. So where exactly one of them was held out and one scored higher, a
    patch without effect is as likely to have gained as to have lost, whatever the requests were and
    however the environment changes. Pairs are formed before the draws are looked at: two uses
    with the same draw are consumed as well.
    """

    signs: str = Field(
        default="",
        pattern=r"^[+-]*$",
        description="one sign per decisive pair, the latest last: + right only with the patch, "
        "- right only without it; or better",
    )
    gained: int = Field(default=0, description="pairs right only with the patch, or better with it")
    lost: int = Field(default=0, description="pairs right only without it, or better without it")
    in_part: bool = Field(
        default=False, description="some answers were better or worse, rather than right or wrong"
    )
    waiting: Use | None = Field(default=None, description="the first use of the next pair")
    seen: tuple[str, ...] = Field(
        default=(), description="digests of the latest requests: each counts once"
    )

    def with_use(self, use: Use) -> Pairs:
        """Return the pairs after one more use; a request already counted changes nothing."""
        if use.request in self.seen:
            return self
        seen = {"seen": (*self.seen, use.request)[-MAX_RECORD:]}
        first = self.waiting
        if first is None or first.share != use.share:
            return self.model_copy(update={**seen, "waiting": use})
        paired = self.model_copy(update={**seen, "waiting": None})
        if first.held_out == use.held_out or first.score == use.score:
            return paired
        gained = (use.score > first.score) != use.held_out
        is_partial = any(0 < each.score < 1 for each in (first, use))
        return paired.model_copy(
            update={
                "signs": (self.signs + ("+" if gained else "-"))[-MAX_RECORD:],
                "gained": self.gained + gained,
                "lost": self.lost + (not gained),
                "in_part": self.in_part or is_partial,
            }
        )


class Record(Frozen):
    """The requests that speak for or against a patch since its activation, in time order."""

    outcomes: str = Field(
        default="",
        pattern=r"^[+-]*$",
        description="one sign per discordant request, the latest last: + fixed or better, "
        "- broken or worse",
    )
    seen: tuple[str, ...] = Field(
        default=(), description="digests of those requests: each counts once"
    )
    pairs: Pairs = Field(
        default=Pairs(), description="uses compared with others that the patch was held out of"
    )
    standing: Standing = Standing.TRIAL
    in_part: bool = Field(
        default=False, description="some requests got better or worse, rather than right or wrong"
    )

    @property
    def mended(self) -> int:
        """Number of requests that the patch turned right."""
        return self.outcomes.count("+")

    @property
    def broken(self) -> int:
        """Number of requests that the patch turned wrong."""
        return self.outcomes.count("-")

    @property
    def worth(self) -> float:
        """Expected gain from one more discordant request, -1 to 1; 0 while nothing is known."""
        gained, lost = self.mended + self.pairs.gained, self.broken + self.pairs.lost
        return (gained - lost) / (gained + lost + 2)

    @property
    def in_words(self) -> tuple[str, str]:
        """What the requests did that speak for the patch, and those against it."""
        return ("got better", "worse") if self.in_part else ("turned right", "wrong")

    def with_outcome(self, mended: bool, request: str, *, in_part: bool = False) -> Record:
        """Return the record with one more discordant request; a repeated one changes nothing.

        Args:
            mended: True if it speaks for the patch.
            request: what was asked.
            in_part: whether an answer was right in part.
        """
        name = digest(request)
        if name in self.seen:
            return self
        outcomes = (self.outcomes + ("+" if mended else "-"))[-MAX_RECORD:]
        seen = (*self.seen, name)[-MAX_RECORD:]
        known = {"outcomes": outcomes, "seen": seen, "in_part": self.in_part or in_part}
        return self.model_copy(update=known)
