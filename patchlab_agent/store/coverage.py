"""Which examples together cover what is uncommon in a request: exact at any number of them."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection

from patchlab_agent.text import words

COMMON = 0.1
"""A word that stands in more of the examples than this, and in several, needs no example."""


class CoverageIndex:
    """Examples by the words of their requests.

    What a request needs is an example for each unusual part of it, not several of its own shape
    (Gupta, Gardner and Singh, Coverage-based Example Selection for In-Context Learning, Findings of
    EMNLP 2023). A word weighs the more, the fewer examples hold it; numbers weigh nothing.
    """

    def __init__(self) -> None:
        self._words: dict[str, frozenset[str]] = {}
        self._keys: defaultdict[str, set[str]] = defaultdict(set)

    def __len__(self) -> int:
        return len(self._words)

    def add(self, key: str, request: str) -> None:
        """Put an example in, or in again with another request."""
        self.discard(key)
        self._words[key] = held = frozenset(words(request))
        for word in held:
            self._keys[word].add(key)

    def discard(self, key: str) -> None:
        """Take an example out, if it is there."""
        for word in self._words.pop(key, ()):
            self._keys[word].discard(key)
            if not self._keys[word]:
                del self._keys[word]

    def covering(self, request: str, covered: Collection[str], n: int) -> list[str]:
        """Choose examples whose words together weigh most, each for what it adds to those before.

        Args:
            request: what a person typed.
            covered: words that need no example: a rule of the prompt speaks of them.
            n: examples to choose at most.

        Returns:
            Keys, the weightiest example first; none where nothing uncommon is left to cover. Of
            examples that add as much, the one that shares most words with the request, then the
            one with the smallest key.
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
                    -math.fsum(sorted(wanted[word] for word in left & self._words[key])),
                    -_overlap(asked, self._words[key]),
                    key,
                ),
            )
            chosen.append(best)
            left -= self._words[best]
        return chosen

    def _weight(self, word: str) -> float:
        """How uncommon a word is, 0 for a common one, a number, or one that no example holds."""
        held = len(self._keys.get(word, ()))
        if not held or word[0].isdigit() or held > max(1, COMMON * len(self._words)):
            return 0.0
        return math.log((len(self._words) + 1) / held)


def _overlap(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / len(one | other)
