"""The nearest records, in one order whatever the index behind them does with ties."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patchlab_agent.embedding import Distances
from patchlab_agent.store import nearest as nearest_module
from patchlab_agent.store.chroma import Records
from patchlab_agent.store.nearest import EDGE, MARGIN, ROUGH, Near, nearest

pytestmark = pytest.mark.quick


class Line:
    """Distances of texts that are places on a line."""

    def __call__(self, one: str, other: str) -> float:
        return abs(float(one) - float(other))

    def vector(self, text: str) -> Any:
        return np.array([float(text)])


class Index:
    """An index of places on a line, by id; of equally near ones it gives the largest ids first.

    Args:
        places: of its records.
        is_sketched: it knows them only by whole tens.

    Attributes:
        asked: how many records it was asked for, each time.
    """

    def __init__(self, places: dict[str, float], *, is_sketched: bool = False) -> None:
        self.places = places
        self.is_sketched = is_sketched
        self.asked: list[int] = []

    def count(self) -> int:
        return len(self.places)

    def kept(self, vector: Any) -> Any:
        return vector

    def query(
        self, *, query_embeddings: Any, n_results: int, include: Any, where: Any = None
    ) -> Any:
        self.asked.append(n_results)
        place = float(query_embeddings[0][0])
        seen = [name for name in self.places if where is None or name.startswith(where)]
        seen.sort(reverse=True)
        seen.sort(key=lambda name: self._seen(abs(place - self.places[name])))
        found = seen[:n_results]
        return {
            "ids": [found],
            "documents": [[str(self.places[name]) for name in found]],
            "metadatas": [[{"name": name} for name in found]],
        }

    def _seen(self, distance: float) -> float:
        return distance // 10 if self.is_sketched else distance


def found(index: Index, n: int, **condition: Any) -> list[str]:
    near = nearest(
        cast("Records", index),
        cast("Distances", Line()),
        "0",
        n,
        lambda document, metadata: document,
        **condition,
    )
    assert all(
        each == Near(abs(index.places[each.id]), each.id, {"name": each.id}) for each in near
    )
    return [each.id for each in near]


@settings(derandomize=True, max_examples=200)
@given(st.lists(st.integers(0, 3), max_size=14), st.integers(1, 4), st.integers(1, 3))
def test_the_nearest_come_first_and_equally_near_ones_by_id(
    places: list[int], n: int, margin: int
) -> None:
    index = Index({f"r-{number:02d}": float(place) for number, place in enumerate(places)})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nearest_module, "MARGIN", margin)
        near = found(index, n)
    assert near == sorted(index.places, key=lambda name: (index.places[name], name))[:n]


def test_no_more_is_asked_for_than_tells_the_nearest_from_the_others() -> None:
    index = Index({f"r-{place:04d}": float(place) for place in range(200)})
    assert found(index, 3) == ["r-0000", "r-0001", "r-0002"]
    assert index.asked == [3 + MARGIN]
    # Of those asked for, only the last one is farther than the nearest.
    tied = Index({f"r-{number:04d}": float(number >= MARGIN) for number in range(200)})
    assert found(tied, 1) == ["r-0000"]
    assert tied.asked == [1 + MARGIN]
    # What differs by less than two builds of an index may differ is a tie.
    close = Index({f"r-{number:04d}": number * EDGE / 1000 for number in range(200)})
    assert found(close, 1) == ["r-0000"]
    assert close.asked[-1] == 200


def test_of_sketches_many_more_are_looked_at_than_are_wanted() -> None:
    # Ten of them look alike, and the nearest one comes last.
    index = Index({f"r-{place:04d}": float(place) for place in range(400)}, is_sketched=True)
    assert found(index, 2) == ["r-0000", "r-0001"]
    assert index.asked == [2 * ROUGH + MARGIN]


def test_a_condition_holds_and_where_few_meet_it_all_of_them_are_found() -> None:
    places = {
        f"{'a' if place % 50 == 0 else 'b'}-{place:04d}": float(place) for place in range(200)
    }
    assert found(Index(places), 3, where="a") == ["a-0000", "a-0050", "a-0100"]
    assert found(Index(places), 9, where="a") == ["a-0000", "a-0050", "a-0100", "a-0150"]


def test_nothing_is_asked_of_what_is_empty() -> None:
    index = Index({})
    assert found(index, 3) == []
    assert index.asked == []
