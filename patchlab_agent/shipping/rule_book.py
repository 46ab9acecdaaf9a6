"""Rules as a look-up finds them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from patchlab_agent.models.patch import Fix
from patchlab_agent.shipping.schema import Declaration


class BookedFix(Fix):
    """A fix that can enter a rule book."""

    def enter(self, book: RuleBook) -> None:
        """Add the rule to a book; an example adds nothing."""


@dataclass
class RuleBook:
    """Rules indexed for lookup; keys are normalised, later rules override earlier ones."""

    units: dict[str, float] = field(default_factory=dict)
    parcels: dict[str, float] = field(default_factory=dict)
    destinations: dict[str, str] = field(default_factory=dict)
    items: dict[str, str] = field(default_factory=dict)
    demands: dict[str, set[str]] = field(default_factory=dict)
    embargoes: set[str] = field(default_factory=set)
    liquids: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, fixes: Iterable[Fix]) -> RuleBook:
        """Make a book of these rules; examples are not rules and are skipped."""
        book = cls()
        for fix in fixes:
            book.add(fix)
        return book

    def copy(self) -> RuleBook:
        """Return an independent copy of the book."""
        demands = {item: set(found) for item, found in self.demands.items()}
        return RuleBook(
            dict(self.units),
            dict(self.parcels),
            dict(self.destinations),
            dict(self.items),
            demands,
            set(self.embargoes),
            set(self.liquids),
        )

    def add(self, fix: Fix) -> None:
        """Add a rule; what is none is skipped."""
        if isinstance(fix, BookedFix):
            fix.enter(self)

    def declarations(self, item: str) -> tuple[Declaration, ...]:
        """Return the declarations that an item requires, in the order of `Declaration`."""
        demanded = self.demands.get(item)
        return tuple(d for d in Declaration if d in demanded) if demanded else ()

    def prohibits(self, item: str) -> bool:
        """Return whether an item may not be shipped at all."""
        return "prohibited" in self.demands.get(item, ())
