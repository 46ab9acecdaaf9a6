"""A skill, a store and a model with what decides and learns between them."""

from __future__ import annotations

from functools import cached_property
from typing import Literal

from patchlab_agent.agent.agent import Agent
from patchlab_agent.backends.base import Backend
from patchlab_agent.backends.meter import MeteredBackend
from patchlab_agent.backends.recording import RecordingBackend
from patchlab_agent.errors import UsageError
from patchlab_agent.gate.base import AcceptanceCriterion, OpenGate
from patchlab_agent.gate.gate import Gate
from patchlab_agent.lab.backend_choice import patcher_of
from patchlab_agent.lab.stored_lab import StoredLab
from patchlab_agent.learning.example_evidence import ExampleEvidence
from patchlab_agent.learning.learner import Learner
from patchlab_agent.learning.lifecycle import Lifecycle
from patchlab_agent.runs.evaluation import Evaluator
from patchlab_agent.runs.suite import labeled_cases
from patchlab_agent.settings import AgentSettings
from patchlab_agent.skill.seam import Proposer, Thesaurus
from patchlab_agent.skill.skill import Skill
from patchlab_agent.store.store import Store


class AssembledLab(StoredLab):
    """A store with a model and all that learns, each part built when it is first needed.

    Args:
        skill: the domain.
        store: patches and traces.
        agent: answers requests.
        meter: counts what the model's calls came to.
        settings: who proposes patches, and how the gate decides on them.
        model: what answers in the end, behind caches and meters.
    """

    def __init__(
        self,
        skill: Skill,
        store: Store,
        agent: Agent,
        meter: MeteredBackend,
        *,
        settings: AgentSettings | None = None,
        model: Backend | None = None,
    ) -> None:
        super().__init__(skill, store, agent.clock)
        self.agent = agent
        self.meter = meter
        self.settings = settings or AgentSettings()
        self.model = model

    @property
    def recording(self) -> RecordingBackend | None:
        """The cassette in the making, if there is one."""
        return self.model if isinstance(self.model, RecordingBackend) else None

    @cached_property
    def gate(self) -> AcceptanceCriterion:
        """Decides on patches by evidence, or activates them all if it is off."""
        if self.settings.gate == "off":
            return OpenGate()
        return Gate(
            self.agent,
            labeled_cases(self.skill.simulator),
            self.store.traces,
            judged=self.skill.task.judged,
            alpha=self.settings.gate_alpha,
            max_calls=self.settings.gate_max_calls,
            max_trigger_share=self.skill.max_trigger_share,
            trusted=lambda origin: origin in self.settings.trust.split(","),
        )

    @cached_property
    def learner(self) -> Learner:
        """Turns failures into patches, with a proposer of the skill's and a gate."""
        return Learner(
            self.proposer,
            self.gate,
            self.lifecycle,
            self.store.patches,
            thesauri=self._thesauri,
            examples=ExampleEvidence(self.store.examples, self.store.patches, self.gate),
        )

    @property
    def _thesauri(self) -> tuple[Thesaurus, ...]:
        """What names the subjects of lessons otherwise: the skill's, and a model if it is asked."""
        asks = self.skill.model_thesaurus if self.settings.ask_names else None
        return (
            *([self.skill.thesaurus] if self.skill.thesaurus else []),
            *([asks(self.meter)] if asks else []),
        )

    @cached_property
    def lifecycle(self) -> Lifecycle:
        """Moves patches between their statuses."""
        return Lifecycle(
            self.gate, self.store.patches, self.agent.clock, alpha=self.settings.gate_alpha
        )

    @property
    def patcher(self) -> Literal["rules", "llm"]:
        """Who proposes patches, whatever the settings leave open."""
        return patcher_of(self.skill, self.settings)

    @property
    def proposer(self) -> Proposer:
        """Proposes patches: the skill's rules, or the model, as the settings say."""
        if self.patcher == "rules":
            return self.skill.proposer
        if self.skill.model_proposer is None:
            raise UsageError(f"Skill {self.skill.name!r} lets no model propose; use its rules.")
        return self.skill.model_proposer(self.meter)

    @cached_property
    def evaluator(self) -> Evaluator:
        """Compares patched, baseline and ceiling."""
        return Evaluator(self.agent, self.skill.simulator)

    def close(self) -> None:
        """Write what is pending, and let go of store and model."""
        try:
            super().close()
        finally:
            self.meter.close()
