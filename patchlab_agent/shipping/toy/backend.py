"""The toy as a backend, which reads the prompt, parses the request, and makes mistakes."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache

from patchlab_agent.models.prompt import Completion, Message, Prompt, Usage
from patchlab_agent.shipping.english import FILLERS
from patchlab_agent.shipping.numbers import stands_alone
from patchlab_agent.shipping.schema import MAX_TEXT, Answer, Declaration
from patchlab_agent.shipping.toy.lexicon import Lexicon, lexicon
from patchlab_agent.shipping.toy.noise import Noise, Slip
from patchlab_agent.shipping.toy.prompt import Shown, read_rules, read_turns
from patchlab_agent.shipping.toy.reader import Understood, understand
from patchlab_agent.text import is_letters, words

BROKEN_ANSWER_SHARE = 0.2
"""Rate of truncated answers, as a share of the noise per field."""

_MARK = re.compile(r"\w+|[^\w\s]")


class ToyBackend:
    """A deterministic noisy parser with the habits of a small model.

    It drops a field, picks a wrong word, misreads a unit, forgets all declarations or invents one,
    or stops in mid-answer. Its `Usage` counts words and punctuation marks instead of tokens.

    Args:
        seed: of its mistakes.
        noise: probability of a mistake per field, 0 to 1.
    """

    def __init__(self, seed: int = 7, noise: float = 0.03) -> None:
        self.seed = seed
        self.noise = noise

    @property
    def name(self) -> str:
        """`toy`, with its parameters."""
        return f"toy(seed={self.seed}, noise={self.noise:g})"

    @property
    def varies(self) -> bool:
        """True with noise; without it every draw is the same."""
        return self.noise > 0

    def complete(self, prompt: Prompt) -> Completion:
        """Answer with the JSON object that the prompt asks for."""
        read = _read(prompt.messages)
        known, understood = read.known, replace(read.understood)
        noise = Noise(self.seed, self.noise, read.request, prompt.draw)
        _disturb(understood, noise, known)
        answer = _answer(understood, known)
        if slip := noise.slip("declarations"):
            wrong = _misdeclared(answer.declarations, slip)
            answer = answer.model_copy(update={"declarations": wrong})
        text = answer.model_dump_json()
        if (slip := noise.slip("answer", BROKEN_ANSWER_SHARE)) is not None:
            text = text[: slip.pick(range(len(text)))]
        usage = Usage(
            prompt_tokens=read.tokens,
            completion_tokens=len(_MARK.findall(text)),
        )
        return Completion(text=text, usage=usage)

    def close(self) -> None:
        """Do nothing; there is nothing to release."""


@dataclass(frozen=True)
class _Read:
    """What a prompt says, before any mistake."""

    request: str
    known: Lexicon
    understood: Understood
    tokens: int


# The gate asks the same prompt many times, and each draw differs by its mistakes alone.
@lru_cache(maxsize=64)
def _read(messages: tuple[Message, ...]) -> _Read:
    """Read a prompt; shared, so callers copy what they change."""
    reading = read_turns(messages[1:])
    known = _stable(messages[0].content).extended(reading.rules)
    numbers = _numbers(reading.examples, known)
    return _Read(
        reading.request,
        known,
        understand(reading.request, known, numbers),
        sum(_count(message.content) for message in messages),
    )


@lru_cache(maxsize=16)
def _stable(system: str) -> Lexicon:
    """Read what the stable part teaches; shared, so callers extend it and never change it."""
    return lexicon(read_rules(system))


@lru_cache(maxsize=1024)
def _count(text: str) -> int:
    return len(_MARK.findall(text))


def _numbers(examples: tuple[Shown, ...], known: Lexicon) -> dict[str, float]:
    """Infer number words from examples: the unexplained word in front of the unit."""
    found = {}
    for example in examples:
        answer, tokens = example.answer, words(example.request)
        if answer.weight is None or answer.unit is None or answer.unit not in tokens:
            continue
        at = tokens.index(answer.unit) - 1
        word = tokens[at] if at >= 0 else ""
        is_free = is_letters(word) and (word,) not in known.names and word not in FILLERS
        if is_free and stands_alone(tokens, at, at + 1):
            found[word] = answer.weight
    return found


def _disturb(understood: Understood, noise: Noise, known: Lexicon) -> None:
    others = [word for word in words(noise.request) if is_letters(word)]
    if noise.slip("weight"):
        understood.weight = None
    if slip := noise.slip("unit"):
        units = [unit for unit in known.book.units if unit != understood.unit]
        understood.unit = None if slip.drops or not units else slip.pick(units)
    for field in ("item", "parcel", "destination"):
        if slip := noise.slip(field):
            wrong = [word for word in others if word != getattr(understood, field)]
            setattr(understood, field, None if slip.drops or not wrong else slip.pick(wrong))


def _misdeclared(declared: tuple[Declaration, ...], slip: Slip) -> tuple[Declaration, ...]:
    """Return no declarations, or one too many."""
    others = [declaration for declaration in Declaration if declaration not in declared]
    return () if slip.drops or not others else (*declared, slip.pick(others))


def _answer(understood: Understood, known: Lexicon) -> Answer:
    book = known.book
    item, place, parcel = map(
        _clipped, (understood.item, understood.destination, understood.parcel)
    )
    declarations = (*book.declarations(item or ""), *understood.asked)
    return Answer.model_construct(
        weight=understood.weight,
        unit=_clipped(understood.unit),
        kg_per_unit=book.units.get(understood.unit or ""),
        item=item,
        category=book.items.get(item or ""),
        prohibited=item if book.prohibits(item or "") else None,
        parcel=parcel,
        parcel_limit_kg=book.parcels.get(parcel or ""),
        parcel_takes_liquids=parcel in book.liquids,
        destination=place,
        country=book.destinations.get(place or ""),
        embargo=place if place in book.embargoes else None,
        declarations=tuple(dict.fromkeys(declarations)),
    )


def _clipped(text: str | None) -> str | None:
    return text[:MAX_TEXT] if text else None
