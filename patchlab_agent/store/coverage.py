"""An index of examples that together cover the uncommon words of a request, exact at any size."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection

from patchlab_agent.text import words

COMMON = 0.1
"""Share of the examples above which a word is common, if in several, and needs no example."""


class CoverageIndex:
    """An index of examples by the words of their requests.

    A request needs an example for each unusual part of it, not several of its own shape (Gupta,
    Gardner and Singh, Coverage-based Example Selection for In-Context Learning, Findings of EMNLP
    2023). The fewer examples contain a word, the more it weighs; numbers weigh nothing.
    """

    def __init__(self) -> None:
        self._words: dict[str, frozenset[str]] = {}
        self._keys: defaultdict[str, set[str]] = defaultdict(set)

    def __len__(self) -> int:
        return len(self._words)

    def add(self, key: str, request: str) -> None:
        """Add an example, or replace its request."""
        self.discard(key)
        self._words[key] = held = frozenset(words(request))
        for word in held:
            self._keys[word].add(key)

    def discard(self, key: str) -> None:
        """Remove an example, if it is there."""
        for word in self._words.pop(key, ()):
            self._keys[word].discard(key)
            if not self._keys[word]:
                del self._keys[word]

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
            candidates: set[str] = set().union(*(self._keys[word] for word in left))
            best = min(
                candidates,
                key=lambda key: (
                    # Sorted and exactly summed, as a set's order differs from process to process.
                    -math.fsum(sorted(wanted[word] for word in left & self._words[key])),
                    -_overlap(asked, self._words[key]),
                    key,
                ),
            )
            chosen.append(best)
            left -= self._words[best]
        return chosen

    def _weight(self, word: str) -> float:
        """Return how uncommon a word is; 0 if it is common, a number, or in no example."""
        held = len(self._keys.get(word, ()))
        if not held or word[0].isdigit() or held > max(1, COMMON * len(self._words)):
            return 0.0
        return math.log((len(self._words) + 1) / held)


def _overlap(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / len(one | other)
