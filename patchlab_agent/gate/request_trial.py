"""One request's answers with a patch and without it, and what they show."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from statistics import fmean

from patchlab_agent.gate.evidence import Probe
from patchlab_agent.gate.grading import Pair, Subject, typical_change
from patchlab_agent.models.evidence import Outcome, Tested
from patchlab_agent.models.trace import Attempt, Feedback
from patchlab_agent.statistics import e_value

NOT_AGAIN = 3
"""Excess of pairs right either way over those gained at which a failure counts as noise."""


@dataclass(frozen=True)
class Limits:
    """How long a request is drawn before it is decided.

    Attributes:
        varies: whether draws differ; if not, the only pair decides.
        patience: draws after which a request that was never right is given up.
        max_pairs: pairs after which an undecided request is left open.
        bound: the e-value that decides, 1/alpha.
    """

    varies: bool
    patience: int
    max_pairs: int
    bound: float


@dataclass
class RequestTrial:
    """The answers to one request so far.

    The first draw that is right with the patch, at least in part, only shows that such an answer is
    possible; pairs count from the next draw on, so that none is selected by its own outcome. If
    answers do not vary, the only pair counts.
    """

    probe: Probe
    subject: Subject
    limits: Limits
    given: list[tuple[Attempt, Feedback]] = field(default_factory=list)
    pairs: list[Pair] = field(default_factory=list)
    """Each draw that was asked both ways."""
    outcome: Outcome = "open"

    @property
    def gained(self) -> int:
        """The number of pairs that are better with the patch."""
        return sum(pair.is_gained for pair in self.pairs)

    @property
    def lost(self) -> int:
        """The number of pairs that are worse with the patch."""
        return sum(pair.is_lost for pair in self.pairs)

    @property
    def change(self) -> float:
        """What a request that turned gained, or lost, in score; 1 where it turned as a whole."""
        match self.outcome:
            case "mended":
                return typical_change([pair for pair in self.pairs if pair.is_gained])
            case "broken":
                return typical_change([pair for pair in self.pairs if pair.is_lost])
        return 0.0

    @property
    def is_promising(self) -> bool:
        """True if an answer with the patch was right, at least in part."""
        return any(said.score > 0 for _, said in self.given)

    @property
    def is_partial(self) -> bool:
        """True if an answer was neither right nor wrong throughout."""
        answers = [said for _, said in self.given] + [pair.without for pair in self.pairs]
        return any(said.is_partly_right for said in answers)

    @property
    def right(self) -> int:
        """The number of right answers with the patch."""
        return sum(feedback.ok for _, feedback in self.given)

    @property
    def at_best(self) -> int:
        """The number of answers with the patch that are as right as any of them."""
        scores = [said.score for _, said in self.given if said.score > 0]
        return scores.count(max(scores)) if scores else 0

    @property
    def taken(self) -> Attempt | None:
        """The first right answer with the patch."""
        return next((attempt for attempt, said in self.given if said.ok), None)

    @property
    def improved(self) -> tuple[Attempt, Feedback] | None:
        """The best answer that is better with the patch, but not right yet."""
        gained = [(p.attempt, p.with_it) for p in self.pairs if p.is_gained_in_part]
        return max(gained, key=lambda found: found[1].score, default=None)

    @property
    def complaint(self) -> tuple[Attempt, Feedback] | None:
        """The most frequent complaint about answers with the patch, with the first such answer."""
        wrong = [(attempt, said) for attempt, said in self.given if not said.ok]
        counts = Counter((said.label, said.field) for _, said in wrong)
        if not wrong:
            return None
        [(most, _)] = counts.most_common(1)
        return next(found for found in wrong if (found[1].label, found[1].field) == most)

    @property
    def goes_on(self) -> bool:
        """True if another draw may decide it."""
        is_open = self.outcome == "open" and self.limits.varies
        return is_open and len(self.pairs) < self.limits.max_pairs

    def decide_mended(self) -> None:
        """Decide whether the patch turns the request right, or better, if the pairs can tell."""
        self.outcome = self._mended()

    def decide_kept(self) -> None:
        """Decide whether the patch leaves the request as right as it was, if the pairs can tell."""
        self.outcome = self._kept()

    def result(self) -> Tested:
        """Return what the gate reports of the request."""
        complaint = self.complaint if self.outcome in ("failed", "broken") else None
        return Tested(
            source=self.probe.source,
            request=self.probe.request,
            outcome=self.outcome,
            draws=len(self.given),
            right_with=self.right,
            pairs=len(self.pairs),
            gained=self.gained,
            lost=self.lost,
            complaint=str(complaint[1].label) if complaint else "",
            scores=self._scores() if self.is_partial else None,
        )

    def _scores(self) -> tuple[float, float] | None:
        """Return the mean score of the pairs without the patch and with it."""
        if not self.pairs:
            return None
        without = fmean(pair.without.score for pair in self.pairs)
        return round(without, 6), round(fmean(pair.with_it.score for pair in self.pairs), 6)

    def _mended(self) -> Outcome:
        limits = self.limits
        if not limits.varies:
            [pair] = self.pairs
            if pair.is_gained:
                return "mended"
            return "kept" if pair.with_it.ok or pair.is_calm else "failed"
        if e_value(self.gained, self.lost) >= limits.bound:
            return "mended"
        if sum(pair.is_calm for pair in self.pairs) >= self.gained + NOT_AGAIN:
            return "kept"
        if e_value(self.lost, self.gained) >= limits.bound:
            return "failed"
        idle = sum(pair.is_idle for pair in self.pairs)
        given_up = not self.is_promising and len(self.given) >= limits.patience
        return "failed" if given_up or idle >= self.gained + limits.patience else "open"

    def _kept(self) -> Outcome:
        if self.right or self.gained:
            return "kept"
        if not self.limits.varies:
            return "broken" if self.lost else "kept"
        if e_value(self.lost, 0) >= self.limits.bound:
            return "broken"
        # Wrong so often either way, it fails for some other reason.
        is_given_up = not self.lost and len(self.pairs) >= self.limits.patience
        return "kept" if is_given_up else "open"
