"""The agent's knowledge of shipping: starting rules, the form of answers, the arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from patchlab_agent.models.base import JsonObject, Output
from patchlab_agent.models.patch import Fix
from patchlab_agent.models.trace import Example
from patchlab_agent.models.verdict import Verdict
from patchlab_agent.resources import resource
from patchlab_agent.shipping.english import FILLERS
from patchlab_agent.shipping.examples import demos, is_plain, worked_examples
from patchlab_agent.shipping.rule_book import RuleBook
from patchlab_agent.shipping.rules import parse_fix
from patchlab_agent.shipping.schema import (
    CLAIMS,
    GROUNDS,
    PRICED_BY,
    Answer,
    Refusal,
    ShippingQuote,
    parse_answer,
    refusal,
    weight_kg,
)
from patchlab_agent.shipping.tariff import price_eur
from patchlab_agent.shipping.verdict import verdict
from patchlab_agent.skill.seam import Reading


class ShippingTask:
    """The agent's side of the skill.

    Args:
        known_rules: the rules in every prompt from the start.
    """

    def __init__(self, known_rules: Sequence[Fix]) -> None:
        self.known_rules = tuple(known_rules)
        self._known = RuleBook.of(self.known_rules)
        self.filler_words = FILLERS
        self.demos = demos(self._known)
        self.prompts: Path = resource("prompts", "shipping")
        self.answer_schema: JsonObject = Answer.model_json_schema()

    def read(self, text: str) -> Reading:
        """Validate an answer, convert its weight, decide on a refusal, and price it.

        Raises:
            InvalidAnswer: the text contains no answer of the right form.
        """
        answer = parse_answer(text)
        quote = settle(answer)
        return Reading(answer.model_dump(mode="json"), quote.model_dump(mode="json"))

    def parse_fix(self, data: JsonObject) -> Fix:
        """Build a fix from its JSON.

        Raises:
            ValueError: the data is not a fix of the union.
        """
        return parse_fix(data)

    def examples_of(
        self, fixes: Sequence[Fix], request: str = "", apart: Sequence[Fix] = ()
    ) -> tuple[Example, ...]:
        """Return worked examples of the fixes' subjects, answered by the fixes and known rules."""
        return tuple(worked_examples(fixes, self._known, request, apart))

    def judged(self, quote: Output) -> Output:
        """Return the claims of a quote: a refusal's grounds, or all that a price rests on.

        Without weight or country a quote claims nothing. An unknown name, such as the item's
        category, takes its price but not its other claims.
        """
        if quote.get("refusal") is not None:
            grounds = GROUNDS[Refusal(str(quote["refusal"]))]
            return {name: quote.get(name) for name in ("refusal", *grounds)}
        if quote.get("weight_kg") is None or quote.get("country") is None:
            return {}
        return {name: quote.get(name) for name in CLAIMS}

    def instruction(self) -> str:
        """Return what a model is asked for, in one sentence."""
        return "Read shipping requests for a carrier, and answer with facts, as one JSON object."

    def verdict(self, request: str, quote: Output) -> Verdict:
        """Say what a quote comes to: a price, a refusal, or what stands in the way of either."""
        return verdict(request, quote)

    def may_show(self, request: str, answer: JsonObject) -> bool:
        """Return whether the answer and known rules account for all words but one of a request."""
        return is_plain(request, answer, self._known)


def settle(answer: Answer) -> ShippingQuote:
    """Compute the quote that follows from an answer's facts."""
    kg = weight_kg(answer)
    refused: Refusal | None = refusal(answer, kg)
    facts = answer.model_dump()
    is_known = all(facts[name] is not None for name in PRICED_BY)
    price = price_eur(kg, answer.country) if is_known and not refused else None
    return ShippingQuote(**facts, weight_kg=kg, refusal=refused, price_eur=price)
