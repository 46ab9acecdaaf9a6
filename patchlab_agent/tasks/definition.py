"""A task of one's own as a value: from a folder, or made in Python, and the skill that it makes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from patchlab_agent.errors import InputError, SkillError
from patchlab_agent.models.base import Output, storable
from patchlab_agent.skill.authoring import faulty
from patchlab_agent.skill.guard import Promise, guarded_call, shortened
from patchlab_agent.skill.seam import Proposer, Thesaurus
from patchlab_agent.skill.skill import Skill
from patchlab_agent.tasks.comparison import Comparison, Judgement, default_comparison
from patchlab_agent.tasks.fields import AnswerField
from patchlab_agent.tasks.fixes import Fact
from patchlab_agent.tasks.parrot import Parrot
from patchlab_agent.tasks.phrases import Phrasebook
from patchlab_agent.tasks.proposer import FieldProposer
from patchlab_agent.tasks.rows import MAX_REQUEST_CHARS, RawRows, read_rows, rows_given, rows_in
from patchlab_agent.tasks.simulator import RowsSimulator
from patchlab_agent.tasks.task import RowsTask

if TYPE_CHECKING:
    from patchlab_agent.backends.base import Backend

MAX_TRIGGER_SHARE = 0.5
"""In a few dozen rows with a handful of answers, what tells one from another is common."""


class Task:
    """A task of your own: the form of an answer, and labeled rows.

    Rows that cannot be used are kept apart: `check_task` lists them, and `open_lab` refuses them.

    Args:
        answer: a pydantic model, whose docstring is the instruction and whose fields have
            descriptions.
        rows: labeled requests: dicts with `request`, optionally `split`, and the right answer in
            `answer` or as keys of its own; pairs of a request and its answer; or the path of a
            file with such rows, JSONL or CSV.
        name: of the task; its store remembers it.
        judge: says what is right and wrong about an answer: `judge(request, expected, answer)`;
            None compares field by field.
        fields: how a field is compared where its type does not say, as in
            `{"team": {"compare": "exact", "weight": 2}}`.
        facts: sentences that every prompt states from the start.

    Raises:
        InputError: the model, the file, or what else is given cannot be used.

    Example:
        >>> from pydantic import BaseModel
        >>> class Answer(BaseModel):
        ...     '''You name the team that answers a message: support or billing.'''
        ...     team: str
        >>> rows = [("my invoice is wrong", {"team": "billing"}), ("hello", {"team": "support"})]
        >>> task = Task(Answer, rows, name="desk", facts=["Refunds are the billing team's."])
        >>> task.name, len(task.rows), task.fields["team"].compare
        ('desk', 2, 'folded')
        >>> with open_lab(task=task, store="desk-lab") as lab:
        ...     lab.answer("one more invoice").output
        {'team': ''}
    """

    def __init__(
        self,
        answer: type[BaseModel],
        rows: RawRows | str | Path | Iterable[Any],
        *,
        name: str = "task",
        judge: Callable[[str, Output, Output], Judgement] | None = None,
        fields: Mapping[str, Any] | None = None,
        facts: Sequence[str] = (),
    ) -> None:
        self.name = re.sub(r"[^a-z0-9]+", "-", name.casefold()).strip("-") or "task"
        self.answer = answer
        self.facts = _facts(facts)
        bare = _agents_side(answer, self.facts, ())
        self.fields = _comparisons(bare.fields, fields or {})
        if judge is not None and not callable(judge):
            raise InputError("judge cannot be called; make it a function")
        self.judge = judge
        self.raw = _raw(rows, self.name)
        found, problems = read_rows(self.raw, answer, bare.fields)
        self.rows = tuple(found)
        self.problems = tuple(problems)
        showable = [row.request for row in self.rows if row.split != "golden"]
        self.task = _agents_side(answer, self.facts, showable)

    @property
    def answer_fields(self) -> tuple[AnswerField, ...]:
        """The fields of an answer."""
        return self.task.fields

    @cached_property
    def skill(self) -> Skill:
        """The skill that the task makes; its parts are guarded.

        Raises:
            InputError: a row cannot be used, or there is none to learn from.
        """
        where = self.raw.where
        if self.problems:
            raise faulty(where, {each.line: each.text for each in self.problems}, self.raw.unit)
        if not any(row.split == "stream" for row in self.rows):
            raise InputError(f"{where} has no row to learn from; give some split=stream.")
        known = [row for row in self.rows if row.split != "golden"]
        labeled = ((row.request, row.answer) for row in known if row.split == "regression")
        differences = FieldProposer(
            self.name, self.answer_fields, Phrasebook(labeled, MAX_TRIGGER_SHARE)
        )
        return Skill(
            name=self.name,
            task=self.task,
            proposer=differences,
            simulator=RowsSimulator(
                self.answer, self.answer_fields, self.rows, self.fields, self._guarded_judge()
            ),
            backends={"parrot": partial(Parrot, self.answer_fields)},
            model_proposer=partial(_model_proposer, self.name, self.task, differences),
            model_thesaurus=partial(_model_thesaurus, self.task),
            prefers_model=True,
            max_trigger_share=MAX_TRIGGER_SHARE,
            max_request_chars=MAX_REQUEST_CHARS,
        ).guarded()

    def _guarded_judge(self) -> Callable[[str, Output, Output], Judgement] | None:
        if self.judge is None:
            return None
        judge = guarded_call(self.judge, "judge", Promise(gives=(Judgement,)), skill=self.name)

        def judged(request: str, expected: Output, answer: Output) -> Judgement:
            # Copies: what a judge does to them is none of the case's business.
            found = judge(request, {**expected}, {**answer})
            if unknown := found.wrong.keys() - self.fields.keys():
                raise SkillError(
                    f"judge of skill {self.name!r} blames {min(unknown)!r}, which is no field of "
                    f"an answer; name some of {', '.join(self.fields)}."
                )
            return found

        return judged


def _model_proposer(
    name: str, task: RowsTask, differences: FieldProposer, backend: Backend
) -> Proposer:
    # It brings the template engine, which `feedback --help` does without.
    from patchlab_agent.tasks.model_proposer import ModelProposer  # noqa: PLC0415

    return ModelProposer(name, task, differences, backend)


def _model_thesaurus(task: RowsTask, backend: Backend) -> Thesaurus:
    from patchlab_agent.agent.names import AskedThesaurus  # noqa: PLC0415
    from patchlab_agent.prompts import Prompts  # noqa: PLC0415

    return AskedThesaurus(backend, Prompts(task.prompts), task.renamed)


def _raw(rows: RawRows | str | Path | Iterable[Any], name: str) -> RawRows:
    if isinstance(rows, RawRows):
        return rows
    if isinstance(rows, str | Path):
        return rows_in(Path(rows))
    if isinstance(rows, Iterable) and not isinstance(rows, Mapping):
        return rows_given(rows, name)
    raise InputError("rows must be a list of labeled requests, or the path of a file with them")


def _agents_side(answer: Any, facts: Sequence[str], showable: Sequence[str]) -> RowsTask:
    if not (isinstance(answer, type) and issubclass(answer, BaseModel)):
        raise InputError("there is no pydantic model called Answer; add it")
    instruction = (answer.__doc__ or "").strip()
    if not instruction:
        raise InputError("Answer has no docstring; it is the instruction to the model")
    try:
        storable(instruction)
        task = RowsTask(answer, facts, showable)
    except RecursionError as error:
        raise InputError("Answer contains itself; a field may hold lists, and no trees") from error
    except Exception as error:
        # Pydantic's own, and whatever a model's hooks for its JSON schema raise.
        said = shortened(str(error).partition("\n")[0])
        raise InputError(f"Answer has no JSON schema ({said}); use plain types") from error
    if not task.fields:
        raise InputError("Answer has no field; add what is to be answered")
    return task


def _facts(told: Any) -> tuple[str, ...]:
    if not isinstance(told, list | tuple) or not all(isinstance(fact, str) for fact in told):
        raise InputError("facts must be a list of sentences; fix it")
    for number, fact in enumerate(told, start=1):
        try:
            Fact(text=fact)
            storable(fact)
        except ValueError as error:
            first = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
            raise InputError(f"fact {number} cannot be used: {first}; fix it") from error
    return tuple(told)


def _comparisons(fields: Sequence[AnswerField], told: Any) -> dict[str, Comparison]:
    """Return how each field is compared, in the order of an answer's fields."""
    if not isinstance(told, Mapping):
        raise InputError("fields: not a table; fix it")
    if unknown := told.keys() - {each.name for each in fields}:
        raise InputError(f"there is no field {min(map(str, unknown))!r} to compare; rename it")
    try:
        given = {name: Comparison.model_validate(how) for name, how in told.items()}
    except ValidationError as error:
        first = error.errors()[0]
        what = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise InputError(f"fields: {what}; fix it") from error
    return {each.name: given.get(each.name, default_comparison(each)) for each in fields}
