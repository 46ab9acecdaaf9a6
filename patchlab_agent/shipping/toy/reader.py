"""The toy's understanding of English, without noise: from a request to an answer.

It looks for names that its prompt defines, then guesses the remaining words by position: what
follows `to` is a destination, what follows a number is a unit. Where it is not clear which weight
is meant, it gives none: a wrong one would become a wrong price.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import regex

from patchlab_agent.models.patch import close
from patchlab_agent.shipping.english import (
    DESTINATION_MARKERS,
    FILLERS,
    FRACTIONS,
    PRICE_WORDS,
    SERVICES,
    SHARES,
    TELLING,
)
from patchlab_agent.shipping.numbers import numbers_in, stands_alone
from patchlab_agent.shipping.schema import Declaration
from patchlab_agent.shipping.toy.lexicon import Kind, Lexicon
from patchlab_agent.text import EMOJI, MAX_TRIGGER_WORDS, WORD, normalise, words

_TOKEN = regex.compile(rf"{WORD}|{EMOJI}|->|<-|→|←|[,;:().?!]")
_MAX_TOKENS = 400
_MAX_WEIGHT = 1e9
_SHORT = 3
"""Length of the words that join a part of a number to it, in many languages."""
_ENGLISH_WORDS = 2
"""So many common words make a request an English one, where `1,500` is 1500."""
_SAME_RATIO = 1e-6


@dataclass
class Understood:
    """The toy's reading of a request; None where it finds nothing."""

    weight: float | None = None
    unit: str | None = None
    item: str | None = None
    parcel: str | None = None
    destination: str | None = None
    asked: tuple[Declaration, ...] = ()


@dataclass(frozen=True)
class _Amount:
    """A number, with the unit after it if a rule defines that."""

    start: int
    end: int
    value: float | None
    unit: str | None

    @property
    def after(self) -> int:
        """Index of the token after number and unit."""
        return self.end + (self.unit is not None)


@dataclass
class _Tokens:
    words: list[str]
    numbers: dict[int, tuple[int, float | None]]
    """Numbers in digits by their first token: the index after their last one, and the value."""
    claimed: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, request: str, lexicon: Lexicon) -> _Tokens:
        """Split a request; a number consists of the same tokens as in a trigger."""
        tokens, at = cls([], {}), 0
        is_english = sum(word in FILLERS for word in words(request)) >= _ENGLISH_WORDS
        for number in numbers_in(request):
            tokens._add(_TOKEN.findall(normalise(request[at : number.start])), lexicon)
            start, at = len(tokens.words), number.end
            tokens._add(words(request[number.start : at]), lexicon)
            if not number.in_name:
                value = number.value if number.certain or is_english else None
                tokens.numbers[start] = len(tokens.words), value
        tokens._add(_TOKEN.findall(normalise(request[at:])), lexicon)
        return tokens

    def _add(self, found: Sequence[str], lexicon: Lexicon) -> None:
        room = max(_MAX_TOKENS - len(self.words), 0)
        self.words += [lexicon.corrected(token) for token in found[:room]]

    def free(self, index: int) -> bool:
        """Return whether a token is a word that nothing has explained yet."""
        if not 0 <= index < len(self.words) or index in self.claimed:
            return False
        word = self.words[index]
        return word[0].isalpha() and word not in FILLERS

    def word(self, index: int) -> str:
        """Return the token at an index; empty outside."""
        return self.words[index] if 0 <= index < len(self.words) else ""

    def claim(self, start: int, size: int) -> str:
        self.claimed.update(range(start, start + size))
        return " ".join(self.words[start : start + size])

    def run_from(self, start: int, longest: int) -> int:
        """Return the number of consecutive free words from here on, up to `longest`."""
        size = 0
        while size < longest and self.free(start + size):
            size += 1
        return size


def understand(request: str, lexicon: Lexicon, numbers: Mapping[str, float]) -> Understood:
    """Read a request.

    Args:
        request: any text.
        lexicon: the names with a known meaning.
        numbers: words that stand for a number, learned from examples.
    """
    tokens = _Tokens.of(request, lexicon)
    result = Understood(asked=_services(tokens))
    _weight(tokens, lexicon, numbers, result)
    _named(tokens, lexicon, result)
    if result.destination is None:
        result.destination = _unknown_destination(tokens)
    _unknown_goods(tokens, result)
    return result


def _services(tokens: _Tokens) -> tuple[Declaration, ...]:
    named = [index for index, word in enumerate(tokens.words) if word in SERVICES]
    tokens.claimed.update(named)
    # "Not insured" asks for nothing.
    asked = [index for index in named if tokens.words[max(index - 1, 0)] not in ("not", "no")]
    return tuple(dict.fromkeys(SERVICES[tokens.words[index]] for index in asked))


def _weight(
    tokens: _Tokens, lexicon: Lexicon, numbers: Mapping[str, float], result: Understood
) -> None:
    units = lexicon.book.units
    amounts = _without_definitions(tokens, lexicon, _amounts(tokens, units, numbers))
    measured = [amount for amount in amounts if amount.unit is not None]
    if measured:
        others = [amount for amount in amounts if amount.unit is None]
        is_clear = (
            SHARES.isdisjoint(tokens.words)
            and all(_is_whole(tokens, lexicon, each) for each in measured)
            and not any(_may_belong(tokens, lexicon, other, measured) for other in others)
        )
        result.unit = measured[0].unit
        result.weight = _total(tokens, measured, units) if is_clear else None
        for amount in measured:
            tokens.claim(amount.start, amount.after - amount.start)
    elif amounts and stands_alone(tokens.words, amounts[0].start, amounts[0].end):
        first = amounts[0]
        result.weight = first.value
        tokens.claim(first.start, first.end - first.start)
        if tokens.free(first.end) and (tokens.words[first.end],) not in lexicon.names:
            result.unit = tokens.claim(first.end, 1)
    elif known := [i for i, word in enumerate(tokens.words) if word in units]:
        result.unit = tokens.claim(known[0], 1)


def _amounts(
    tokens: _Tokens, units: Mapping[str, float], numbers: Mapping[str, float]
) -> Iterator[_Amount]:
    for start, word in enumerate(tokens.words):
        if start in tokens.numbers:
            end, value = tokens.numbers[start]
        elif word in numbers:
            end, value = start + 1, numbers[word]
        else:
            continue
        unit = tokens.word(end)
        weight = value if value is not None and 0 < value <= _MAX_WEIGHT else None
        yield _Amount(start, end, weight, unit if unit in units else None)


def _without_definitions(
    tokens: _Tokens, lexicon: Lexicon, amounts: Iterable[_Amount]
) -> list[_Amount]:
    """Leave out amounts that say what a unit is, as in `1 lb is 0.45 kg` and `one is 0.45 kg`."""
    kept: list[_Amount] = []
    for amount in amounts:
        subject, verb = tokens.word(amount.start - 2), tokens.word(amount.start - 1)
        of_one = bool(kept) and kept[-1].value == 1 and kept[-1].end == amount.start - 2
        is_unit = subject in lexicon.book.units or (subject,) not in lexicon.names
        if verb == "is" and of_one and is_unit:
            kept.pop()
        elif (subject, verb) != ("one", "is"):
            kept.append(amount)
    return kept


def _is_whole(tokens: _Tokens, lexicon: Lexicon, amount: _Amount) -> bool:
    """Return whether an amount is not part of one: `twenty five kg`, `2 kg and a half`."""
    at = amount.after
    while tokens.word(at).isalpha() and len(tokens.word(at)) <= _SHORT:
        if (tokens.word(at),) in lexicon.names:
            break
        at += 1
    is_alone = stands_alone(tokens.words, amount.start, amount.end)
    return is_alone and tokens.word(at) not in FRACTIONS


def _may_belong(
    tokens: _Tokens, lexicon: Lexicon, other: _Amount, measured: Sequence[_Amount]
) -> bool:
    """Return whether a number may be part of a weight, as in `2 kg 5` and `2 bis 3 kg`.

    So it may in `2 lb 3 oz`, if no rule defines `lb`; in `12 books, 2 kg`, a rule defines `books`.
    """
    if any(each.after == other.start for each in measured):
        return True
    word = tokens.word(other.end)
    if other.value is not None and (word,) in lexicon.names:
        return False
    after = other.end + word[:1].isalpha()
    return any(
        _adjoin(tokens, after, each.start) or _adjoin(tokens, each.after, other.start)
        for each in measured
    )


def _adjoin(tokens: _Tokens, end: int, start: int) -> bool:
    """Return whether nothing, or only a comma or `and`, stands between two indexes."""
    return end <= start and {",", "and"}.issuperset(tokens.words[end:start])


def _total(
    tokens: _Tokens, measured: Sequence[_Amount], units: Mapping[str, float]
) -> float | None:
    """Return the weight in the first amount's unit; None if the amounts say different things."""
    if any(amount.value is None for amount in measured):
        return None
    kilograms = [(each.value or 0) * units[each.unit or ""] for each in measured]
    one = units[measured[0].unit or ""]
    if all(_continues(tokens, units, *pair) for pair in pairwise(measured)):
        return float(f"{sum(kilograms) / one:.12g}") if len(measured) > 1 else measured[0].value
    agree = all(close(kilograms[0], each) for each in kilograms)
    return measured[0].value if agree else None


def _continues(
    tokens: _Tokens, units: Mapping[str, float], amount: _Amount, following: _Amount
) -> bool:
    """Return whether two amounts are one in a unit and its parts: `1 kg 500 g`, `2 lb 3 oz`."""
    whole, part = units[amount.unit or ""], units[following.unit or ""]
    ratio = whole / part
    return (
        _adjoin(tokens, amount.after, following.start)
        and round(ratio) > 1
        and abs(ratio - round(ratio)) < _SAME_RATIO
        and (following.value or 0) < ratio
    )


def _named(tokens: _Tokens, lexicon: Lexicon, result: Understood) -> None:
    for start, size, kinds in sorted(
        _matches(tokens, lexicon), key=lambda match: (-match[1], match[0])
    ):
        span = range(start, start + size)
        if tokens.claimed.intersection(span):
            continue
        for kind in ("destination", "item", "parcel"):
            if kind in kinds and getattr(result, kind) is None:
                spelling = lexicon.spellings[tuple(tokens.words[start : start + size])]
                setattr(result, kind, spelling)
                tokens.claim(start, size)
                break


def _is_origin(tokens: _Tokens, start: int) -> bool:
    """Return whether a place is where something comes from, or `us` are who asks."""
    before = tokens.word(start - 1)
    return before == "from" or (tokens.words[start] == "us" and before in TELLING)


def _is_choice(tokens: _Tokens, lexicon: Lexicon, start: int, size: int) -> bool:
    """Return whether a place is one of several to choose from: `to Germany or France`."""
    places = (
        (tokens.word(start - 2),) if tokens.word(start - 1) == "or" else (),
        (tokens.word(start + size + 1),) if tokens.word(start + size) == "or" else (),
    )
    return any("destination" in lexicon.names.get(place, ()) for place in places)


def _matches(tokens: _Tokens, lexicon: Lexicon) -> Iterator[tuple[int, int, set[Kind]]]:
    destinations = []
    for start in range(len(tokens.words)):
        for size in range(1, MAX_TRIGGER_WORDS + 1):
            kinds = lexicon.names.get(tuple(tokens.words[start : start + size]))
            if kinds is None or start + size > len(tokens.words):
                continue
            if "destination" in kinds:
                if not _is_origin(tokens, start) and not _is_choice(tokens, lexicon, start, size):
                    destinations.append((start, size, kinds))
            else:
                yield start, size, kinds
    # Of several places, `to` marks the one that is meant; the others are not destinations.
    marked = [place for place in destinations if _is_marked(tokens, place[0], place[1])]
    yield from marked or destinations


def _is_marked(tokens: _Tokens, start: int, size: int) -> bool:
    at = start - 1
    if at > 0 and tokens.words[at] == ":":
        at -= 1
    after = (tokens.words[start + size : start + size + 1] or [""])[0]
    return (at >= 0 and _marks_destination(tokens, at)) or after in ("<-", "←")


def _unknown_destination(tokens: _Tokens) -> str | None:
    for marker in DESTINATION_MARKERS:
        for index, word in enumerate(tokens.words):
            size = tokens.run_from(index + 1, 3) if word == marker else 0
            if size and _marks_destination(tokens, index):
                return tokens.claim(index + 1, size)
    for index, word in enumerate(tokens.words):
        if word in ("<-", "←"):
            start = index
            while tokens.free(start - 1):
                start -= 1
            if start < index:
                return tokens.claim(start, index - start)
    return None


def _marks_destination(tokens: _Tokens, index: int) -> bool:
    """Return whether a word says that a destination follows; `for` also asks for a price."""
    if tokens.words[index] not in DESTINATION_MARKERS:
        return False
    return tokens.words[index] != "for" or not _asks_for_price(tokens, index)


def _asks_for_price(tokens: _Tokens, index: int) -> bool:
    """Return whether only words of courtesy stand between a word for a price and this one."""
    for word in reversed(tokens.words[:index]):
        if word in PRICE_WORDS:
            return True
        if word not in FILLERS and word[:1].isalnum():
            return False
    return False


def _unknown_goods(tokens: _Tokens, result: Understood) -> None:
    if result.parcel is None:
        result.parcel = _marked_parcel(tokens)
    runs = list(_free_runs(tokens))
    if result.item is None and runs:
        start, size = runs[0]
        # With both unknown, English puts the parcel last: "drone tube".
        takes = size - 1 if result.parcel is None and size > 1 else size
        result.item = tokens.claim(start, min(takes, 3))
    if result.parcel is None and (runs := list(_free_runs(tokens))):
        result.parcel = tokens.claim(*runs[-1])


def _marked_parcel(tokens: _Tokens) -> str | None:
    for index, word in enumerate(tokens.words):
        if word in ("in", "by"):
            start = index + 2 if tokens.words[index + 1 : index + 2] == ["a"] else index + 1
            if tokens.free(start):
                return tokens.claim(start, 1)
        if word in ("of", "with") and tokens.free(index - 1):
            return tokens.claim(index - 1, 1)
    return None


def _free_runs(tokens: _Tokens) -> Iterator[tuple[int, int]]:
    index = 0
    while index < len(tokens.words):
        size = tokens.run_from(index, 3)
        if size:
            yield index, size
        index += size or 1
