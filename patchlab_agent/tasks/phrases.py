"""The phrase of a request that a lesson hangs on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from patchlab_agent.models.base import JsonObject
from patchlab_agent.text import phrases, words

LONGEST = 3
"""Words of a phrase that is considered."""


class Phrasebook:
    """What is known of which phrases go with which answers, from labeled requests.

    Args:
        labeled: requests with their right answers; never golden ones.
        most: share of them from which on a phrase says too little of any.
    """

    def __init__(self, labeled: Iterable[tuple[str, JsonObject]], most: float) -> None:
        known = list(labeled)
        self._most = most
        self._answers = [answer for _, answer in known]
        # A long mail has tens of thousands of phrases; they are looked up, not searched for.
        self._places: defaultdict[str, list[int]] = defaultdict(list)
        for place, (request, _) in enumerate(known):
            for phrase in phrases(request, LONGEST):
                self._places[phrase].append(place)

    def telling(self, request: str, is_so: Callable[[JsonObject], bool], n: int) -> Sequence[str]:
        """Return up to `n` phrases of a request, the one first that tells most of an answer.

        A phrase tells the more, the surer the known requests that hold it have such an answer. Of
        those that none holds, the longest word is the likeliest to be about something.

        Args:
            request: what a person typed.
            is_so: whether an answer is of the kind in question.
            n: maximum number of phrases.
        """
        told = [is_so(answer) for answer in self._answers]
        ranked = sorted(
            (self._worth(phrase, told), phrase)
            for phrase in phrases(request, LONGEST)
            if not all(word.isdecimal() for word in phrase.split())
        )
        return [phrase for (worth, *_), phrase in ranked[:n] if worth < 0]

    def has(self, is_so: Callable[[JsonObject], bool]) -> bool:
        """Return whether known answers are so."""
        return any(map(is_so, self._answers))

    def _worth(self, phrase: str, told: Sequence[bool]) -> tuple[float, int, int]:
        """Return a sort key, least for the best; 0 and above is for none that may be used."""
        said = [told[place] for place in self._places.get(phrase, ())]
        # How often known answers are so, as if two more had been seen, one of them so.
        base = (sum(told) + 1) / (len(told) + 2)
        is_everywhere = len(said) > max(1, self._most * len(told))
        # Most known answers say otherwise, or it is as likely without the phrase.
        if is_everywhere or (said and sum(said) / len(said) < max(base, 0.5)):
            return (0.0, 0, 0)
        size = len(words(phrase))
        return (-(sum(said) + base) / (len(said) + 1), size, -len(phrase) if size == 1 else 0)
