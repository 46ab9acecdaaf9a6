"""Proportions and paired differences, with intervals; the distributions are SciPy's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from statistics import fmean

from scipy.special import betaln, stdtrit
from scipy.stats import beta, binom, binomtest, false_discovery_control

from patchlab_agent.models.report import MeanDifference, PairedDifference, Proportion

_CONFIDENCE = 0.95
NO_SPREAD = 1e-9
"""Differences between scores that are no more than rounding."""

PRIOR = (9.0, 1.0)
"""Beta prior on the share of discordant pairs that go one way, if a patch has an effect.

Under common noise an effect hardly ever goes the other way, so the weight lies near one. Five pairs
to none then exceed 20; with a uniform prior it would take seven."""


class Mean:
    """A running mean of numbers, exact however many there are, with their spread.

    Example:
        >>> mean = Mean()
        >>> for score in (0.1, 0.2, 0.6):
        ...     mean.add(score)
        >>> mean.value
        0.3
    """

    def __init__(self) -> None:
        self.count = 0
        # Fractions, as floats would give another last bit for another order of the numbers.
        self._sum = Fraction()
        self._squares = Fraction()
        self._least, self._most = math.inf, -math.inf

    def add(self, number: float) -> None:
        """Add one finite number."""
        exact = Fraction(number)
        self.count += 1
        self._sum += exact
        self._squares += exact * exact
        self._least, self._most = min(self._least, number), max(self._most, number)

    @property
    def value(self) -> float | None:
        """The mean to nine decimals; None if there is nothing to take it of."""
        return _rounded(float(self._sum) / self.count) if self.count else None

    @property
    def limits(self) -> tuple[float, float] | None:
        """Student's t interval of the mean; None without any spread to estimate it from."""
        if self._most - self._least < NO_SPREAD:
            return None
        mean = self._sum / self.count
        variance = float((self._squares - self._sum * mean) / (self.count - 1))
        quantile = float(stdtrit(self.count - 1, (1 + _CONFIDENCE) / 2))
        reach = quantile * math.sqrt(variance / self.count)
        return float(mean) - reach, float(mean) + reach


def proportion(outcomes: Sequence[bool]) -> Proportion:
    """Return the share of successes with its Wilson interval."""
    return share_of(sum(outcomes), len(outcomes))


def share_of(successes: int, n: int) -> Proportion:
    """Return the share of so many successes among `n`, with its Wilson interval."""
    if n == 0:
        return Proportion(successes=0, total=0, rate=None, low=None, high=None)
    low, high = _wilson(successes, n)
    return Proportion(
        successes=successes, total=n, rate=successes / n, low=_rounded(low), high=_rounded(high)
    )


def paired_difference(before: Sequence[bool], after: Sequence[bool]) -> PairedDifference:
    """Return the mean of after - before over pairs, with interval and exact McNemar test.

    The interval is method 10 of Newcombe, Improved confidence intervals for the difference
    between binomial proportions based on paired data, Statistics in Medicine 17 (1998): the
    Wilson limits of both shares, combined by their correlation phi.

    Raises:
        ValueError: the two differ in length.
    """
    pairs = list(zip(before, after, strict=True))
    gained = sum(new and not old for old, new in pairs)
    lost = sum(old and not new for old, new in pairs)
    return difference_of(sum(before), gained=gained, lost=lost, n=len(pairs))


def difference_of(before: int, *, gained: int, lost: int, n: int) -> PairedDifference:
    """Return what `paired_difference` does, from the numbers of pairs.

    Args:
        before: pairs whose first outcome was a success.
        gained: pairs of which only the second one was.
        lost: pairs of which only the first one was.
        n: all pairs.
    """
    if n == 0:
        return PairedDifference(mean=None, low=None, high=None, gained=0, lost=0, p_value=1.0)
    low, high = _newcombe(before, before + gained - lost, gained, lost, n)
    return PairedDifference(
        mean=(gained - lost) / n,
        low=_rounded(low),
        high=_rounded(high),
        gained=gained,
        lost=lost,
        p_value=mcnemar(gained, lost),
    )


def mean(scores: Sequence[float]) -> float | None:
    """Return the mean of scores; None if there are none."""
    return _rounded(fmean(scores)) if scores else None


def mean_difference(before: Sequence[float], after: Sequence[float]) -> MeanDifference:
    """Return the mean of after - before over pairs of scores, with Student's t interval for it.

    Raises:
        ValueError: the two differ in length.
    """
    changes = Mean()
    for old, new in zip(before, after, strict=True):
        changes.add(new - old)
    return mean_difference_of(changes)


def mean_difference_of(changes: Mean) -> MeanDifference:
    """Return what `mean_difference` does, from the mean of all changes."""
    if changes.limits is None:
        return MeanDifference(mean=changes.value, low=None, high=None)
    low, high = changes.limits
    return MeanDifference(
        mean=changes.value, low=_rounded(max(-1.0, low)), high=_rounded(min(1.0, high))
    )


def adjusted(p_values: Sequence[float]) -> list[float]:
    """Adjust the p-values of many tests made at once for their false discovery rate.

    Of the tests whose adjusted value is at most 0.05, at most 5 % are expected to be chance
    (Benjamini and Hochberg, Controlling the false discovery rate, Journal of the Royal
    Statistical Society B 57, 1995).
    """
    return [float(value) for value in false_discovery_control(p_values)] if p_values else []


def _newcombe(before: int, after: int, gained: int, lost: int, n: int) -> tuple[float, float]:
    p1, p2 = after / n, before / n
    low1, high1 = _wilson(after, n)
    low2, high2 = _wilson(before, n)
    both, neither = (before - lost), (n - before - gained)
    spread = math.sqrt(after * (n - after) * before * (n - before))
    agreement: float = both * neither - gained * lost
    if agreement > 0:
        agreement = max(0.0, agreement - n / 2)  # the continuity correction of method 10
    phi = agreement / spread if spread else 0.0
    down1, up1, down2, up2 = p1 - low1, high1 - p1, p2 - low2, high2 - p2
    lower = math.sqrt(max(0.0, down1**2 - 2 * phi * down1 * up2 + up2**2))
    upper = math.sqrt(max(0.0, up1**2 - 2 * phi * up1 * down2 + down2**2))
    return p1 - p2 - lower, p1 - p2 + upper


def _wilson(successes: int, n: int) -> tuple[float, float]:
    limits = binomtest(successes, n).proportion_ci(_CONFIDENCE, method="wilson")
    return float(limits.low), float(limits.high)


def mcnemar(gained: int, lost: int) -> float:
    """Return the two-sided p-value of the exact McNemar test; 1.0 if no pair changed.

    Args:
        gained: number of pairs that were wrong before and right after.
        lost: number of pairs that were right before and wrong after.
    """
    return float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0


@cache
def e_value(wins: int, losses: int, *, null: float = 0.5) -> float:
    """Return the evidence that wins are more frequent than `null`, valid after every outcome.

    The e-value is a likelihood ratio against `null`, mixed over larger shares by `PRIOR`
    (truncated to them, so that every smaller share is tested as well). Whatever the share is, if it
    is not larger than `null` the chance that this ever reaches 1/alpha is at most alpha, however
    often it is looked at (Ville 1939; Ramdas et al., Game-theoretic statistics and safe
    anytime-valid inference, Statistical Science 38, 2023).

    Args:
        wins: number of outcomes one way.
        losses: number of outcomes the other way.
        null: the largest share of wins that counts as no effect, between 0 and 1.

    Returns:
        At least 0, and 1 if nothing was observed; larger is stronger evidence.
    """
    a, b = PRIOR
    mixed = betaln(a + wins, b + losses) - betaln(a, b)
    tail = beta.logsf(null, a + wins, b + losses) - beta.logsf(null, a, b)
    at_null = wins * math.log(null) + losses * math.log1p(-null)
    return float(math.exp(mixed + tail - at_null))


def e_detector(outcomes: Sequence[bool]) -> float:
    """Return the evidence that wins have become the more frequent outcome at some time.

    It is the largest e-value over all suffixes of the outcomes, so that a long past does not hide
    a change. While wins are no more frequent than losses, it takes at least 1/alpha discordant
    outcomes on average until it first reaches 1/alpha (Shin, Ramdas and Rinaldo, E-detectors, New
    England Journal of Statistics in Data Science 2, 2024).

    Args:
        outcomes: True for a win, the latest last.

    Returns:
        At least 1; larger is stronger evidence.
    """
    wins = losses = 0
    largest = 1.0
    for is_win in reversed(outcomes):
        wins, losses = wins + is_win, losses + (not is_win)
        largest = max(largest, e_value(wins, losses))
    return largest


@cache
def fixed_size(gains: float, *, alpha: float, power: float) -> int:
    """Return the number of pairs that a fixed-size exact sign test needs if no pair is lost.

    Args:
        gains: share of pairs that are gained, above 0.
        alpha: chance that a patch without effect passes, one-sided.
        power: chance that a patch with this effect passes.
    """
    needed = math.ceil(math.log(1 / alpha, 2))
    pairs = needed
    while binom.sf(needed - 1, pairs, gains) < power:
        pairs += 1
    return pairs


def _rounded(value: float) -> float:
    # Beyond nine decimals, results may differ between builds of the libraries.
    return round(value, 9)
