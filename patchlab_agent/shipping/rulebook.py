"""Rules made ready to look up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from patchlab_agent.models.patch import Fix
from patchlab_agent.shipping.schema import Declaration


@runtime_checkable
class Rule(Protocol):
    """A fix that knows its place in a book."""

    def enter(self, book: RuleBook) -> None:
        """Put the rule into a book."""
        ...


@dataclass
class RuleBook:
    """Rules made ready to look up; keys are normalised, later rules override earlier ones."""

    units: dict[str, float] = field(default_factory=dict)
    parcels: dict[str, float] = field(default_factory=dict)
    destinations: dict[str, str] = field(default_factory=dict)
    items: dict[str, str] = field(default_factory=dict)
    demands: dict[str, set[str]] = field(default_factory=dict)
    embargoes: set[str] = field(default_factory=set)
    liquids: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, fixes: Iterable[Fix]) -> RuleBook:
        """A book of these rules; examples are no rules and are passed over."""
        book = cls()
        for fix in fixes:
            book.add(fix)
        return book

    def copy(self) -> RuleBook:
        """A book of the same rules that can be added to on its own."""
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
        """Put a rule in."""
        if isinstance(fix, Rule):
            fix.enter(self)

    def declarations(self, item: str) -> tuple[Declaration, ...]:
        """What an item must be declared as, in the order of `Declaration`."""
        return tuple(d for d in Declaration if d.value in self.demands.get(item, ()))

    def prohibits(self, item: str) -> bool:
        """Whether an item may not be shipped at all."""
        return "prohibited" in self.demands.get(item, ())
