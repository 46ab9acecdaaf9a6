"""The order in which retrieved patches count."""

from __future__ import annotations

import random

import pytest

from patchlab_agent.models.ranking import nearest_of_each, rank
from patchlab_agent.models.trace import Retrieved
from patchlab_agent.models.trigger import Always, Similar
from tests.support.make import make_hit, make_patch

pytestmark = pytest.mark.quick

WORDS = ("zok", "blim", "tarn", "quil")


def words_of(hits: tuple[Retrieved, ...]) -> list[str]:
    return [hit.patch.trigger_text for hit in hits]


def test_the_nearest_comes_first() -> None:
    hits = [make_hit(make_patch(w), d) for w, d in zip(WORDS, (0.4, 0.1, 0.3, 0.2), strict=True)]
    assert words_of(rank(hits, 4)) == ["blim", "quil", "tarn", "zok"]


def test_a_trigger_that_occurs_comes_before_any_that_is_merely_near() -> None:
    near = make_hit(make_patch("zok"), 0.01, occurs=False)
    far = make_hit(make_patch("blim"), 1.9)
    assert words_of(rank([near, far], 2)) == ["blim", "zok"]
    assert words_of(rank([near, far], 1)) == ["blim"]


def test_equal_distances_are_told_apart_by_id_wherever_they_came_from() -> None:
    hits = [make_hit(make_patch(f"w{n}"), 0.5) for n in range(12)]
    expected = sorted(hit.patch.id for hit in hits)
    for seed in range(5):
        random.Random(seed).shuffle(hits)
        assert [hit.patch.id for hit in rank(hits, 12)] == expected


@pytest.mark.parametrize(("k", "length"), [(0, 0), (1, 1), (3, 3), (9, 4)])
def test_no_more_than_k_get_through(k: int, length: int) -> None:
    assert len(rank((make_hit(make_patch(word)) for word in WORDS), k)) == length


def test_what_always_occurs_takes_no_place_of_others() -> None:
    hits = [make_hit(make_patch(word), 0.5) for word in WORDS]
    standing = make_patch("ever").model_copy(update={"trigger": Always()})
    assert words_of(rank([make_hit(standing, 0.0), *hits], 3))[3:] == ["(always)"]


def test_of_those_without_a_phrase_that_contradict_each_other_the_nearest_stays() -> None:
    def like(request: str, distance: float, **more: bool) -> Retrieved:
        patch = make_patch("zok").model_copy(update={"trigger": Similar(requests=(request,))})
        return make_hit(patch, distance).model_copy(update=more)

    near, far = like("near", 0.1), like("far", 0.2)
    phrase = make_hit(make_patch("zok"), 0.3)
    assert list(nearest_of_each([near, far, phrase])) == [near, phrase]
    held = like("near", 0.1, held_out=True)
    assert list(nearest_of_each([held, far])) == [held, far]
    off = like("near", 0.1, occurs=False)
    assert list(nearest_of_each([off, far])) == [off, far]
