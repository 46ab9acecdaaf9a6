"""The meanings of words, as far as the rules in a prompt define them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from patchlab_agent.models.patch import Fix
from patchlab_agent.shipping.english import FILLERS, SERVICES
from patchlab_agent.shipping.rule_book import RuleBook
from patchlab_agent.text import FUZZY_MIN_LETTERS, same_word, words

Kind = Literal["unit", "parcel", "item", "destination"]


@dataclass
class Lexicon:
    """A rule book, and its names split into words."""

    book: RuleBook
    names: dict[tuple[str, ...], set[Kind]] = field(default_factory=dict)
    vocabulary: set[str] = field(default_factory=set)
    spellings: dict[tuple[str, ...], str] = field(default_factory=dict)

    def extended(self, rules: tuple[Fix, ...]) -> Lexicon:
        """Return a lexicon extended by these rules; this one does not change."""
        if not rules:
            return self
        more = Lexicon(
            self.book.copy(),
            dict(self.names),
            set(self.vocabulary),
            dict(self.spellings),
        )
        for rule in rules:
            more.book.add(rule)
            more._name(rule)
        return more

    def _name(self, rule: Fix) -> None:
        for kind, attribute in _NAMED.get(rule.kind, ()):
            spelling = getattr(rule, attribute)
            name = words(spelling)
            # A new set, as a lexicon that this one extends has the old one.
            self.names[name] = {*self.names.get(name, ()), kind}
            self.spellings[name] = spelling
            self.vocabulary.update(name)

    def corrected(self, word: str) -> str:
        """Return the word, or the one word of the vocabulary that it misspells."""
        if len(word) < FUZZY_MIN_LETTERS - 1 or word in self.vocabulary:
            return word
        if word in FILLERS or word in SERVICES or not word.isalpha():
            return word
        meant = {known for known in self.vocabulary if same_word(known, word)}
        return meant.pop() if len(meant) == 1 else word


_NAMED: dict[str, tuple[tuple[Kind, str], ...]] = {
    "unit": (("unit", "unit"),),
    "parcel": (("parcel", "parcel"),),
    "destination": (("destination", "alias"),),
    "item": (("item", "item"),),
    "restriction": (("item", "item"),),
    "embargo": (("destination", "destination"),),
}


def lexicon(rules: tuple[Fix, ...]) -> Lexicon:
    """Make a lexicon of these rules alone."""
    return Lexicon(RuleBook()).extended(rules)
