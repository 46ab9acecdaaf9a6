"""An index of examples that together cover the uncommon words of a request, exact at any size."""

from __future__ import annotations

import math
import sys
from array import array
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection

from patchlab_agent.text import words

COMMON = 0.1
"""Share of the examples above which a word is common, if in several, and needs no example."""
ENOUGH = 50
"""How many examples of a word are enough, so that one more is kept only for other words."""


class CoverageIndex:
    """An index of examples by the words of their requests.

    A request needs an example for each unusual part of it, not several of its own shape (Gupta,
    Gardner and Singh, Coverage-based Example Selection for In-Context Learning, Findings of EMNLP
    2023). The fewer examples contain a word, the more it weighs; numbers weigh nothing.
    """

    def __init__(self) -> None:
        # Thousands of examples have the same few words, so each word is kept once, and the
        # examples that hold it are rows: four bytes each, in the order in which they were added.
        # A row whose example is gone stays empty.
        self._rows: dict[str, int] = {}
        self._keys: list[str] = []
        self._words: list[tuple[str, ...]] = []
        self._holding: defaultdict[str, array[int]] = defaultdict(lambda: array("I"))

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, key: object) -> bool:
        return key in self._rows

    def add(self, key: str, request: str) -> None:
        """Add an example, or replace its request."""
        self.discard(key)
        row = self._rows[key] = len(self._keys)
        held = tuple({sys.intern(word) for word in words(request)})
        self._keys.append(key)
        self._words.append(held)
        for word in held:
            self._holding[word].append(row)

    def discard(self, key: str) -> None:
        """Remove an example, if it is there."""
        row = self._rows.pop(key, None)
        if row is None:
            return
        held, self._words[row] = self._words[row], ()
        self._keys[row] = ""
        for word in held:
            holding = self._holding[word]
            del holding[bisect_left(holding, row)]
            if not holding:
                del self._holding[word]

    def lacks(self, request: str) -> bool:
        """Return whether some word of a request, numbers aside, is in fewer than `ENOUGH`."""
        return any(
            len(self._holding.get(word, ())) < ENOUGH
            for word in words(request)
            if not word[0].isdigit()
        )

    def covering(self, request: str, covered: Collection[str], n: int) -> list[str]:
        """Choose examples greedily, each for the weight of the words that it adds to the others.

        Args:
            request: what a person typed.
            covered: words that need no example, as a rule in the prompt covers them.
            n: maximum number of examples to choose.

        Returns:
            Keys, the weightiest example first; none if nothing uncommon is left to cover. Ties go
            to the example that shares most words with the request, then to the smallest key.
        """
        asked = frozenset(words(request))
        wanted = {word: self._weight(word) for word in asked.difference(covered)}
        left = {word for word, weight in wanted.items() if weight > 0}
        chosen: list[str] = []
        while left and len(chosen) < n:
            candidates: set[int] = set().union(*(self._holding[word] for word in left))
            best = min(
                candidates,
                key=lambda row: (
                    # Sorted and exactly summed, as a set's order differs from process to process.
                    -math.fsum(
                        sorted(wanted[word] for word in left.intersection(self._words[row]))
                    ),
                    -_overlap(asked, self._words[row]),
                    self._keys[row],
                ),
            )
            chosen.append(self._keys[best])
            left.difference_update(self._words[best])
        return chosen

    def _weight(self, word: str) -> float:
        """Return how uncommon a word is; 0 if it is common, a number, or in no example."""
        held = len(self._holding.get(word, ()))
        if not held or word[0].isdigit() or held > max(1, COMMON * len(self)):
            return 0.0
        return math.log((len(self) + 1) / held)


def _overlap(one: frozenset[str], other: tuple[str, ...]) -> float:
    both = len(one.intersection(other))
    return both / (len(one) + len(other) - both)
