"""A draw that leaves lessons out of answers, so that it shows without a baseline what they do."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Holdout:
    """A randomised experiment on every lesson, one coin for each lesson of each answer.

    The coins are independent, so each lesson is left out of the same share of its uses, however
    many others apply. Leaving out at most one lesson of an answer would tie the coins together:
    with a lesson left out all others are certain to be there, so a lesson without effect would look
    harmful next to one that is needed.

    Args:
        share: of the uses of each lesson, 0 to below 1.
        seed: of the coins.
    """

    share: float = 0.0
    seed: int = 0

    def leaves_out(self, trace_id: str, patch_id: str) -> bool:
        """Say whether an answer does without a lesson; the same names give the same result."""
        # By name and not by order, so that what else is retrieved or answered changes no draw.
        rng = random.Random(f"holdout:{self.seed}:{trace_id}:{patch_id}")  # noqa: S311
        return rng.random() < self.share


NO_HOLDOUT = Holdout()
