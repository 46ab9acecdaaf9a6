"""Choosing examples that cover what is uncommon in a request."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import combinations

import pytest

from patchlab_agent.store.coverage import COMMON, ENOUGH, CoverageIndex
from patchlab_agent.text import words

pytestmark = pytest.mark.quick

COMMONPLACE = [f"ship {n} kg books box to us number {n}" for n in range(20)]


def index_of(*requests: str) -> CoverageIndex:
    index = CoverageIndex()
    for number, request in enumerate([*COMMONPLACE, *requests]):
        index.add(f"{number:03d}", request)
    return index


def chosen(
    index: CoverageIndex, request: str, covered: Sequence[str] = (), n: int = 3
) -> list[str]:
    texts = {f"{n:03d}": text for n, text in enumerate(COMMONPLACE)}
    return [key if key not in texts else "common" for key in index.covering(request, covered, n)]


def test_each_uncommon_part_gets_an_example_of_its_own() -> None:
    index = index_of("ship 3 stone books box to us", "ship 1 kg tent box to us", "send 2 stone tea")
    assert chosen(index, "ship 4 stone tent box to us") == ["021", "020"]


def test_one_example_of_both_parts_is_enough() -> None:
    index = index_of("ship 3 stone books", "ship 1 kg tent", "2 stone tent")
    assert chosen(index, "ship 4 stone tent box to us") == ["022"]


def test_what_is_common_covered_unknown_or_a_number_needs_none() -> None:
    index = index_of("ship 3 stone books box to us 777")
    assert chosen(index, "ship 3 kg books box to us") == []
    assert chosen(index, "ship 3 stone books", covered=["stone"]) == []
    assert chosen(index, "ship 3 gravel books") == []
    assert chosen(index, "777 kg books") == []
    assert chosen(index, "ship 3 stone books", n=0) == []


def test_the_rarest_comes_first_and_ties_go_to_the_likest_then_the_smallest_key() -> None:
    index = index_of("a tent", "the tent to us", "b tent", "one kite")
    assert chosen(index, "ship tent and kite", n=1) == ["023"]
    assert chosen(index, "the tent to us", n=2)[0] == "021"
    twins = index_of("x tent", "y tent")
    assert chosen(twins, "ship tent") == ["020"]


def test_a_word_lacks_examples_until_it_has_enough_and_again_when_one_is_taken_out() -> None:
    index = CoverageIndex()
    for number in range(ENOUGH):
        assert index.lacks("a tent 12")
        index.add(f"{number}", f"a tent {number}")
    assert not index.lacks("a tent 12")
    assert index.lacks("a tent kite")
    assert not index.lacks("12 777")
    index.discard("7")
    assert index.lacks("tent")
    assert "7" not in index
    assert "8" in index


def test_the_others_with_a_word_are_found_when_one_is_taken_out() -> None:
    index = index_of("x tent", "y tent", "z tent")
    index.discard("020")
    assert chosen(index, "ship tent") == ["021"]
    index.discard("021")
    index.discard("022")
    assert chosen(index, "ship tent") == []


def test_of_few_examples_a_word_of_one_is_uncommon_and_of_two_common() -> None:
    index = CoverageIndex()
    index.add("a", "zok")
    assert index.covering("a zok", (), 3) == ["a"]
    index.add("b", "blim")
    index.add("c", "zok blim quil")
    assert index.covering("zok blim", (), 3) == []
    assert index.covering("zok quil", (), 3) == ["c"]


def test_of_two_that_share_as_many_words_the_one_without_others_is_likest() -> None:
    index = index_of("tent and a lot of other things as well", "tent of silk and gold")
    assert chosen(index, "ship tent of", n=1) == ["021"]


def test_what_was_taken_out_or_put_in_again_is_found_as_it_is_now() -> None:
    index = index_of("tent", "kite")
    index.discard("020")
    index.discard("nothing")
    assert chosen(index, "a tent") == []
    index.add("021", "one tent")
    assert (chosen(index, "a tent"), chosen(index, "a kite")) == (["021"], [])
    assert len(index) == len(COMMONPLACE) + 1


@pytest.mark.parametrize("seed", range(20))
def test_the_choice_covers_all_that_any_choice_could(seed: int) -> None:
    rng = random.Random(seed)
    rare = [f"word{chr(97 + n)}" for n in range(8)]
    requests = [" ".join(rng.sample(rare, 2)) for _ in range(6)]
    index = index_of(*requests)
    asked = " ".join(rare)
    found = index.covering(asked, (), 8)
    held = {word for n in found for word in words(requests[int(n) - len(COMMONPLACE)])}
    uncommon = {
        word for word in rare if 0 < sum(word in words(r) for r in requests) <= COMMON * len(index)
    }
    assert uncommon <= held
    # Greedy covers at least 1 - 1/e of what the best choice of as many would.
    best = max(
        len(uncommon & {w for r in pair for w in words(r)}) for pair in combinations(requests, 2)
    )
    two = {w for n in index.covering(asked, (), 2) for w in words(requests[int(n) - 20])}
    assert len(uncommon & two) >= 0.63 * best


def test_the_order_of_adding_changes_nothing() -> None:
    requests = [f"w{n % 7} v{n % 5} common" for n in range(60)]
    forwards, backwards = CoverageIndex(), CoverageIndex()
    for number, request in enumerate(requests):
        forwards.add(f"{number:03d}", request)
    for number, request in reversed(list(enumerate(requests))):
        backwards.add(f"{number:03d}", request)
    asked = "w1 v3 w5 v0"
    assert forwards.covering(asked, (), 4) == backwards.covering(asked, (), 4)
