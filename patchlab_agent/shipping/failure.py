"""One failure, with what its request, quote and feedback say that a lesson can be made of."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice

from patchlab_agent.models.patch import close
from patchlab_agent.models.trace import Feedback
from patchlab_agent.shipping.english import FILLERS, SERVICES
from patchlab_agent.shipping.numbers import HOLE, Number, numbers_in, skeleton, stands_alone
from patchlab_agent.shipping.schema import ShippingQuote
from patchlab_agent.text import as_trigger, occurs, words

_BARE = re.compile(rf"\s*{HOLE}(?:\s*kg)?\s*", re.IGNORECASE)
_CLAUSE = re.compile("[;:\n]")
DIGITS = "0"
"""Stands for a number in digits among the words of a request."""


class NoLesson(Exception):
    """Nothing can be learned from this failure; the message says why."""


class Failure:
    """One failure, with the questions that lessons ask of it."""

    def __init__(self, request: str, quote: ShippingQuote, feedback: Feedback) -> None:
        self.request = request
        self.quote = quote
        self.feedback = feedback
        numbers = numbers_in(feedback.detail, printed=True)
        self._skeleton = skeleton(feedback.detail, numbers)
        self._numbers = [each.value if is_certain(each) else None for each in numbers]

    def trigger(self, *candidates: str | None) -> str:
        """Return the first candidate that occurs in the request.

        Raises:
            NoLesson: none does, so no later request could be recognised by it.
        """
        for candidate in candidates:
            trigger = as_trigger(candidate or "")
            if trigger is None or FILLERS.issuperset(words(trigger)):
                continue
            if occurs(trigger, self.request):
                return trigger
        raise NoLesson("no word of the request names what went wrong")

    def number(self, pattern: re.Pattern[str]) -> float | None:
        """Return the number that a pattern finds in the detail, or that the detail consists of.

        Raises:
            NoLesson: a number of the detail can be read in several ways.
        """
        found = self.stated(pattern)
        if found is None and None in self._numbers:
            raise NoLesson("the feedback's detail gives a number that can be read in several ways")
        if found is None and _BARE.fullmatch(self._skeleton):
            return self._numbers[0]
        return found

    def stated(self, pattern: re.Pattern[str]) -> float | None:
        """Return the number that a pattern finds in the detail.

        None if it finds none, or different ones, or if its clause holds further numbers. Of two
        numbers that belong together, as in `2 lb is 0.9 kg`, the number is the second per first.
        """
        values, found = iter(self._numbers), set()
        for clause in _CLAUSE.split(self._skeleton):
            own = list(islice(values, clause.count(HOLE)))
            if match := pattern.search(clause):
                found.add(_ratio(own) if match.group().count(HOLE) == len(own) else None)
        return found.pop() if len(found) == 1 else None

    def weight(self) -> float:
        """Return the weight as the request writes it, to infer its unit from.

        Raises:
            NoLesson: the answer names no weight, or one that the request does not: then the number
                was misread, and says nothing about the unit.
        """
        weight = self.quote.weight
        if not weight:
            raise NoLesson("the answer names no weight to infer the unit from")
        written = [number for number in numbers_in(self.request) if not number.in_name]
        tokens = self.tokens()
        in_digits = [at for at, token in enumerate(tokens) if token == DIGITS]
        is_whole = all(stands_alone(tokens, at, at + 1) for at in in_digits)
        if not is_whole or not all(map(is_certain, written)):
            raise NoLesson("the request's number can be read in several ways")
        if len({number.value for number in written}) > 1:
            raise NoLesson("the request writes several numbers")
        if not all(close(number.value or 0, weight) for number in written):
            raise NoLesson("the answer's number is not the request's, so it was misread")
        return weight

    def tokens(self) -> tuple[str, ...]:
        """Return the words of the request, with `DIGITS` for each number in digits."""
        found = skeleton(self.request, numbers_in(self.request))
        return words(found.replace(HOLE, f" {DIGITS} "))

    def confirm(self, ours: str | None) -> None:
        """Check that the carrier refers to what the quote names.

        Raises:
            NoLesson: it names something else, so the request was misread and no rule is at fault.
        """
        named = self.named()
        if named is not None and not occurs(named, ours or ""):
            raise NoLesson("the carrier refers to something other than the quote")

    def named(self) -> str | None:
        """Return the carrier's name for the thing: the part of the detail before its colon."""
        name, colon, _ = self.feedback.detail.partition(":")
        return name.strip() if colon else None

    def asks(self, declaration: str) -> bool:
        """Return whether the sender's own words ask for a declaration."""
        return any(SERVICES.get(word) == declaration for word in words(self.request))

    def told(self) -> str:
        """Return what the carrier says of the thing: the detail after its colon, or all of it.

        Raises:
            NoLesson: the detail is empty.
        """
        _, colon, after = self.feedback.detail.partition(":")
        told = after if colon else self.feedback.detail
        if not told.strip():
            raise NoLesson("the feedback's detail says nothing to learn")
        return told.strip()


def is_certain(number: Number) -> bool:
    """Return whether a number can be read in one way only."""
    return number.value is not None and number.certain


def _ratio(values: Sequence[float | None]) -> float | None:
    """Return the only value, or the second per first."""
    match values:
        case [float(value)]:
            return value
        case [float(first), float(second)] if first > 0:
            return second / first
    return None
