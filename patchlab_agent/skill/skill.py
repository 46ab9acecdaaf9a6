"""A skill, put together of its parts, and finding one by name.

A package offers a skill through the entry-point group `patchlab_agent.skills`; the entry point
names a callable without arguments that returns a `Skill`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from patchlab_agent.errors import InputError, InvalidAnswer, SkillError
from patchlab_agent.models.base import Output
from patchlab_agent.models.case import Case
from patchlab_agent.models.patch import Fix, Proposal
from patchlab_agent.models.prompt import Completion
from patchlab_agent.models.trace import Feedback
from patchlab_agent.models.verdict import Verdict
from patchlab_agent.skill.guard import Member, Promise, Promises, guarded, guarded_call
from patchlab_agent.skill.optional import OpenSimulator, OracleSimulator
from patchlab_agent.skill.seam import Labels, Proposer, Reading, Simulator, SkillTask, Thesaurus
from patchlab_agent.text import MAX_REQUEST_CHARS

if TYPE_CHECKING:
    from patchlab_agent.backends.base import Backend

Value = TypeVar("Value")

ENTRY_POINT_GROUP = "patchlab_agent.skills"
MAX_TRIGGER_SHARE = 0.2
"""Share of the regression suite in which most skills' triggers may occur: others say too little."""


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
