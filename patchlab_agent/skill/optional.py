"""What the parts of a skill may do besides what they must, and what holds where they do not."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, runtime_checkable

from patchlab_agent.errors import SkillError
from patchlab_agent.models.base import JsonObject, Output
from patchlab_agent.models.case import Case
from patchlab_agent.models.patch import Fix
from patchlab_agent.models.trace import Feedback, Trace
from patchlab_agent.models.verdict import Verdict
from patchlab_agent.skill.seam import Proposer, Reading, Simulator, SkillTask


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
class StreamingSimulator(Protocol):
    """A simulation whose requests are there already, and not generated.

    Example:
        >>> isinstance(load_skill("shipping").simulator, StreamingSimulator)
        False
    """

    def stream(self) -> Sequence[Case]:
        """Return the cases that a run goes through, in their order."""
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
