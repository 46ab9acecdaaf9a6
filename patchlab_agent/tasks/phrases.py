"""The phrase of a request that a lesson hangs on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from patchlab_agent.models.base import JsonObject
from patchlab_agent.text import phrases, words

LONGEST = 3
"""Words of a phrase that is considered."""


@dataclass(frozen=True)
class _Known:
    phrases: frozenset[str]
    answer: JsonObject


class Phrasebook:
    """What is known of which phrases go with which answers, from labeled requests.

    Args:
        labeled: requests with their right answers; never golden ones.
        most: share of them from which on a phrase says too little of any.
    """

    def __init__(self, labeled: Iterable[tuple[str, JsonObject]], most: float) -> None:
        self._most = most
        self._known = [_Known(frozenset(phrases(r, LONGEST)), answer) for r, answer in labeled]

    def telling(self, request: str, is_so: Callable[[JsonObject], bool], n: int) -> Sequence[str]:
        """Return up to `n` phrases of a request, the one first that tells most of an answer.

        A phrase tells the more, the surer the known requests that hold it have such an answer. Of
        those that none holds, the longest word is the likeliest to be about something.

        Args:
            request: what a person typed.
            is_so: whether an answer is of the kind in question.
            n: maximum number of phrases.
        """
        ranked = sorted(
            (self._worth(phrase, is_so), phrase)
            for phrase in phrases(request, LONGEST)
            if not all(word.isdecimal() for word in phrase.split())
        )
        return [phrase for (worth, *_), phrase in ranked[:n] if worth < 0]

    def has(self, is_so: Callable[[JsonObject], bool]) -> bool:
        """Return whether known answers are so."""
        return any(is_so(known.answer) for known in self._known)

    def _worth(self, phrase: str, is_so: Callable[[JsonObject], bool]) -> tuple[float, int, int]:
        """Return a sort key, least for the best; 0 and above is for none that may be used."""
        said = [is_so(known.answer) for known in self._known if phrase in known.phrases]
        base = self._share(is_so)
        is_everywhere = len(said) > max(1, self._most * len(self._known))
        # Most known answers say otherwise, or it is as likely without the phrase.
        if is_everywhere or (said and sum(said) / len(said) < max(base, 0.5)):
            return (0.0, 0, 0)
        size = len(words(phrase))
        return (-(sum(said) + base) / (len(said) + 1), size, -len(phrase) if size == 1 else 0)

    def _share(self, is_so: Callable[[JsonObject], bool]) -> float:
        """Return how often known answers are so, as if two more had been seen, one of them so."""
        return (sum(is_so(known.answer) for known in self._known) + 1) / (len(self._known) + 2)
