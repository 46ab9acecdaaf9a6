"""An index of the triggers that occur in a request, exact at any number of patches."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from rapidfuzz.distance import OSA
from rapidfuzz.process import extract

from patchlab_agent.text import FUZZY_MIN_LETTERS, occurs, phrases, words


class TriggerIndex:
    """An index of ids by trigger, and of triggers by long words, which may be misspelt."""

    def __init__(self) -> None:
        # Tuples, as nearly all hold one entry, and a set takes five times as much memory.
        self._trigger_of: dict[str, str] = {}
        self._ids: dict[str, tuple[str, ...]] = {}
        # By first letter, which `occurs` requires to be right, and by length, which one error
        # changes by one at most, so that only few words have to be compared: word → its triggers.
        self._long: defaultdict[_Shape, dict[str, tuple[str, ...]]] = defaultdict(dict)

    def __len__(self) -> int:
        return len(self._trigger_of)

    def __contains__(self, patch_id: object) -> bool:
        return patch_id in self._trigger_of

    def trigger_of(self, patch_id: str) -> str:
        """Return the trigger under which an id was added."""
        return self._trigger_of[patch_id]

    def ids_of(self, trigger: str) -> frozenset[str]:
        """Return the ids that were added under a trigger."""
        return frozenset(self._ids.get(trigger, ()))

    def add(self, patch_id: str, trigger: str) -> None:
        """Add an id, or move it to another trigger."""
        if patch_id in self._trigger_of:
            self.discard(patch_id)
        self._trigger_of[patch_id] = trigger
        _put(self._ids, trigger, patch_id)
        if len(self._ids[trigger]) == 1:
            for word in _long_words(trigger):
                _put(self._long[_shape(word)], word, trigger)

    def discard(self, patch_id: str) -> None:
        """Remove an id, if it is there."""
        trigger = self._trigger_of.pop(patch_id, None)
        if trigger is None:
            return
        _take(self._ids, trigger, patch_id)
        if trigger not in self._ids:
            for word in _long_words(trigger):
                _take(self._long[_shape(word)], word, trigger)

    def occurring(self, request: str) -> dict[str, bool]:
        """Return the ids of all triggers that occur in a request; the value is True if misspelt.

        A word that is part of a correctly spelt trigger is not a misspelling of another one.
        """
        left = self.unexplained(request)
        found = dict.fromkeys(self._ids_of(self._misspelt(left, request)), True)
        return {**found, **dict.fromkeys(self._ids_of(self._exact(request)), False)}

    def unexplained(self, request: str) -> set[str]:
        """Return the words of a request that are not part of a correctly spelt trigger."""
        explained = {word for trigger in self._exact(request) for word in words(trigger)}
        return set(words(request)) - explained

    def _exact(self, request: str) -> list[str]:
        return [phrase for phrase in phrases(request) if self._ids.get(phrase)]

    def _ids_of(self, triggers: Iterable[str]) -> Iterator[str]:
        for trigger in triggers:
            yield from self._ids.get(trigger, ())

    def _misspelt(self, tokens: set[str], request: str) -> Iterator[str]:
        for token in tokens:
            for letters in range(max(len(token) - 1, FUZZY_MIN_LETTERS), len(token) + 2):
                near = self._long.get((token[0], letters))
                if near is not None:
                    for word, _, _ in extract(
                        token, list(near), scorer=OSA.distance, score_cutoff=1, limit=None
                    ):
                        yield from (each for each in near[word] if occurs(each, request))


_Shape = tuple[str, int]


def _shape(word: str) -> _Shape:
    return word[0], len(word)


def _long_words(trigger: str) -> set[str]:
    # No long word has been in a trigger that is too short for it.
    if len(trigger) < FUZZY_MIN_LETTERS:
        return set()
    return {word for word in words(trigger) if len(word) >= FUZZY_MIN_LETTERS}


def _put(entries: dict[str, tuple[str, ...]], key: str, value: str) -> None:
    entries[key] = (*entries.get(key, ()), value)


def _take(entries: dict[str, tuple[str, ...]], key: str, value: str) -> None:
    left = tuple(each for each in entries[key] if each != value)
    if left:
        entries[key] = left
    else:
        del entries[key]
