"""The toy's understanding of English, without noise: from a request to an answer.

It looks for names that its prompt defines, then guesses the remaining words by position: what
follows `to` is a destination, what follows a number is a unit.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from patchlab_agent.shipping.english import DESTINATION_MARKERS, FILLERS, SERVICES
from patchlab_agent.shipping.schema import Declaration
from patchlab_agent.shipping.toy.lexicon import Kind, Lexicon
from patchlab_agent.text import MAX_TRIGGER_WORDS, normalise

_TOKEN = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+(?:['’-][^\W\d_]+)*|->|<-|→|←|[,;:().?!]")
_MAX_TOKENS = 400
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")


@dataclass
class Understood:
    """The toy's reading of a request; None where it finds nothing."""

    weight: float | None = None
    unit: str | None = None
    item: str | None = None
    parcel: str | None = None
    destination: str | None = None
    asked: tuple[Declaration, ...] = ()


@dataclass
class _Tokens:
    words: list[str]
    claimed: set[int] = field(default_factory=set)

    def free(self, index: int) -> bool:
        """Return whether a token is a word that nothing has explained yet."""
        if not 0 <= index < len(self.words) or index in self.claimed:
            return False
        word = self.words[index]
        return word[0].isalpha() and word not in FILLERS

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
    found = _TOKEN.findall(normalise(request))[:_MAX_TOKENS]
    tokens = _Tokens([lexicon.corrected(token) for token in found])
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
    places = [i for i, word in enumerate(tokens.words) if word[0].isdigit() or word in numbers]
    places.sort(key=lambda i: (tokens.words[i + 1 : i + 2] or [""])[0] not in units)
    if not places:
        known = [i for i, word in enumerate(tokens.words) if word in units]
        if known:
            result.unit = tokens.claim(known[0], 1)
        return
    at = places[0]
    result.weight = _number(tokens.claim(at, 1), numbers)
    if tokens.words[at + 1 : at + 2] and (
        tokens.words[at + 1] in units
        or (tokens.free(at + 1) and (tokens.words[at + 1],) not in lexicon.names)
    ):
        result.unit = tokens.claim(at + 1, 1)


def _number(word: str, numbers: Mapping[str, float]) -> float | None:
    if word in numbers:
        return numbers[word]
    plain = word.replace(",", "") if _THOUSANDS.fullmatch(word) else word.replace(",", ".")
    try:
        value = float(plain)
    except ValueError:
        return None
    return value if 0 < value <= 1e9 else None


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


def _matches(tokens: _Tokens, lexicon: Lexicon) -> Iterator[tuple[int, int, set[Kind]]]:
    destinations = []
    for start in range(len(tokens.words)):
        for size in range(1, MAX_TRIGGER_WORDS + 1):
            kinds = lexicon.names.get(tuple(tokens.words[start : start + size]))
            if kinds is None or start + size > len(tokens.words):
                continue
            if "destination" in kinds:
                destinations.append((start, size, kinds))
            else:
                yield start, size, kinds
    # Of several places, `to` marks the one that is meant; the others are not destinations.
    marked = [place for place in destinations if _is_marked(tokens, place[0], place[1])]
    yield from marked or destinations


def _is_marked(tokens: _Tokens, start: int, size: int) -> bool:
    before = tokens.words[start - 1] if start else ""
    if before == ":" and start > 1:
        before = tokens.words[start - 2]
    after = (tokens.words[start + size : start + size + 1] or [""])[0]
    return before in DESTINATION_MARKERS or after in ("<-", "←")


def _unknown_destination(tokens: _Tokens) -> str | None:
    for marker in DESTINATION_MARKERS:
        for index, word in enumerate(tokens.words):
            size = tokens.run_from(index + 1, 3) if word == marker else 0
            if size and not _asks_for_price(tokens, index):
                return tokens.claim(index + 1, size)
    for index, word in enumerate(tokens.words):
        if word in ("<-", "←"):
            start = index
            while tokens.free(start - 1):
                start -= 1
            if start < index:
                return tokens.claim(start, index - start)
    return None


def _asks_for_price(tokens: _Tokens, index: int) -> bool:
    return (
        tokens.words[index] == "for" and index > 0 and tokens.words[index - 1] in ("price", "quote")
    )


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
