"""The active patches by what they concern: enough to find and rank all that concern a request.

Phrases are looked up, whatever the number of patches. Similar requests are compared one by one: a
vector index may miss one, and there are few of them, as only failures that no phrase tells from
others make such lessons.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from patchlab_agent.embedding import Distances
from patchlab_agent.models.trigger import Always, Similar, Trigger
from patchlab_agent.store.triggers import TriggerIndex
from patchlab_agent.text import occurs, phrases, same_word, words


@dataclass(frozen=True)
class Relation:
    """How a trigger relates to a request.

    Attributes:
        distance: cosine distance of the two; 0 of one that always occurs.
        occurs: the trigger concerns the request.
        misspelt: its phrase is misspelt there.
        is_always: it concerns every request.
    """

    distance: float
    occurs: bool
    misspelt: bool = False
    is_always: bool = False


class ActiveIndex:
    """The ids of active patches by trigger.

    Args:
        distances: distances of the store's embedder.
    """

    def __init__(self, distances: Distances) -> None:
        self._distances = distances
        self._phrases = TriggerIndex()
        self._others: dict[str, Similar | Always] = {}

    def __len__(self) -> int:
        return len(self._phrases) + len(self._others)

    def __contains__(self, patch_id: object) -> bool:
        return patch_id in self._phrases or patch_id in self._others

    def add(self, patch_id: str, trigger: Trigger) -> None:
        """Add an id, or move it to another trigger."""
        if isinstance(trigger, str):
            self._others.pop(patch_id, None)
            self._phrases.add(patch_id, trigger)
        else:
            self._phrases.discard(patch_id)
            self._others[patch_id] = trigger

    def discard(self, patch_id: str) -> None:
        """Remove an id, if it is there."""
        self._phrases.discard(patch_id)
        self._others.pop(patch_id, None)

    def with_phrase(self, phrase: str) -> frozenset[str]:
        """Return the ids that were added under a phrase."""
        return self._phrases.ids_of(phrase)

    def concerning(self, request: str) -> dict[str, Relation]:
        """Return the ids of all triggers that concern a request."""
        found = {
            patch_id: Relation(self._phrase_distance(patch_id, request), True, misspelt)
            for patch_id, misspelt in self._phrases.occurring(request).items()
        }
        return {**found, **{i: r for i, r in self._other_relations(request) if r.occurs}}

    def unlike(self, patch_id: str, request: str) -> Relation:
        """Return how a trigger relates to a request that it does not concern."""
        if patch_id in self._others:
            return self.relation(self._others[patch_id], request)
        return Relation(self._phrase_distance(patch_id, request), False)

    def relation(self, trigger: Trigger, request: str) -> Relation:
        """Return how any trigger relates to a request, whether or not it is an active patch's."""
        if isinstance(trigger, Always):
            return Relation(0.0, True, is_always=True)
        if isinstance(trigger, Similar):
            distance = min(self._distances(request, anchor) for anchor in trigger.requests)
            return Relation(distance, trigger.reaches(distance))
        exact = trigger in phrases(request)
        left = self._phrases.unexplained(request)
        misspelt = occurs(trigger, request) and any(
            same_word(word, token) for word in words(trigger) for token in left
        )
        distance = self._distances(request, trigger)
        return Relation(distance, exact or misspelt, misspelt and not exact)

    def _other_relations(self, request: str) -> Iterator[tuple[str, Relation]]:
        for patch_id, trigger in self._others.items():
            yield patch_id, self.relation(trigger, request)

    def _phrase_distance(self, patch_id: str, request: str) -> float:
        return self._distances(request, self._phrases.trigger_of(patch_id))
