"""The rows of a task as the simulation that a run is measured in."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel

from patchlab_agent.models.base import Output
from patchlab_agent.models.case import Case
from patchlab_agent.models.trace import INVALID_RESPONSE, OK, Fault, Feedback
from patchlab_agent.skill.authoring import faulty
from patchlab_agent.skill.seam import Confusion, Simulator
from patchlab_agent.tasks.comparison import Comparison, Judgement, judgement
from patchlab_agent.tasks.fields import AnswerField, has_entry
from patchlab_agent.tasks.labels import (
    entries,
    entry_label,
    field_label,
    is_entry_label,
    labels_of,
    labels_of_fault,
)
from patchlab_agent.tasks.rows import Row, Split, read_rows, rows_in

DECIMALS = 6
"""Of a score: differences beyond them are rounding, not merit."""
Judge = Callable[[str, Output, Output], Judgement]
"""Request, right answer, given answer → what is wrong."""


class RowsSimulator(Simulator):
    """Judges answers by the labeled rows that they belong to.

    Nobody knows the rules behind the rows, so there is no ceiling.

    Args:
        answer: the model of an answer.
        fields: of an answer, in the order in which reports name their labels.
        rows: the labeled rows.
        comparisons: by field.
        judge: replaces the comparison field by field.
    """

    def __init__(
        self,
        answer: type[BaseModel],
        fields: tuple[AnswerField, ...],
        rows: Sequence[Row],
        comparisons: Mapping[str, Comparison],
        judge: Judge | None = None,
    ) -> None:
        self._answer = answer
        self._fields = fields
        self._cases: dict[Split, list[Case]] = {"stream": [], "regression": [], "golden": []}
        for row in rows:
            self._cases[row.split].append(row.case())
        self._comparisons = comparisons
        self._judge = judge

    @property
    def labels(self) -> tuple[str, ...]:
        """A label per field, or entry of a list, and that of an answer that cannot be used."""
        return (
            *(label for each in self._compared() for label in labels_of(each)),
            INVALID_RESPONSE,
        )

    def is_label(self, name: str) -> bool:
        """Return whether it is of a field as a whole, or of an entry that a lesson may allow."""
        return any(name == field_label(each) or is_entry_label(each, name) for each in self._fields)

    def stream(self) -> Sequence[Case]:
        """Return the rows that a run learns from, in the order of the file."""
        return self._cases["stream"]

    def read_cases(self, path: Path) -> list[Case]:
        """Read other labeled rows, whatever their split.

        Raises:
            InputError: the file cannot be read, or rows cannot be used; names their lines.
        """
        rows, problems = read_rows(rows_in(path), self._answer, self._fields)
        if problems:
            raise faulty(path, {each.line: each.text for each in problems})
        return [row.case() for row in rows]

    def golden(self) -> Sequence[Case]:
        """Return the rows that are held out from stream and gate."""
        return self._cases["golden"]

    def regression(self) -> Sequence[Case]:
        """Return the rows that the gate replays."""
        return self._cases["regression"]

    def judge(self, case: Case, output: Output | None) -> Feedback:
        """Complain of all that is wrong, the heaviest field first, with right values as details."""
        if output is None:
            return Feedback(label=INVALID_RESPONSE)
        found = self._judged(case, output)
        if found.is_right:
            return OK
        by_name = {field.name: field for field in self._fields}
        wrong = [by_name[name] for name in found.wrong if name in by_name]
        wrong = wrong or self._compared()[:1] or [self._fields[0]]
        faults = [
            fault
            for field in wrong
            for fault in self._faults(field, case, output, found.wrong.get(field.name, ""))
        ]
        return Feedback.of(faults, min(round(found.score, DECIMALS), 1 - 10**-DECIMALS))

    def compare(self, request: str, right: Output, output: Output | None) -> Feedback:
        """Judge an answer to any request by a right one."""
        return self.judge(Case(request=request, truth=right), output)

    def _faults(
        self, field: AnswerField, case: Case, output: Output, reason: str
    ) -> Iterator[Fault]:
        """Yield what is wrong with a field: of a list, each entry that is missing or too many."""
        right, given = case.truth.get(field.name), output.get(field.name)
        nearness = self._comparisons[field.name].score(right, given)
        for label in labels_of_fault(field, right, given):
            # An entry is there or not; only a field as a whole may be nearly right.
            is_whole = label == field_label(field) and nearness < 1
            yield Fault(
                label=label,
                field=field.name,
                value=given,
                detail=json.dumps(right, ensure_ascii=False),
                score=round(nearness, DECIMALS) if is_whole else 0.0,
                reason=reason,
            )

    def confusion(self, case: Case, output: Output | None) -> dict[str, Confusion]:
        """Count for each label what the case asked for under it and what the answer did.

        An entry of a list is there to be found where the right list has it, also one that a lesson
        allows; any other field always.
        """
        given: Output = output or {}
        counts = {INVALID_RESPONSE: _confusion(True, output is not None, output is not None)}
        for field in self._compared():
            name = field.name
            right, found = case.truth.get(name), given.get(name)
            if field.is_list and field.choices:
                seen = (each for value in (right, found) for each in entries(value))
                for entry in (*field.choices, *(e for e in seen if not field.allows(e))):
                    counts[entry_label(field, entry)] = _confusion(
                        has_entry(right, entry), has_entry(found, entry), has_entry(right, entry)
                    )
            else:
                is_right = output is not None and self._comparisons[name].agrees(right, found)
                counts[field_label(field)] = _confusion(True, output is not None, is_right)
        return counts

    def _compared(self) -> list[AnswerField]:
        return [each for each in self._fields if self._comparisons[each.name].compare != "ignored"]

    def _judged(self, case: Case, output: Output) -> Judgement:
        if self._judge is not None:
            return self._judge(case.request, case.truth, output)
        return judgement(self._comparisons, case.truth, output)


def _confusion(is_there: bool, is_told: bool, is_right: bool) -> Confusion:
    return Confusion(
        true_positive=int(is_there and is_told and is_right),
        false_positive=int(is_told and not is_right),
        false_negative=int(is_there and not (is_told and is_right)),
    )
