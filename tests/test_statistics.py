"""Intervals and tests, against published examples and the properties that they must have."""

from __future__ import annotations

import math
from functools import lru_cache
from random import Random
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, ttest_rel
from ville.proportions import BernoulliTest

from patchlab_agent import statistics
from patchlab_agent.models.report import PairedDifference
from patchlab_agent.statistics import (
    PRIOR,
    Mean,
    e_detector,
    e_value,
    fixed_size,
    mean_difference,
    paired_difference,
    proportion,
)

pytestmark = pytest.mark.quick

COUNTS = st.integers(0, 25)


def pairs(both: int, lost: int, gained: int, neither: int) -> tuple[list[bool], list[bool]]:
    """Outcomes before and after, with so many pairs of each kind."""
    before = [True] * (both + lost) + [False] * (gained + neither)
    after = [True] * both + [False] * lost + [True] * gained + [False] * neither
    return before, after


def difference(both: int, lost: int, gained: int, neither: int) -> PairedDifference:
    return paired_difference(*pairs(both, lost, gained, neither))


@pytest.mark.parametrize(
    ("successes", "total", "low", "high"),
    [
        # Newcombe, Two-sided confidence intervals for the single proportion,
        # Statistics in Medicine 17 (1998), table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_a_proportions_interval_is_wilsons(
    successes: int, total: int, low: float, high: float
) -> None:
    found = proportion([True] * successes + [False] * (total - successes))
    assert (found.successes, found.total) == (successes, total)
    assert found.rate == pytest.approx(successes / total)
    assert found.low == pytest.approx(low, abs=5e-5)
    assert found.high == pytest.approx(high, abs=5e-5)


def test_of_nothing_there_is_no_rate() -> None:
    found = proportion([])
    assert (found.successes, found.total) == (0, 0)
    assert (found.rate, found.low, found.high) == (None, None, None)


def test_a_paired_interval_is_newcombes() -> None:
    # Newcombe, Improved confidence intervals ... based on paired data, Statistics in Medicine 17
    # (1998): 36, 12, 2, 0 gives 0.0569 to 0.3404 by method 10.
    found = difference(both=36, lost=2, gained=12, neither=0)
    assert found.mean == pytest.approx(0.2)
    assert found.low == pytest.approx(0.0569, abs=5e-5)
    assert found.high == pytest.approx(0.3404, abs=5e-5)


@pytest.mark.parametrize(
    ("gained", "lost", "p_value"),
    [
        # Bentur et al. 2009 and Cavo et al. 2012, as in Fagerland, Lydersen and Laake,
        # BMC Medical Research Methodology 13:91 (2013), exact conditional test.
        (7, 1, 0.0703),
        (16, 6, 0.0525),
        # 2 · 0.5⁵
        (5, 0, 0.0625),
        (0, 5, 0.0625),
        (3, 3, 1.0),
        (0, 0, 1.0),
    ],
)
def test_the_p_value_is_the_exact_mcnemar_tests(gained: int, lost: int, p_value: float) -> None:
    for concordant in (0, 9):
        found = difference(both=concordant, lost=lost, gained=gained, neither=1)
        assert found.p_value == pytest.approx(p_value, abs=5e-5)
        assert (found.gained, found.lost) == (gained, lost)


def test_of_no_pairs_there_is_no_difference() -> None:
    found = paired_difference([], [])
    assert (found.mean, found.low, found.high, found.p_value) == (None, None, None, 1.0)
    assert (found.gained, found.lost) == (0, 0)


def test_the_least_agreement_is_corrected_away() -> None:
    # One pair right both times, one wrong both times: the correction takes all of the correlation.
    found = paired_difference([True, False], [True, False])
    low = proportion([True, False]).low
    assert low is not None
    assert found.low == pytest.approx(-math.hypot(0.5 - low, 0.5 - low))


def test_pairs_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        paired_difference([True], [True, False])


@given(COUNTS, COUNTS, COUNTS, COUNTS)
@settings(derandomize=True, max_examples=150)
def test_an_interval_holds_its_mean_and_turns_with_it(
    both: int, lost: int, gained: int, neither: int
) -> None:
    found = difference(both, lost, gained, neither)
    if both + lost + gained + neither == 0:
        assert found.mean is None
        return
    swapped = difference(both, gained, lost, neither)
    mirrored = difference(neither, gained, lost, both)
    assert found.mean is not None
    assert found.low is not None
    assert found.high is not None
    assert -1 <= found.low <= found.mean <= found.high <= 1
    assert swapped.mean == pytest.approx(-found.mean)
    assert (swapped.low, swapped.high) == pytest.approx((-found.high, -found.low), abs=2e-9)
    # What is a gain of right answers is a loss of wrong ones.
    assert (mirrored.low, mirrored.high) == pytest.approx((-found.high, -found.low), abs=2e-9)
    assert swapped.p_value == pytest.approx(found.p_value)
    assert 0 <= found.p_value <= 1


@given(COUNTS, COUNTS, COUNTS, COUNTS)
@settings(derandomize=True, max_examples=60)
def test_more_pairs_of_the_same_kind_make_a_narrower_interval(
    both: int, lost: int, gained: int, neither: int
) -> None:
    counts = (both, lost, gained, neither)
    if sum(counts) == 0:
        return
    widths = []
    for times in (1, 2, 10):
        found = difference(*(times * count for count in counts))
        assert found.low is not None
        assert found.high is not None
        widths.append(found.high - found.low)
    assert widths[0] > widths[1] > widths[2] > 0


@pytest.mark.parametrize("null", [0.5, 0.3, 0.7])
def test_evidence_is_the_one_of_another_library_but_for_the_shares_that_are_no_effect(
    null: float,
) -> None:
    # Theirs mixes over all shares, ours over those above the null: the posterior's share of them.
    rng = np.random.default_rng(3)
    a, b = PRIOR
    for _ in range(40):
        outcomes = rng.random(30) < rng.random()
        theirs = BernoulliTest(null, prior=PRIOR).fit(outcomes.astype(float)).e_values_
        wins = np.cumsum(outcomes)
        for at, (won, their) in enumerate(zip(wins.tolist(), theirs.tolist(), strict=True), 1):
            lost = at - won
            tail = beta.sf(null, a + won, b + lost) / beta.sf(null, a, b)
            assert e_value(won, lost, null=null) == pytest.approx(their * tail, rel=1e-6)


@pytest.mark.parametrize("share", [0.5, 0.3])
@pytest.mark.parametrize("alpha", [0.05, 0.2])
def test_without_an_effect_evidence_hardly_ever_reaches_the_bound(
    share: float, alpha: float
) -> None:
    # Looked at after every outcome (Ville's inequality).
    rng = np.random.default_rng(11)
    sequences, length = 4000, 60
    table = [[e_value(w, n - w) for w in range(n + 1)] for n in range(length + 1)]
    wins = np.cumsum(rng.random((sequences, length)) < share, axis=1)
    largest = [max(table[n + 1][w] for n, w in enumerate(row)) for row in wins]
    reached = sum(each >= 1 / alpha for each in largest) / sequences
    assert reached <= alpha + 3 * math.sqrt(alpha * (1 - alpha) / sequences)


def test_with_an_effect_evidence_soon_reaches_the_bound() -> None:
    assert e_value(4, 0) < 20 <= e_value(5, 0)
    assert e_value(8, 1) < 20 <= e_value(9, 1)
    rng = np.random.default_rng(11)
    found = [e_value(int(wins), 30 - int(wins)) >= 20 for wins in rng.binomial(30, 0.95, 200)]
    assert sum(found) > 190


@given(st.integers(0, 60), st.integers(0, 60))
@settings(derandomize=True, max_examples=100)
def test_a_win_is_evidence_for_and_a_loss_against(wins: int, losses: int) -> None:
    found = e_value(wins, losses)
    assert 0 <= found < math.inf
    assert e_value(wins + 1, losses) > found > e_value(wins, losses + 1)


def test_of_no_outcomes_there_is_no_evidence_either_way() -> None:
    assert e_value(0, 0) == pytest.approx(1)
    assert e_detector([]) == 1


def test_what_was_true_for_long_does_not_hide_what_has_changed() -> None:
    turned = [False] * 50 + [True] * 5
    assert e_value(5, 50) < 0.01
    assert e_detector(turned) == pytest.approx(e_value(5, 0))
    assert e_detector([*turned, False]) == pytest.approx(e_value(5, 1))
    # Losses alone never speak for wins.
    assert e_detector([False] * 9) == 1


def test_a_false_alarm_takes_as_many_outcomes_as_the_bound_says_in_the_mean(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(statistics, "e_value", lru_cache(e_value))
    rng = np.random.default_rng(5)
    waits = []
    for _ in range(60):
        outcomes: list[bool] = []
        # What goes on for longer only makes the mean larger.
        while len(outcomes) < 60 and e_detector(outcomes) < 20:
            outcomes.append(bool(rng.random() < 0.5))
        waits.append(len(outcomes))
    assert float(np.mean(waits)) > 20


@pytest.mark.parametrize(
    ("gains", "alpha", "power", "pairs"),
    [
        # 0.5 ** 5 < 0.05 < 0.5 ** 4, and all five come.
        (1.0, 0.05, 0.97, 5),
        (1.0, 0.001, 0.97, 10),
        # At least 5 of 6 with 0.95: 0.735 + 0.232 = 0.967; of 7: 0.996.
        (0.95, 0.05, 0.967, 6),
        (0.95, 0.05, 0.97, 7),
    ],
)
def test_a_fixed_size_is_as_large_as_its_error_rates_ask(
    gains: float, alpha: float, power: float, pairs: int
) -> None:
    assert fixed_size(gains, alpha=alpha, power=power) == pairs


def test_the_mean_difference_of_scores_is_that_of_students_t() -> None:
    before, after = [0.0, 0.5, 0.25, 1.0], [0.5, 0.5, 0.75, 1.0]
    found = mean_difference(before, after)
    expected = ttest_rel(after, before).confidence_interval(0.95)
    assert found.mean == 0.25
    assert found.low == pytest.approx(expected.low, abs=1e-8)
    assert found.high == pytest.approx(expected.high, abs=1e-8)


def test_without_spread_there_is_a_mean_and_no_interval() -> None:
    assert mean_difference([], []).mean is None
    for before, after in (([0.2], [0.7]), ([0.1, 0.2], [0.6, 0.7])):
        found = mean_difference(before, after)
        assert (found.mean, found.low, found.high) == (0.5, None, None)
    assert mean_difference([0.0] * 2, [0.0, 1.0]).high == 1.0


@given(st.lists(st.floats(-1, 1), min_size=1), st.randoms(use_true_random=False))
def test_a_running_mean_is_that_of_all_numbers_in_any_order(
    numbers: list[float], rng: Random
) -> None:
    means = [Mean(), Mean()]
    for mean in means:
        for number in numbers:
            mean.add(number)
        rng.shuffle(numbers)
    assert means[0].value == means[1].value == round(fmean(numbers), 9)
    assert means[0].limits == means[1].limits
