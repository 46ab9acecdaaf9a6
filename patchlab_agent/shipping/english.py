"""The English of shipping requests: words that every reader knows from the start."""

from __future__ import annotations

from patchlab_agent.shipping.schema import Declaration

SERVICES = {
    "fragile": Declaration.FRAGILE,
    "insured": Declaration.INSURANCE,
    "refrigerated": Declaration.TEMPERATURE,
    "hazmat": Declaration.HAZMAT,
}
"""Words with which a sender asks for a declaration."""

DESTINATION_MARKERS = ("to", "->", "→", "destination", "for")
"""Words and signs that a destination follows, the most reliable first."""

PRICE_WORDS = frozenset(["quote", "quotes", "quotation", "price", "prices", "cost", "much"])
"""Words with which a sender asks what it costs; `for` after one of them names what is shipped."""

FILLERS = frozenset(
    [
        "a",
        "an",
        "the",
        "of",
        "in",
        "to",
        "for",
        "from",
        "it",
        "its",
        "is",
        "i",
        "me",
        "my",
        "we",
        "our",
        "you",
        "your",
        "please",
        "ship",
        "send",
        "shipping",
        "quote",
        "quotes",
        "quotation",
        "price",
        "prices",
        "how",
        "much",
        "what",
        "would",
        "cost",
        "by",
        "can",
        "could",
        "need",
        "want",
        "hi",
        "hello",
        "thanks",
        "thank",
        "total",
        "weighing",
        "weighs",
        "destination",
        "deliver",
        "one",
        "with",
        "at",
        "and",
        "also",
        "as",
        "this",
        "that",
        "not",
        "no",
        "but",
    ]
)
"""Words that name neither a thing nor a place."""

FRACTIONS = frozenset(
    [
        *("half", "quarter", "quarters", "third", "thirds"),
        *("halb", "halbes", "demi", "demie", "medio", "mezzo", "mezza", "meio", "meia"),
    ]
)
"""Words for a part of one, here also in languages that write it after the unit."""

NUMBER_WORDS = FRACTIONS.union(
    ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven"),
    ("twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"),
    ("nineteen", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"),
    ("hundred", "thousand", "million", "dozen", "couple"),
)
"""Words that are part of a number, whatever they stand for."""

SHARES = frozenset({"each", "apiece", "per"})
"""Words that make a weight that of one of several things."""

TELLING = frozenset({"give", "help", "let", "offer", "quote", "send", "show", "tell"})
"""Words after which `us` is a pronoun, and no country."""
