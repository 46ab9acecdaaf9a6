"""How a field of an answer is compared with the right one, and what it weighs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field, JsonValue
from rapidfuzz.fuzz import ratio

from patchlab_agent.models.base import Frozen, Output
from patchlab_agent.models.patch import is_number
from patchlab_agent.tasks.fields import AnswerField
from patchlab_agent.text import normalise

How = Literal["exact", "folded", "number", "set", "fuzzy", "ignored"]


class Comparison(Frozen):
    """How one field is compared.

    `exact` takes the same value alone, `folded` a text whatever its case and spacing, `number` a
    number within `tolerance`, `set` a list whatever its order, `fuzzy` a text that is nearly the
    same, and `ignored` anything.
    """

    compare: How
    tolerance: float = Field(
        default=0.0, ge=0, description="for numbers, as a share of the right one"
    )
    similarity: float = Field(
        default=0.9, gt=0, le=1, description="for fuzzy texts; 1 is the same text"
    )
    weight: float = Field(default=1.0, ge=0, description="of the field in the score")

    def agrees(self, right: JsonValue, given: JsonValue) -> bool:
        """Return whether a value passes for the right one."""
        if self.compare == "ignored" or right == given:
            return self.compare == "ignored" or isinstance(right, bool) == isinstance(given, bool)
        match self.compare:
            case "folded" if isinstance(right, str) and isinstance(given, str):
                return normalise(right) == normalise(given)
            case "fuzzy" if isinstance(right, str) and isinstance(given, str):
                alike = ratio(normalise(right), normalise(given)) / 100
                return bool(alike >= self.similarity)
            case "number" if is_number(right) and is_number(given):
                return bool(abs(right - given) <= self.tolerance * abs(right))  # type: ignore[operator,arg-type]
            case "set" if isinstance(right, list) and isinstance(given, list):
                return _shared(right, given) == 1
        return False

    def score(self, right: JsonValue, given: JsonValue) -> float:
        """Return how nearly a value passes for the right one, 0 to 1.

        Only a list compared as a set can be right in part, as a lesson may add or remove one of its
        entries. Nearly the right text is wrong: no lesson makes it a little more right.
        """
        if self.agrees(right, given):
            return 1.0
        is_list = isinstance(right, list) and isinstance(given, list)
        return _shared(right, given) if self.compare == "set" and is_list else 0.0  # type: ignore[arg-type]


def default_comparison(field: AnswerField) -> Comparison:
    """Return the comparison of a field for which the task names none."""
    if field.is_list:
        return Comparison(compare="set")
    if field.type in ("number", "integer"):
        return Comparison(compare="number")
    is_free_text = field.type == "string" and not field.choices
    return Comparison(compare="folded" if is_free_text else "exact")


def _shared(one: list[JsonValue], other: list[JsonValue]) -> float:
    """Return the share of entries that two lists have in common, of all that either has (Jaccard).

    Each right entry more and each wrong one less raises it, by the same step whatever the order.
    """
    both = sum(entry in other for entry in _once(one))
    either = len(_once([*one, *other]))
    return both / either if either else 1.0


def _once(entries: list[JsonValue]) -> list[JsonValue]:
    return [entry for number, entry in enumerate(entries) if entry not in entries[:number]]


class Judgement(Frozen):
    """What is right and wrong about an answer.

    Example:
        >>> Judgement(score=0.5, wrong={"team": "billing handles refunds"}).is_right
        False
    """

    score: float = Field(ge=0, le=1, description="1 is right in everything that counts")
    wrong: dict[str, str] = Field(
        default_factory=dict, description="the fields that are wrong, each with the reason"
    )

    @property
    def is_right(self) -> bool:
        """True if the answer passes."""
        return not self.wrong and self.score == 1


def judgement(comparisons: Mapping[str, Comparison], expected: Output, given: Output) -> Judgement:
    """Compare an answer with the right one field by field; heavier fields come first."""
    scores = {
        name: comparison.score(expected.get(name), given.get(name))
        for name, comparison in sorted(comparisons.items(), key=lambda pair: -pair[1].weight)
    }
    total = sum(each.weight for each in comparisons.values() if each.compare != "ignored")
    lost = sum(comparisons[name].weight * (1 - score) for name, score in scores.items())
    wrong = [name for name, score in scores.items() if score < 1]
    return Judgement(score=1 - lost / total if total else 1.0, wrong=dict.fromkeys(wrong, ""))
