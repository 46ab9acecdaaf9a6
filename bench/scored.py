"""Graded answers of several arms to the same labeled requests, and what the arms cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from rich.table import Table

from patchlab_agent.models.base import Frozen, Output
from patchlab_agent.models.case import Case
from patchlab_agent.models.prompt import Usage
from patchlab_agent.statistics import mean_difference, paired_difference, proportion
from patchlab_agent.tasks.comparison import Judgement, judgement
from patchlab_agent.tasks.folder import read_task

Judging = Callable[[Case, Output | None], Judgement]
"""A case and the answer to it → its score; None is an answer that could not be used."""
UNUSABLE = Judgement(score=0.0)


class Arm(Frozen):
    """What one way to prompt made of the cases, in their order, and what it took.

    Attributes:
        name: of the arm.
        scores: of its answers, 0 to 1.
        right: whether each is right as a whole.
        prompt_tokens: of each answer's prompt, repairs included; empty where nobody counts them.
        answer_tokens: of each answer.
        learning_calls: model calls before the first of the answers.
        learning_tokens: that these took, prompts and answers.
        shows: what its prompts hold besides the bare one.
    """

    name: str
    scores: tuple[float, ...]
    right: tuple[bool, ...]
    prompt_tokens: tuple[int, ...] = ()
    answer_tokens: tuple[int, ...] = ()
    learning_calls: int = 0
    learning_tokens: int = 0
    shows: str = ""


def judging(task: Path) -> Judging:
    """How a task folder judges an answer: by its own judge, or field by field.

    Raises:
        InputError, SkillError: the folder cannot be used.
    """
    folder = read_task(task)
    comparisons, own = folder.fields, folder.judge

    def judge(case: Case, given: Output | None) -> Judgement:
        if given is None:
            return UNUSABLE
        if own is not None:
            return own(case.request, case.truth, given)
        return judgement(comparisons, case.truth, given)

    return judge


def arm(
    name: str,
    judge: Judging,
    answers: Iterable[tuple[Case, Output | None, Usage]],
    *,
    learning_calls: int = 0,
    learning_tokens: int = 0,
    shows: str = "",
) -> Arm:
    """Judge an arm's answers."""
    rows = list(answers)
    judged = [judge(case, given) for case, given, _ in rows]
    usages = [usage for *_, usage in rows if usage.prompt_tokens is not None]
    return Arm(
        name=name,
        scores=tuple(each.score for each in judged),
        right=tuple(each.is_right for each in judged),
        prompt_tokens=tuple(usage.prompt_tokens or 0 for usage in usages),
        answer_tokens=tuple(usage.completion_tokens or 0 for usage in usages),
        learning_calls=learning_calls,
        learning_tokens=learning_tokens,
        shows=shows,
    )


def tokens_of(usage: Usage) -> int:
    """Tokens sent and received."""
    return (usage.prompt_tokens or 0) + (usage.completion_tokens or 0)


def most_demos(limit: float, tokens: Callable[[int], float], most: int) -> int:
    """The largest number of demos, 1 to `most`, whose prompts are within a limit; else 1."""
    return max((k for k in range(1, most + 1) if tokens(k) <= limit), default=1)


def figures(arms: Sequence[Arm]) -> list[dict[str, Any]]:
    """Each arm's figures, with its paired differences from every arm before it."""
    return [
        {
            "arm": each.name,
            "shows": each.shows,
            "cases": len(each.scores),
            "score": fmean(each.scores),
            "right": proportion(each.right).model_dump(),
            "prompt_tokens": fmean(each.prompt_tokens) if each.prompt_tokens else None,
            "answer_tokens": fmean(each.answer_tokens) if each.answer_tokens else None,
            "learning_calls": each.learning_calls,
            "learning_tokens": each.learning_tokens,
            "minus": {other.name: _minus(other, each) for other in arms[:place]},
        }
        for place, each in enumerate(arms)
    ]


def _minus(other: Arm, each: Arm) -> dict[str, Any]:
    score = mean_difference(other.scores, each.scores)
    right = paired_difference(other.right, each.right)
    return {"score": score.model_dump(), "right": right.model_dump()}


def table(title: str, found: Sequence[dict[str, Any]]) -> Table:
    """One line for each arm; differences are from the first two arms, in points of 100."""
    shown = Table(title=title)
    shown.add_column("prompt")
    references = [each["arm"] for each in found[:2]]
    for name in (
        *("score", "all right"),
        *(f"- {name}, 95 %" for name in references),
        *("prompt tokens", "answer tokens", "calls to learn", "tokens to learn"),
    ):
        shown.add_column(name, justify="right")
    for each in found:
        shown.add_row(
            each["arm"] + (f" ({each['shows']})" if each["shows"] else ""),
            f"{100 * each['score']:.1f}",
            f"{each['right']['rate']:.1%}",
            *(_points(each["minus"].get(name)) for name in references),
            *(_count(each[name]) for name in ("prompt_tokens", "answer_tokens")),
            *(_count(each[name] or None) for name in ("learning_calls", "learning_tokens")),
        )
    return shown


def _points(difference: dict[str, Any] | None) -> str:
    if difference is None:
        return ""
    score = difference["score"]
    mean = f"{100 * score['mean']:+.1f}"
    if score["low"] is None:
        return mean
    return f"{mean} [{100 * score['low']:+.1f}, {100 * score['high']:+.1f}]"


def _count(number: float | None) -> str:
    return "–" if number is None else f"{number:,.0f}"
