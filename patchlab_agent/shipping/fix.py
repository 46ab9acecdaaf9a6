"""What every kind of fix says of itself: its words, its part of a request, whom it concerns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field

from patchlab_agent.plain import is_word, oddity
from patchlab_agent.shipping.rule_book import BookedFix
from patchlab_agent.text import MAX_TRIGGER_CHARS, as_trigger, normalise


def _phrase(text: str) -> str:
    phrase = normalise(text)
    if as_trigger(text) is None or len(phrase) > MAX_TRIGGER_CHARS:
        raise ValueError("must be one to four words of at most 40 characters")
    # The normal form has lost what is not displayed, such as the gap in `l\u200bb`.
    if odd := oddity(phrase) or oddity(" ".join(text.split())):
        raise ValueError(f"must be plain words: {odd}")
    return phrase


def _category(text: str) -> str:
    # The only free text of a rule that does not have to occur in the request.
    if not is_word(text):
        raise ValueError("must be one plain word of at most 16 letters")
    return normalise(text)


Phrase = Annotated[str, AfterValidator(_phrase)]
Category = Annotated[str, AfterValidator(_category)]
Kilograms = Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]
CountryCode = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
RequestPart = Literal["unit", "parcel", "destination", "item", "weight"]


@dataclass(frozen=True)
class Asked:
    """A shipment as the sender means it, as far as rules concern it, and as worded.

    Attributes:
        item: the item.
        parcel: the parcel type.
        country: the country of destination.
        request: the sender's words.
    """

    item: str
    parcel: str
    country: str
    request: str


class SubjectFix(BookedFix):
    """A fix of this skill, which defines all that other modules need to know about its kind.

    A new kind needs a class here and in `ShippingFix`, a line in `rule.j2`, its columns in a
    table, and the sentence that the toy reads (`toy.prompt`).
    """

    part: ClassVar[RequestPart]
    """The part of a request that fixes of the kind are about."""

    def concerns(self, asked: Asked) -> bool:  # noqa: ARG002 - an example concerns nothing
        """Return whether a right answer needs the rule."""
        return False

    @property
    def withdrawal(self) -> SubjectFix | None:
        """The fix that withdraws the rule; None if another rule overrides it instead."""
        return None

    @property
    def about_field(self) -> str:
        """Name of the field with the word or phrase that the fix is about."""
        return next(name for name in self.subject_fields if name not in {"rule", "demand"})

    @property
    def about(self) -> str:
        """The word or phrase that the fix is about."""
        return str(getattr(self, self.about_field))

    @property
    def request_part(self) -> RequestPart:
        """The part of a request that the fix is about."""
        return self.part


class TableFix(SubjectFix):
    """A rule that the carrier may have from the start."""

    table: ClassVar[str]
    """The table in `fixtures/shipping/` that holds such rules."""

    @classmethod
    def of_row(cls, row: Mapping[str, str], prefix: str) -> Iterator[Self]:
        """Yield the rules that a row of the table states.

        Args:
            row: cells by column.
            prefix: of the columns: empty for the carrier's rules, `known_` for the starting ones.
        """
        raise NotImplementedError
