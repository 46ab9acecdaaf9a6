"""Seeded mistakes, each of which depends only on seed, request, field and draw."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")

_SCALE = 2**32


@dataclass(frozen=True)
class Slip:
    """A mistake in one field, with the random numbers that decide its form."""

    _choices: tuple[int, ...]

    def pick(self, options: Sequence[T]) -> T:
        """Pick an option; the same number of options always gives the same position."""
        return options[self._choices[0] % len(options)]

    @property
    def drops(self) -> bool:
        """True if the field is left out, False if it is misread; each in half of the cases."""
        return self._choices[1] % 2 == 0


@dataclass(frozen=True)
class Noise:
    """The mistakes of one answer.

    Args:
        seed: of the model.
        rate: probability of a mistake per field, 0 to 1.
        request: as in the prompt.
        draw: name of this sample of the answer.
    """

    seed: int
    rate: float
    request: str
    draw: str

    def slip(self, field: str, share: float = 1.0) -> Slip | None:
        """Return the mistake in a field, or None; `share` scales the rate of rarer mistakes."""
        key = "\0".join((str(self.seed), self.request, field, self.draw))
        found = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=12).digest()
        first, *rest = (int.from_bytes(found[i : i + 4], "big") for i in (0, 4, 8))
        return Slip(tuple(rest)) if first < self.rate * share * _SCALE else None
