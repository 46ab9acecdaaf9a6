"""Intervals and tests, against published examples and the properties that they must have."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patchlab_agent.models.report import PairedDifference
from patchlab_agent.statistics import paired_difference, proportion

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


def test_pairs_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        paired_difference([True], [True, False])


@given(COUNTS, COUNTS, COUNTS, COUNTS)
@settings(deadline=None, derandomize=True, max_examples=150)
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
@settings(deadline=None, derandomize=True, max_examples=60)
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
