"""Proportions and paired differences, with intervals; the distributions are SciPy's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from statistics import fmean

from scipy.special import betaln
from scipy.stats import beta, binom, binomtest, false_discovery_control, ttest_1samp

from patchlab_agent.models.report import MeanDifference, PairedDifference, Proportion

_CONFIDENCE = 0.95
NO_SPREAD = 1e-9
"""Differences between scores that are no more than rounding."""

PRIOR = (9.0, 1.0)
"""Beta prior on the share of discordant pairs that go one way, if a patch has an effect.

Under common noise an effect hardly ever goes the other way, so the weight lies near one. Five pairs
to none then exceed 20; with a uniform prior it would take seven."""


def proportion(outcomes: Sequence[bool]) -> Proportion:
    """Return the share of successes with its Wilson interval."""
    n, successes = len(outcomes), sum(outcomes)
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
    n = len(pairs)
    gained = sum(new and not old for old, new in pairs)
    lost = sum(old and not new for old, new in pairs)
    if n == 0:
        return PairedDifference(mean=None, low=None, high=None, gained=0, lost=0, p_value=1.0)
    low, high = _newcombe(sum(before), sum(after), gained, lost, n)
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
    changes = [new - old for old, new in zip(before, after, strict=True)]
    if not changes:
        return MeanDifference(mean=None, low=None, high=None)
    mean = _rounded(fmean(changes))
    # Without any spread there is nothing to estimate an interval from.
    if max(changes) - min(changes) < NO_SPREAD:
        return MeanDifference(mean=mean, low=None, high=None)
    limits = ttest_1samp(changes, 0).confidence_interval(_CONFIDENCE)
    low, high = max(-1.0, float(limits.low)), min(1.0, float(limits.high))
    return MeanDifference(mean=mean, low=_rounded(low), high=_rounded(high))


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
