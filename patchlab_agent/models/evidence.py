"""What speaks for or against a patch: outcomes, where they come from, and what they add up to."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field

from patchlab_agent.models.base import Frozen, digest


class EvidenceSource(StrEnum):
    """Where the right answer to a request is known from, other than from the patch itself."""

    REFEREE = "referee"
    """Whoever complained judged the new answer to the same request."""
    LABELS = "labels"
    """A labeled case of the regression suite."""
    ACCEPTED = "accepted"
    """An answer that the feedback took before."""
    LIVE = "live"
    """A use of the active patch, compared with an answer without it."""


class Claim(StrEnum):
    """What a test that the patch brings along can show, which is never that the patch is true."""

    OBEDIENCE = "obedience"
    UNCONCERNED = "unconcerned"


Outcome = Literal["mended", "kept", "broken", "open", "failed"]
"""What a patch does to one request, beyond the noise of single answers.

* `mended`: wrong without the patch, right with it
* `kept`: nothing turned wrong
* `broken`: right without the patch, wrong with it
* `open`: the answers that were asked for do not tell
* `failed`: a failing request that is still complained about, or a claim's test that failed
"""


class Tested(Frozen):
    """One request on which a patch was tested.

    Draws of one request are alike, so together they decide about the request alone, and the
    request counts once.
    """

    source: EvidenceSource | Claim
    request: str
    outcome: Outcome
    draws: int = Field(description="answers with the patch; 0 where it changes no prompt")
    right_with: int = Field(description="of those, right ones")
    pairs: int = Field(description="draws that were asked for without the patch, too")
    gained: int = Field(description="pairs wrong without and right with the patch")
    lost: int = Field(description="pairs right without and wrong with the patch")
    complaint: str = Field(default="", description="what is still said of the new answer, in short")


class Reason(Frozen):
    """Why the gate decided as it did: a stable code and a sentence."""

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
        "unchecked",
    ]
    text: str


WANTS_EVIDENCE = frozenset({"no_room", "other_complaint", "undecided", "no_evidence"})
"""Codes of decisions that nothing spoke against; the next failure like it reopens them."""


class Count(Frozen):
    """What one source said of a patch, in requests."""

    source: EvidenceSource | Claim
    requests: int
    mended: int
    broken: int
    failed: int
    answers: int = Field(description="answers asked for, without and with the patch")


class GateReport(Frozen):
    """A gate's decision and all that it rests on."""

    decision: Literal["active", "quarantined"]
    reasons: tuple[Reason, ...]
    results: tuple[Tested, ...] = ()
    suite_size: int = Field(description="cases in the regression suite")
    suite_touched: int = Field(description="suite cases in which the trigger occurs")
    calls: int = Field(description="answers that were needed; those known from before included")
    full_calls: int = Field(
        description="answers that a test of fixed size with the same error rates would have needed"
    )
    alpha: float | None = Field(
        description="bound on the chance that luck alone mends a request; None: nothing was tested"
    )
    conditions: str = Field(
        description="digest of what the decision rests on; while it stands, it is not taken anew; "
        "empty: it never stands, as that of a patch which a rollback retired"
    )

    @property
    def codes(self) -> tuple[str, ...]:
        """The reasons' codes, each once."""
        return tuple(dict.fromkeys(reason.code for reason in self.reasons))

    @property
    def mended(self) -> int:
        """Requests that turn right, on the word of somebody outside the patch."""
        return sum(result.outcome == "mended" for result in self.results)

    @property
    def broken(self) -> int:
        """Requests that turn wrong, on the word of somebody outside the patch."""
        return sum(result.outcome == "broken" for result in self.results)

    @property
    def wants_evidence(self) -> bool:
        """Whether the patch was kept out for want of evidence alone."""
        return self.decision == "quarantined" and WANTS_EVIDENCE.issuperset(self.codes)

    def counts(self) -> tuple[Count, ...]:
        """What each source said, in the order in which they were asked."""
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
    """Let in on little evidence, and watched."""
    PROVEN = "proven"
    """With evidence beyond the gate's error rate."""


MAX_RECORD = 64
"""Discordant requests that a record keeps, the latest: enough to prove and to convict."""


class Use(Frozen):
    """A judged answer for which a draw decided whether it did without a patch."""

    request: str = Field(description="digest of what was asked")
    held_out: bool = Field(description="the draw left the patch out")
    right: bool
    share: float = Field(description="the chance with which it did")


class Pairs(Frozen):
    """What uses tell of a patch that a draw left out of a share of them.

    Of two successive uses that share one chance, the draw could as well have left the patch out of
    the other one. So where it was left out of one of them alone, and one of them alone was right, a
    patch without effect is as likely to have gained as to have lost, whatever the requests were and
    however the world changes. Pairs are formed before anybody looks at what was drawn: two uses
    alike in that are used up, too.
    """

    signs: str = Field(
        default="",
        pattern=r"^[+-]*$",
        description="one sign per pair that tells, the latest last: + right only with the patch, "
        "- right only without it",
    )
    gained: int = Field(default=0, description="pairs right only with the patch, of all times")
    lost: int = Field(default=0, description="pairs right only without it, of all times")
    waiting: Use | None = Field(default=None, description="the first use of the next pair")
    seen: tuple[str, ...] = Field(
        default=(), description="digests of the latest requests: each counts once"
    )

    def with_use(self, use: Use) -> Pairs:
        """The pairs after one more use; a request that has been counted changes nothing."""
        if use.request in self.seen:
            return self
        seen = {"seen": (*self.seen, use.request)[-MAX_RECORD:]}
        first = self.waiting
        if first is None or first.share != use.share:
            return self.model_copy(update={**seen, "waiting": use})
        paired = self.model_copy(update={**seen, "waiting": None})
        if first.held_out == use.held_out or first.right == use.right:
            return paired
        gained = use.right != use.held_out
        return paired.model_copy(
            update={
                "signs": (self.signs + ("+" if gained else "-"))[-MAX_RECORD:],
                "gained": self.gained + gained,
                "lost": self.lost + (not gained),
            }
        )


class Record(Frozen):
    """The requests that tell for or against a patch since it was let in, in order of time."""

    outcomes: str = Field(
        default="",
        pattern=r"^[+-]*$",
        description="one sign per discordant request, the latest last: + mended, - broken",
    )
    seen: tuple[str, ...] = Field(
        default=(), description="digests of those requests: each counts once"
    )
    pairs: Pairs = Field(
        default=Pairs(), description="uses compared with others that the patch was left out of"
    )
    standing: Standing = Standing.TRIAL

    @property
    def mended(self) -> int:
        """Requests that the patch turned right."""
        return self.outcomes.count("+")

    @property
    def broken(self) -> int:
        """Requests that the patch turned wrong."""
        return self.outcomes.count("-")

    @property
    def worth(self) -> float:
        """What one more telling request is expected to gain, -1 to 1; 0 where nothing is known."""
        gained, lost = self.mended + self.pairs.gained, self.broken + self.pairs.lost
        return (gained - lost) / (gained + lost + 2)

    def with_outcome(self, mended: bool, request: str) -> Record:
        """The record with one more discordant request; one that it has counted changes nothing."""
        name = digest(request)
        if name in self.seen:
            return self
        outcomes = (self.outcomes + ("+" if mended else "-"))[-MAX_RECORD:]
        seen = (*self.seen, name)[-MAX_RECORD:]
        return self.model_copy(update={"outcomes": outcomes, "seen": seen})
