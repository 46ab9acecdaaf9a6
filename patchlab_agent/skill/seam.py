"""The seam to a domain: what a skill must bring, in parts.

Each room gets only what it may see:

* the `SkillTask` is all that the agent knows: the prompt's stable part, the answer's schema, and
  how a completion becomes an output;
* the `Proposer` turns a failure into a patch, from what production would know as well;
* the `Simulator` knows the truth: the judge and the labeled cases, and in a simulation where
  requests come from and which rules are behind them.

A part may be any object with the right members. One that subclasses `SkillTask` or `Simulator` has
to write only what is abstract there, and takes the rest as it is. What a part may do besides is in
`optional`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from patchlab_agent.errors import InputError, InvalidAnswer
from patchlab_agent.models.base import JsonObject, Output, storable
from patchlab_agent.models.case import Case
from patchlab_agent.models.patch import Fix, Patch, Proposal
from patchlab_agent.models.trace import Example, Feedback, Trace


@dataclass(frozen=True)
class Reading:
    """An answer that could be used: as the model gave it, and computed and validated.

    Example:
        >>> reading = load_skill("shipping").task.read(lab.traces.get(0).attempt.raw)
        >>> reading.output["price_eur"]
        23.6
    """

    answer: JsonObject
    output: Output

    def __post_init__(self) -> None:
        """Check that both can be stored.

        Raises:
            InvalidAnswer: they cannot, and the model should give another answer.
        """
        for part in (self.answer, self.output):
            try:
                storable(part)
            except ValueError as error:
                raise InvalidAnswer(str(error)) from error


@dataclass(frozen=True)
class Confusion:
    """One label's counts over one case: what was there to do, done, and done rightly.

    Example:
        >>> missed = Confusion(false_negative=1)
    """

    true_positive: int = 0
    false_positive: int = 0
    false_negative: int = 0


@dataclass(frozen=True)
class Labels:
    """The error labels of a skill.

    Attributes:
        listed: in the order in which reports show them.
        is_other: says whether a name that is not listed is a label all the same.
    """

    listed: tuple[str, ...]
    is_other: Callable[[str], bool] = lambda _: False


class SkillTask(Protocol):
    """What an agent must know of a domain, and all that it may know.

    Example:
        >>> task = load_skill("shipping").task
        >>> task.known_rules[0].kind, "weight" in task.answer_schema["properties"]
        ('unit', True)
    """

    @property
    @abstractmethod
    def prompts(self) -> Path:
        """The folder with the skill's prompt templates."""
        ...

    @property
    @abstractmethod
    def answer_schema(self) -> JsonObject:
        """JSON schema of the answer that a model is asked for."""
        ...

    @property
    def known_rules(self) -> Sequence[Fix]:
        """The rules that every prompt holds from the start, the baseline's too."""
        return ()

    @property
    def filler_words(self) -> Collection[str]:
        """Words that say nothing of a request's answer, so that none needs an example."""
        return ()

    @property
    def demos(self) -> Sequence[Example]:
        """Examples that every prompt shows, the baseline's too; they teach the answer's form."""
        return ()

    @abstractmethod
    def read(self, text: str) -> Reading:
        """Read a completion.

        Raises:
            InvalidAnswer: the text holds no answer of the right form.
        """
        ...

    @abstractmethod
    def parse_fix(self, data: JsonObject) -> Fix:
        """Build a fix of the skill's closed union from its JSON.

        Raises:
            ValueError: the data is no such fix.
        """
        ...

    def examples_of(
        self, fixes: Sequence[Fix], request: str = "", apart: Sequence[Fix] = ()
    ) -> Sequence[Example]:
        """Return the worked examples that fixes add to the prompt, besides their rules.

        Args:
            fixes: what the prompt teaches.
            request: what the prompt is about; the nearer an example is to it, the better a small
                model follows.
            apart: those of the fixes whose subjects take an example of their own, which comes last.
        """
        return ()

    def judged(self, output: Output) -> Output:
        """Return the fields of an answer that whoever accepts it has judged.

        Empty where the answer does not answer the whole request, so that nobody could. Unless it is
        overridden, that is where any field is null; otherwise all fields are judged.
        """
        return {} if None in output.values() else output

    def may_show(self, request: str, answer: JsonObject) -> bool:
        """Return whether a successful request is plain enough to appear in another one's prompt.

        Unless it is overridden, no request is, so that no stranger's words are.
        """
        return False


class Proposer(Protocol):
    """From a failure to a patch.

    Example:
        >>> wrong = Feedback(label="hazmat_undeclared", detail="hazmat")
        >>> load_skill("shipping").proposer.propose(lab.traces.get(0), wrong).patch.trigger
        'bleach'
    """

    def propose(self, trace: Trace, feedback: Feedback) -> Proposal:
        """Make a patch with its tests from request, answer and feedback; never from a truth."""
        ...


class Thesaurus(Protocol):
    """Other names of what lessons are about: plurals, abbreviations, synonyms.

    A name is an offer and no evidence: whether a lesson holds under it is decided like everything
    else.

    Example:
        >>> thesaurus = load_skill("shipping").thesaurus
        >>> [variant.trigger for variant in thesaurus.variants(lab.patches.get("3696"))]
        ['bleaches']
    """

    def variants(self, patch: Patch) -> tuple[Patch, ...]:
        """Return the same lesson under a few other names of its subject, in a fixed order.

        Trigger and subject are replaced and the tests made anew; the provenance names the failure
        that taught the lesson. None of them has a failing test, as no request that holds the other
        name has failed.
        """
        ...

    def relatives(self, phrase: str) -> tuple[str, ...]:
        """Return the triggers of which the phrase, one to four words, may be another name.

        Whatever `variants` makes of a lesson with one of these triggers decides in the end, so a
        trigger too many costs a look-up; one too few hides a variant.
        """
        ...


class Simulator(Protocol):
    """What every skill has to measure by: a judge, and labeled cases; only runs look into it.

    One that also makes up requests, or knows the rules behind them, has a further member for it:
    see `GeneratingSimulator` and `OracleSimulator`.

    Example:
        >>> simulator = load_skill("shipping").simulator
        >>> len(simulator.golden()), simulator.labels[:2]
        (260, ('weight_missing', 'weight_mismatch'))
    """

    @property
    @abstractmethod
    def labels(self) -> tuple[str, ...]:
        """Every error label, in the order in which reports show them."""
        ...

    def read_cases(self, path: Path) -> list[Case]:
        """Read a user's own labeled requests, JSONL or CSV.

        Raises:
            InputError: the file cannot be read, or a line cannot be used; names the line. Unless it
                is overridden, none can be.
        """
        raise InputError("This skill reads no labeled requests; leave --requests out.")

    @abstractmethod
    def golden(self) -> Sequence[Case]:
        """Return the labeled cases that are held out from stream and gate."""
        ...

    @abstractmethod
    def regression(self) -> Sequence[Case]:
        """Return the labeled cases that the gate replays."""
        ...

    def expected(self, case: Case) -> Output:
        """Return every field of the right answer; unless it is overridden, the case's truth."""
        return case.truth

    @abstractmethod
    def judge(self, case: Case, output: Output | None) -> Feedback:
        """Judge an answer; None is one that could not be used."""
        ...

    def confusion(self, case: Case, output: Output | None) -> Mapping[str, Confusion]:
        """Per label, what the case asked for under it and what the answer did.

        Unless it is overridden, each label is something to get right, and all are right but the one
        that the judge complains of.
        """
        told, given = self.judge(case, output).label, output is not None
        return {
            label: Confusion(label != told, label == told and given, label == told)
            for label in dict.fromkeys((*self.labels, *filter(None, [told])))
        }
