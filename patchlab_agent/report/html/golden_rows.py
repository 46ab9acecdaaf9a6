"""The golden set's cases and labels as rows of the page's lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from patchlab_agent.models.golden import GoldenAnswer, Mistake
from patchlab_agent.models.report import CaseOutcome, GoldenReport, LabelScore
from patchlab_agent.report.html.rows import TraceRow, outcome_words

MAX_OPENED = 300
"""Number of golden cases whose answers a page shows: more would make it too large."""
MAX_PROMPTS = 600_000
"""Characters that the prompts of these cases may have in total."""


@dataclass(frozen=True)
class CaseRow:
    """A golden case.

    Attributes:
        number: its place in the set, from 1.
        case: its outcome.
        outcome: words to filter by, as in `TraceRow`.
        opened: its answers; None if the store keeps none or the page has no room.
    """

    number: int
    case: CaseOutcome
    outcome: str
    opened: TraceRow | None

    @property
    def applied(self) -> tuple[str, ...]:
        """The triggers of the patches in its prompt, or their ids if it cannot be opened."""
        if self.opened is None:
            return tuple(patch_id[:8] for patch_id in self.case.applied)
        return tuple(ref.trigger for ref in self.opened.trace.retrieved if ref.applied)


@dataclass(frozen=True)
class LabelRow:
    """A label and the golden cases about which an answer was wrong.

    Attributes:
        score: precision, recall and F1.
        mistakes: each with the number and the request of its case.
    """

    score: LabelScore
    mistakes: tuple[tuple[int, str, Mistake], ...]


def case_rows(report: GoldenReport, answers: Sequence[GoldenAnswer]) -> tuple[CaseRow, ...]:
    """Return all cases as rows, in the order of the set, the first ones with their answers.

    Args:
        report: of the golden set.
        answers: to its cases, as far as the store keeps them.
    """
    lengths = accumulate(len(each.trace.attempt.user_prompt) for each in answers[:MAX_OPENED])
    room = sum(length <= MAX_PROMPTS for length in lengths)
    known = {each.trace.index: each.trace for each in answers[:room]}
    return tuple(
        CaseRow(
            number=number,
            case=case,
            outcome=outcome_words(True, case.baseline, case.patched),
            opened=TraceRow.of(known[number]) if number in known else None,
        )
        for number, case in enumerate(report.cases, start=1)
    )


def label_rows(report: GoldenReport, answers: Sequence[GoldenAnswer]) -> tuple[LabelRow, ...]:
    """Return all labels as rows, each with the cases that an answer got wrong."""
    found: dict[str, list[tuple[int, str, Mistake]]] = {}
    for answer in answers:
        for mistake in answer.mistakes:
            told = (answer.trace.index, answer.trace.request, mistake)
            found.setdefault(mistake.label, []).append(told)
    return tuple(
        LabelRow(score=score, mistakes=tuple(found.get(score.label, ()))) for score in report.labels
    )
