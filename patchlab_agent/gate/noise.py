"""The noise of a model: how often it is right when no lesson is missing, and what tests need."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from patchlab_agent.gate.request_trial import Limits, RequestTrial
from patchlab_agent.statistics import fixed_size

POWER = 0.97
"""Share of true patches that the fixed-size test, for comparison, would let in."""
MIN_PATIENCE = 6
"""Minimum number of draws before a request is given up.

With fewer, the complaint that the report names could be a single slip.
"""
GIVING_UP = 0.01
"""Chance that a request is given up although the patch does turn it right."""


@dataclass
class Noise:
    """An estimate of a model's noise, which grows with the decisions that it is used in.

    How many draws a test needs depends on the model, and nobody knows it beforehand.

    Attributes:
        right: right answers seen, with those assumed before anything is known.
        draws: answers seen, likewise.
    """

    right: int = 1
    draws: int = 3

    @property
    def share_right(self) -> float:
        """The share of right answers seen from this model when no lesson is missing."""
        return round(self.right / self.draws, 2)

    @property
    def patience(self) -> int:
        """The number of draws after which a request that was never right is given up.

        A model whose share of right answers is the one seen so far would be wrong in all of them
        with a chance of `GIVING_UP`.
        """
        wrong = 1 - self.share_right
        return max(MIN_PATIENCE, math.ceil(math.log(GIVING_UP) / math.log(max(wrong, 1e-6))))

    def limits(self, *, alpha: float, varies: bool) -> Limits:
        """Return how long a request is drawn; most are decided sooner.

        Args:
            alpha: bound on the chance that luck alone decides.
            varies: whether the model's draws differ.
        """
        if not varies:
            return Limits(varies=False, patience=1, max_pairs=1, bound=1 / alpha)
        enough = fixed_size(self.share_right, alpha=alpha, power=1 - GIVING_UP)
        pairs = max(2 * self.patience, enough)
        return Limits(varies=True, patience=self.patience, max_pairs=pairs, bound=1 / alpha)

    def fixed_draws(self, *, alpha: float, varies: bool) -> int:
        """Return the pairs per request of a test whose size is fixed beforehand."""
        return fixed_size(self.share_right, alpha=alpha, power=POWER) if varies else 1

    def learn(self, trials: Iterable[RequestTrial]) -> None:
        """Take in what the requests of a decision show of the model."""
        for trial in trials:
            # Requests that stay wrong tell of a missing rule, not of the model's noise.
            if trial.outcome in ("mended", "kept"):
                self.right += trial.at_best
                self.draws += len(trial.given)
