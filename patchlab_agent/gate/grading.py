"""Two judgements of one request compared: which is better, and is the complaint gone?

Where a judge says only right or wrong, better means right instead of wrong. Where it gives a score
for what is partly right, a better score alone is not enough for a lesson: it has to come from what
the lesson is about.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from patchlab_agent.models.patch import Patch
from patchlab_agent.models.trace import Attempt, Feedback

TOLERANCE = 1e-9
"""Differences between scores that are no more than rounding."""


def is_better(one: Feedback, other: Feedback) -> bool:
    """Return whether one judgement scores higher than another."""
    return one.score - other.score > TOLERANCE


@dataclass(frozen=True)
class Subject:
    """What a lesson is about, in the judge's terms: the complaint that it was born of."""

    label: str
    field: str | None

    @classmethod
    def of(cls, born: Patch | Feedback) -> Subject:
        """Return what a patch, or a complaint, is about."""
        complaint = born.provenance if isinstance(born, Patch) else born
        return cls(str(complaint.label), complaint.field)

    def is_complained_of(self, said: Feedback) -> bool:
        """Return whether a judgement complains of it."""
        return self._score(said) < 1

    def complaint_in(self, said: Feedback) -> Feedback:
        """Return what a judgement says of it, or else what it says first."""
        own = (c for c in said.complaints if self.is_complained_of(c))
        return next(own, said)

    def is_eased(self, before: Feedback, after: Feedback) -> bool:
        """Return whether it is nearer to right after than before.

        Where nobody says what is wrong, the score of the whole answer is all there is.
        """
        names_faults = before.wrong or after.wrong
        return not names_faults or self._score(after) - self._score(before) > TOLERANCE

    def is_worse(self, before: Feedback, after: Feedback) -> bool:
        """Return whether it is further from right after than before, where faults are named."""
        return bool(after.wrong) and self._score(before) - self._score(after) > TOLERANCE

    def gains(self, before: Feedback, after: Feedback) -> bool:
        """Return whether the answer is better, and that for this."""
        return is_better(after, before) and self.is_eased(before, after)

    def loses(self, before: Feedback, after: Feedback) -> bool:
        """Return whether the answer is worse, in whatever, or this is further from right."""
        return is_better(before, after) or self.is_worse(before, after)

    def _score(self, said: Feedback) -> float:
        return said.score_in(self.label, self.field)


@dataclass(frozen=True)
class Pair:
    """Two answers on the same draw, without a patch and with it."""

    subject: Subject
    without: Feedback
    with_it: Feedback
    attempt: Attempt
    """The answer with the patch."""

    @property
    def is_gained(self) -> bool:
        """True if the answer is better with the patch, in what the patch is about."""
        return self.subject.gains(self.without, self.with_it)

    @property
    def is_gained_in_part(self) -> bool:
        """True if it is gained, and still not right."""
        return self.is_gained and not self.with_it.ok

    @property
    def is_lost(self) -> bool:
        """True if the answer is worse with the patch, or wrong in what the patch is about.

        One more wrong entry costs a list nothing if none of its entries was right before, but it
        tells against a lesson that put it there.
        """
        return self.subject.loses(self.without, self.with_it)

    @property
    def is_calm(self) -> bool:
        """True if there is nothing to mend, with the patch or without it."""
        both = (self.without, self.with_it)
        if all(said.ok for said in both):
            return True
        # A judge that names one fault may hide others behind it.
        names_all = all(said.ok or said.wrong for said in both)
        return names_all and not any(map(self.subject.is_complained_of, both))

    @property
    def is_idle(self) -> bool:
        """True if an answer stays as far from right as it was."""
        is_same = not (self.is_gained or self.is_lost or self.is_calm)
        return is_same and self.with_it.is_partly_right

    @property
    def change(self) -> float:
        """The difference that the patch makes to the score."""
        return self.with_it.score - self.without.score


def typical_change(pairs: Sequence[Pair]) -> float:
    """Return the median change of some pairs; 0 if there are none."""
    return median(pair.change for pair in pairs) if pairs else 0.0
