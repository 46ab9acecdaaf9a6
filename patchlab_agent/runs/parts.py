"""The parts of a lab that a run or a study needs."""

from __future__ import annotations

from typing import Protocol

from patchlab_agent.agent.agent import Agent
from patchlab_agent.backends.meter import MeteredBackend
from patchlab_agent.backends.recording import RecordingBackend
from patchlab_agent.gate.base import AcceptanceCriterion
from patchlab_agent.learning.learner import Learner
from patchlab_agent.runs.evaluation import Evaluator
from patchlab_agent.skill.skill import Skill
from patchlab_agent.store.store import Store


class Parts(Protocol):
    """What a run, or a study, needs of a lab."""

    skill: Skill
    store: Store
    agent: Agent
    meter: MeteredBackend

    @property
    def recording(self) -> RecordingBackend | None:
        """The cassette in the making, if there is one."""
        ...

    @property
    def gate(self) -> AcceptanceCriterion:
        """Decides on patches."""
        ...

    @property
    def learner(self) -> Learner:
        """Turns failures into patches."""
        ...

    @property
    def evaluator(self) -> Evaluator:
        """Compares patched, baseline and ceiling."""
        ...
