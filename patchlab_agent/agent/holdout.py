"""A holdout that leaves lessons out of answers, which measures them without a baseline."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Holdout:
    """A randomised experiment on every lesson, with one coin for each lesson of each answer.

    The coins are independent, so each lesson is left out of the same share of its uses, however
    many others apply. Leaving out at most one lesson per answer would make the coins dependent:
    with one lesson left out, all others are certain to be there, so a lesson without effect would
    look harmful next to one that is needed.

    Args:
        share: share of each lesson's uses to leave it out of, 0 to below 1.
        seed: seed of the coins.
    """

    share: float = 0.0
    seed: int = 0

    def leaves_out(self, trace_id: str, patch_id: str) -> bool:
        """Return True if an answer leaves out a lesson; the same ids give the same result."""
        # By id and not by order, so that what else is retrieved or answered changes no draw.
        rng = random.Random(f"holdout:{self.seed}:{trace_id}:{patch_id}")  # noqa: S311
        return rng.random() < self.share


NO_HOLDOUT = Holdout()
