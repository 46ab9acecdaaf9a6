"""Which triggers stand in a request, by look-up: exact at any number of patches."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from rapidfuzz.distance import OSA
from rapidfuzz.process import extract

from patchlab_agent.text import FUZZY_MIN_LETTERS, occurs, phrases, words


class TriggerIndex:
    """Ids by trigger, and triggers by their long words, which may be misspelt in a request."""

    def __init__(self) -> None:
        self._trigger_of: dict[str, str] = {}
        self._ids: defaultdict[str, set[str]] = defaultdict(set)
        # By first letter, which `occurs` wants to be right: word → triggers with that word.
        self._long: defaultdict[str, defaultdict[str, set[str]]] = defaultdict(
            lambda: defaultdict(set)
        )

    def __len__(self) -> int:
        return len(self._trigger_of)

    def __contains__(self, patch_id: object) -> bool:
        return patch_id in self._trigger_of

    def trigger_of(self, patch_id: str) -> str:
        """The trigger under which an id was added."""
        return self._trigger_of[patch_id]

    def ids_of(self, trigger: str) -> frozenset[str]:
        """The ids that were added under a trigger."""
        return frozenset(self._ids.get(trigger, ()))

    def add(self, patch_id: str, trigger: str) -> None:
        """Put an id in, or under another trigger."""
        self.discard(patch_id)
        self._trigger_of[patch_id] = trigger
        self._ids[trigger].add(patch_id)
        for word in _long_words(trigger):
            self._long[word[0]][word].add(trigger)

    def discard(self, patch_id: str) -> None:
        """Take an id out, if it is there."""
        trigger = self._trigger_of.pop(patch_id, None)
        if trigger is None:
            return
        self._ids[trigger].discard(patch_id)
        if not self._ids[trigger]:
            del self._ids[trigger]
            for word in _long_words(trigger):
                self._long[word[0]][word].discard(trigger)

    def occurring(self, request: str) -> dict[str, bool]:
        """Ids of all triggers that stand in a request; the value says whether misspelt.

        A word that is part of a trigger as it stands is no misspelling of another one.
        """
        left = self.unexplained(request)
        found = dict.fromkeys(self._ids_of(self._misspelt(left, request)), True)
        return {**found, **dict.fromkeys(self._ids_of(self._exact(request)), False)}

    def unexplained(self, request: str) -> set[str]:
        """Words of a request that are part of no trigger as it stands there."""
        explained = {word for trigger in self._exact(request) for word in words(trigger)}
        return set(words(request)) - explained

    def _exact(self, request: str) -> list[str]:
        return [phrase for phrase in phrases(request) if self._ids.get(phrase)]

    def _ids_of(self, triggers: Iterable[str]) -> Iterator[str]:
        for trigger in triggers:
            yield from self._ids.get(trigger, ())

    def _misspelt(self, tokens: set[str], request: str) -> Iterator[str]:
        for token in tokens:
            near = self._long.get(token[0])
            if near is None or len(token) < FUZZY_MIN_LETTERS - 1:
                continue
            for word, _, _ in extract(
                token, list(near), scorer=OSA.distance, score_cutoff=1, limit=None
            ):
                yield from (trigger for trigger in near[word] if occurs(trigger, request))


def _long_words(trigger: str) -> list[str]:
    return [word for word in words(trigger) if len(word) >= FUZZY_MIN_LETTERS]
