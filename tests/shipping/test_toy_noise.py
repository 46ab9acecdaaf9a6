"""The toy's mistakes: seeded, repeatable, and independent of one another."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patchlab_agent.shipping.toy.noise import Noise, Slip

FIELDS = ("weight", "unit", "item", "parcel", "destination", "declarations", "answer")
ANY_TEXT = st.text(st.characters(), max_size=40)
"""Any code points at all, lone surrogates and NUL among them."""


def slips(noise: Noise, fields: tuple[str, ...] = FIELDS) -> dict[str, Slip | None]:
    return {field: noise.slip(field) for field in fields}


@given(st.integers(), st.floats(0, 1), ANY_TEXT, ANY_TEXT, st.permutations(FIELDS))
@settings(max_examples=200, derandomize=True)
def test_mistakes_do_not_depend_on_the_order_of_the_questions(
    seed: int, rate: float, request: str, draw: str, order: list[str]
) -> None:
    first = slips(Noise(seed, rate, request, draw))
    again = Noise(seed, rate, request, draw)
    for field in order + order:
        assert again.slip(field) == first[field]


@given(st.floats(0, 1), st.floats(0, 1), ANY_TEXT, st.sampled_from(FIELDS))
@settings(max_examples=200, derandomize=True)
def test_who_slips_at_a_low_rate_slips_the_same_way_at_a_higher_one(
    one: float, other: float, request: str, field: str
) -> None:
    low, high = sorted((one, other))
    slip = Noise(7, low, request, "0").slip(field)
    if slip is not None:
        assert Noise(7, high, request, "0").slip(field) == slip


@given(st.integers(), ANY_TEXT, ANY_TEXT, ANY_TEXT)
@settings(max_examples=200, derandomize=True)
def test_without_noise_nothing_slips_and_with_full_noise_everything_does(
    seed: int, request: str, field: str, draw: str
) -> None:
    assert Noise(seed, 0, request, draw).slip(field) is None
    assert Noise(seed, 0, request, draw).slip(field, 0.2) is None
    assert Noise(seed, 1, request, draw).slip(field) is not None


@pytest.mark.parametrize(("rate", "share"), [(0.03, 1.0), (0.1, 1.0), (0.3, 1.0), (0.3, 0.2)])
def test_the_rate_is_what_it_says(rate: float, share: float) -> None:
    count, wanted = 20_000, rate * share
    found = sum(Noise(7, rate, str(i), "0").slip("item", share) is not None for i in range(count))
    sigma = (wanted * (1 - wanted) / count) ** 0.5
    assert abs(found / count - wanted) < 4 * sigma


@pytest.mark.parametrize("what", ["seed", "request", "field", "draw"])
def test_each_part_of_the_key_counts(what: str) -> None:
    def slipped(index: int) -> bool:
        key = {"seed": "7", "request": "Ship books", "field": "item", "draw": "0", what: str(index)}
        noise = Noise(int(key["seed"]), 0.5, key["request"], key["draw"])
        return noise.slip(key["field"]) is not None

    found = [slipped(index) for index in range(200)]
    assert 60 < sum(found) < 140
    assert found == [slipped(index) for index in range(200)]


def test_fields_slip_independently_of_each_other() -> None:
    both = Counter[tuple[bool, bool]]()
    for index in range(4000):
        noise = Noise(7, 0.3, f"request {index}", "0")
        both[noise.slip("item") is not None, noise.slip("parcel") is not None] += 1
    assert both[True, True] / 4000 == pytest.approx(0.09, abs=0.02)
    assert both[True, False] / 4000 == pytest.approx(0.21, abs=0.03)


def test_draws_slip_independently_of_each_other() -> None:
    both = 0
    for index in range(4000):
        one, other = (Noise(7, 0.3, f"request {index}", draw) for draw in ("gate:0", "gate:1"))
        both += one.slip("item") is not None and other.slip("item") is not None
    assert both / 4000 == pytest.approx(0.09, abs=0.02)


def certain(request: str) -> Slip:
    slip = Noise(7, 1, request, "0").slip("item")
    assert slip is not None
    return slip


@given(ANY_TEXT, st.lists(st.integers(), min_size=1))
@settings(max_examples=100, derandomize=True)
def test_a_slip_picks_the_same_option_each_time(request: str, options: list[int]) -> None:
    slip = certain(request)
    assert slip.pick(options) == slip.pick(options)
    assert slip.pick(options) in options
    assert slip.drops == certain(request).drops


def test_slips_pick_evenly_and_drop_half_of_the_time() -> None:
    found = [certain(str(index)) for index in range(6000)]
    picked = Counter(slip.pick("abc") for slip in found)
    assert all(1800 < picked[option] < 2200 for option in "abc")
    assert 2800 < sum(slip.drops for slip in found) < 3200
    dropped = Counter(slip.pick("abc") for slip in found if slip.drops)
    assert all(850 < dropped[option] < 1150 for option in "abc")


def test_how_a_mistake_is_made_does_not_hang_on_how_rare_it_is() -> None:
    rare = [Noise(7, 0.02, str(index), "0").slip("item") for index in range(20_000)]
    found = [slip for slip in rare if slip is not None]
    assert 0.4 < sum(slip.drops for slip in found) / len(found) < 0.6
