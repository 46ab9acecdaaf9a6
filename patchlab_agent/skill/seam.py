"""The seam to a domain, and finding one by name.

A skill comes in three parts, so that each room gets only what it may see:

* the `SkillTask` is all that the agent knows: the prompt's stable part, the answer's schema, and
  how a completion becomes an output;
* the `Proposer` turns a failure into a patch, from what production would know as well;
* the `Simulator` knows the truth: the judge and the labeled cases, and in a simulation where
  requests come from and which rules are behind them.

A part may be any object with the right members. One that subclasses `SkillTask` or `Simulator` has
to write only what is abstract there, and takes the rest as it is.

A package offers a skill through the entry-point group `patchlab_agent.skills`; the entry point
names a callable without arguments that returns a `Skill`.
"""

from __future__ import annotations

import random
from abc import abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar, runtime_checkable

from patchlab_agent.errors import InputError, InvalidAnswer, SkillError
from patchlab_agent.models.base import JsonObject, Output, storable
from patchlab_agent.models.case import Case
from patchlab_agent.models.patch import Fix, Patch, Proposal
from patchlab_agent.models.trace import Completion, Example, Feedback, Trace
from patchlab_agent.models.verdict import Verdict
from patchlab_agent.skill.guard import Member, Promise, Promises, guarded, guarded_call
from patchlab_agent.text import MAX_REQUEST_CHARS

if TYPE_CHECKING:
    from patchlab_agent.backends.base import Backend

Value = TypeVar("Value")

ENTRY_POINT_GROUP = "patchlab_agent.skills"
MAX_TRIGGER_SHARE = 0.2
"""Share of the regression suite in which most skills' triggers may occur: others say too little."""


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


@runtime_checkable
class TellingTask(Protocol):
    """A task that says in words what its answers come to; otherwise their null fields are named.

    Example:
        >>> task = load_skill("shipping").task
        >>> task.verdict("Ship a kite", lab.traces.get(0).output).unexplained
        ('kite',)
    """

    def verdict(self, request: str, output: Output) -> Verdict:
        """Say what an answer comes to, and which words of its request it does not account for."""
        ...


@runtime_checkable
class DescribedTask(Protocol):
    """A task that says in words what it is; else its schema's description says so.

    Example:
        >>> load_skill("shipping").task.instruction().partition(" ")[0]
        'Read'
    """

    def instruction(self) -> str:
        """Return what a model is to do, in words for people."""
        ...


@runtime_checkable
class WideningTask(Protocol):
    """A task with lessons that let an answer say more than its schema.

    Example:
        >>> isinstance(load_skill("shipping").task, WideningTask)
        False
    """

    def schema_under(self, fixes: Sequence[Fix]) -> JsonObject:
        """Return the JSON schema of the answer to a prompt with these fixes."""
        ...

    def read_under(self, text: str, fixes: Sequence[Fix]) -> Reading:
        """Read a completion of a prompt with these fixes.

        Raises:
            InvalidAnswer: the text holds no answer of the right form.
        """
        ...


@runtime_checkable
class RevisedTask(Protocol):
    """A task whose answers may change their form, which leaves lessons behind that do not fit it.

    Example:
        >>> isinstance(load_skill("shipping").task, RevisedTask)
        False
    """

    def misfit(self, fix: Fix) -> str:
        """Return why a lesson does not fit the answers as they are now; empty if it does.

        Such a lesson is set aside: no prompt shows it until it fits again.
        """
        ...


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


@runtime_checkable
class AskingProposer(Proposer, Protocol):
    """One that asks a model, and can do so for several failures beside each other.

    Example:
        >>> proposer = load_skill("shipping").model_proposer(ScriptedBackend())
        >>> isinstance(proposer, AskingProposer)
        True
    """

    def prepare(self, failures: Sequence[tuple[Trace, Feedback]]) -> bool:
        """Ask ahead what proposing for these failures will ask, and say whether it could be."""
        ...


@runtime_checkable
class TellingProposer(Protocol):
    """A proposer that says what the detail of a person's feedback takes.

    Example:
        >>> load_skill("shipping").proposer.details()["item_unknown"].partition(";")[0]
        'its category, one word ("toys")'
    """

    def details(self) -> Mapping[str, str]:
        """Return, by label, what the detail takes, in words that follow `it takes: `."""
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


@runtime_checkable
class GeneratingSimulator(Protocol):
    """A simulation that makes up its requests.

    Example:
        >>> isinstance(load_skill("shipping").simulator, GeneratingSimulator)
        True
    """

    def requests(self, rng: random.Random) -> Iterator[Case]:
        """Yield cases without end, none of them among the held-out ones."""
        ...


@runtime_checkable
class OracleSimulator(Protocol):
    """A simulation that knows the rules behind its cases, so that there is a ceiling.

    Example:
        >>> isinstance(load_skill("shipping").simulator, OracleSimulator)
        True
    """

    def uncovered(self, case: Case) -> Sequence[Fix]:
        """Return the rules that the case needs and every prompt lacks, for the ceiling.

        With those that stand in every prompt, the ceiling has exactly what concerns the case.
        """
        ...


@runtime_checkable
class DriftingSimulator(Protocol):
    """A simulation whose rules can change while it runs.

    Example:
        >>> isinstance(load_skill("shipping").simulator, DriftingSimulator)
        True
    """

    def drift(self, rng: random.Random) -> tuple[str, ...]:
        """Change the rules from now on, and say what has changed, a sentence each."""
        ...


@runtime_checkable
class ComparingSimulator(Protocol):
    """A simulation that judges answers to any request by a right one, which somebody gave.

    One without it judges a case whose truth is the right output.

    Example:
        >>> simulator = load_skill("shipping").simulator
        >>> output = lab.traces.get(0).output
        >>> simulator.compare("2 kg bleach", {**output, "declarations": ["hazmat"]}, output).label
        'hazmat_undeclared'
    """

    def compare(self, request: str, right: Output, output: Output | None) -> Feedback:
        """Judge an output; None is an answer that could not be used.

        Raises:
            InputError: the right output leaves open what is right.
        """
        ...


@runtime_checkable
class OpenSimulator(Protocol):
    """A simulation with labels beyond those that it lists, as of values that lessons allow.

    Example:
        >>> isinstance(load_skill("shipping").simulator, OpenSimulator)
        False
    """

    def is_label(self, name: str) -> bool:
        """Return whether a name that is not listed is a label all the same."""
        ...


@runtime_checkable
class StreamingSimulator(Protocol):
    """A simulation whose requests are there already, and not generated.

    Example:
        >>> isinstance(load_skill("shipping").simulator, StreamingSimulator)
        False
    """

    def stream(self) -> Sequence[Case]:
        """Return the cases that a run goes through, in their order."""
        ...


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


def cases_of(simulator: Simulator, rng: random.Random) -> Iterator[Case]:
    """Yield the cases of a run: made up without end, or as the simulation has them.

    Raises:
        SkillError: it has none.
    """
    if isinstance(simulator, GeneratingSimulator):
        return simulator.requests(rng)
    if isinstance(simulator, StreamingSimulator):
        return iter(simulator.stream())
    raise SkillError("This skill brings no requests of its own; give them with --requests.")


def rules_needed(simulator: Simulator, case: Case) -> Sequence[Fix]:
    """Return the rules that a case needs and every prompt lacks; none where nobody knows them."""
    return simulator.uncovered(case) if isinstance(simulator, OracleSimulator) else ()


def compared(simulator: Simulator, request: str, right: Output, output: Output | None) -> Feedback:
    """Judge an answer to any request by a right one, which somebody gave.

    Args:
        simulator: judges.
        request: what was asked.
        right: the right output.
        output: the one to judge; None is an answer that could not be used.

    Raises:
        InputError: the right output leaves open what is right.
    """
    if isinstance(simulator, ComparingSimulator):
        return simulator.compare(request, right, output)
    return simulator.judge(Case(request=request, truth=right), output)


def instruction_of(task: SkillTask) -> str:
    """Return what a task is, in words for people; empty if nothing says so."""
    if isinstance(task, DescribedTask):
        return task.instruction()
    return str(task.answer_schema.get("description", ""))


def misfit(task: SkillTask, fix: Fix) -> str:
    """Return why a lesson does not fit a task's answers as they are now; empty if it does."""
    return task.misfit(fix) if isinstance(task, RevisedTask) else ""


def fitting_fix(task: SkillTask, data: JsonObject) -> Fix:
    """Build a fix from JSON that comes from outside the store.

    Raises:
        ValueError: it is no fix of the task's, or does not fit its answers as they are now.
    """
    fix = task.parse_fix(data)
    if problem := misfit(task, fix):
        raise ValueError(problem)
    return fix


Falsify: TypeAlias = Callable[[Case, Output | None, Feedback, random.Random], Feedback]
"""Case, answer and the true feedback → feedback that is plausible and false."""


@dataclass(frozen=True)
class Skill:
    """A domain, in parts that are handed out one by one.

    Example:
        >>> skill = load_skill("shipping")
        >>> skill.name, len(skill.backends), skill.has_oracle
        ('shipping', 1, True)
    """

    name: str
    task: SkillTask
    proposer: Proposer
    simulator: Simulator
    backends: Mapping[str, Callable[[int, float], Backend]]
    """Simulated backends by name, the preferred one first: (seed, noise) → backend."""
    model_proposer: Callable[[Backend], Proposer] | None = None
    """A proposer that asks a model: backend → proposer."""
    falsify: Falsify | None = None
    """How the simulated judge errs, where it is asked to."""
    cassette: Path | None = None
    """A recorded run of a real model, to be played where no other is named."""
    thesaurus: Thesaurus | None = None
    """Names the subject of a lesson otherwise, so that what was learned of `lb` serves `lbs`."""
    max_trigger_share: float = MAX_TRIGGER_SHARE
    """Largest share of the regression suite in which a trigger may occur, 0 to 1."""
    max_request_chars: int = MAX_REQUEST_CHARS
    """Characters that a request may have."""
    model_thesaurus: Callable[[Backend], Thesaurus] | None = None
    """A thesaurus that asks a model: backend → thesaurus."""
    prefers_model: bool = False
    """Whether a real model proposes patches unless the settings say who does."""

    @property
    def has_oracle(self) -> bool:
        """Whether the rules behind the cases are known, so that there is a ceiling."""
        return isinstance(self.simulator, OracleSimulator)

    @property
    def labels(self) -> Labels:
        """What may be said of an answer that is wrong."""
        listed = self.simulator.labels
        if isinstance(self.simulator, OpenSimulator):
            return Labels(listed, self.simulator.is_label)
        return Labels(listed)

    def guarded(self) -> Skill:
        """Return the same skill with its parts guarded: their mistakes end a run as outages do."""
        part = partial(guarded, skill=self.name)
        call = partial(guarded_call, skill=self.name)

        def made(of: Callable[..., Value], name: str, promises: Promises) -> Callable[..., Value]:
            make = call(of, name)
            return lambda *args: part(make(*args), name, promises)

        return replace(
            self,
            task=part(self.task, "Task", _TASK),
            proposer=part(self.proposer, "Proposer", _PROPOSER),
            simulator=part(self.simulator, "Simulator", _SIMULATOR),
            backends={
                name: made(backend, f"Backend {name!r}", _BACKEND)
                for name, backend in self.backends.items()
            },
            model_proposer=self.model_proposer
            and made(self.model_proposer, "model_proposer", _PROPOSER),
            falsify=self.falsify and call(self.falsify, "falsify", _SIMULATOR["judge"]),
            thesaurus=self.thesaurus and part(self.thesaurus, "Thesaurus"),
            model_thesaurus=self.model_thesaurus
            and made(self.model_thesaurus, "model_thesaurus", {}),
        )


_TASK: Promises = {
    "read": Promise(gives=(Reading,), raises=(InvalidAnswer,)),
    "schema_under": Promise(gives=(dict,)),
    "read_under": Promise(gives=(Reading,), raises=(InvalidAnswer,)),
    "parse_fix": Promise(gives=(Fix,), raises=(ValueError,)),
    "misfit": Promise(gives=(str,)),
    "examples_of": Promise(gives=(Sequence,)),
    "judged": Promise(gives=(dict,)),
    "may_show": Promise(gives=(bool,)),
    "verdict": Promise(gives=(Verdict,)),
    "instruction": Promise(gives=(str,)),
}
_PROPOSER: Promises = {
    "propose": Promise(gives=(Proposal,)),
    "details": Promise(gives=(Mapping,)),
}
_SIMULATOR: Promises = {
    "judge": Promise(gives=(Feedback,)),
    "compare": Promise(gives=(Feedback,), raises=(InputError,)),
    "requests": Promise(gives=(Case,)),
    "read_cases": Promise(gives=(list,), raises=(InputError,)),
    "golden": Promise(gives=(Sequence,)),
    "regression": Promise(gives=(Sequence,)),
    "uncovered": Promise(gives=(Sequence,)),
    "expected": Promise(gives=(dict,)),
    "confusion": Promise(gives=(Mapping,)),
    "is_label": Promise(gives=(bool,)),
}
_BACKEND: Promises = {"complete": Promise(gives=(Completion,))}


def skill_names() -> list[str]:
    """Names of all installed skills, sorted."""
    return sorted({point.name for point in entry_points(group=ENTRY_POINT_GROUP)})


def load_skill(name: str) -> Skill:
    """Find an installed skill by name; its parts are guarded.

    Raises:
        SkillError: no skill has that name, it cannot be loaded, or its entry point does not give a
            `Skill`.

    Example:
        >>> load_skill("shipping").name
        'shipping'
    """
    for point in entry_points(group=ENTRY_POINT_GROUP, name=name):
        package = point.value.partition(":")[0].partition(".")[0]
        with Member(f"The entry point of skill {name!r}", package=package).running():
            skill = point.load()()
        if not isinstance(skill, Skill):
            raise SkillError(f"The entry point of skill {name!r} gives no Skill; reinstall it.")
        return skill.guarded()
    found = ", ".join(skill_names()) or "none"
    raise SkillError(f"There is no skill {name!r}; installed are: {found}.")
