"""Puts a skill, a store and a model together; the only place that builds concretes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import TracebackType

from patchlab_agent.agent.agent import Agent, utc_now
from patchlab_agent.agent.holdout import Holdout
from patchlab_agent.backends.base import Backend
from patchlab_agent.backends.cache import CachedBackend
from patchlab_agent.backends.meter import MeteredBackend
from patchlab_agent.backends.recording import (
    RecordingBackend,
)
from patchlab_agent.conversation import MAX_REPAIRS
from patchlab_agent.errors import UsageError
from patchlab_agent.gate.base import AcceptanceCriterion, OpenGate
from patchlab_agent.gate.evidence import Referee
from patchlab_agent.gate.gate import Gate
from patchlab_agent.lab import models
from patchlab_agent.learning.example_evidence import ExampleEvidence
from patchlab_agent.learning.learner import Learned, Learner
from patchlab_agent.learning.lifecycle import Lifecycle
from patchlab_agent.models.patch import Origin, PatchEvent
from patchlab_agent.models.trace import Feedback, Trace
from patchlab_agent.runs.evaluation import Evaluator
from patchlab_agent.runs.suite import labeled_cases
from patchlab_agent.settings import (
    DEFAULT_CONTEXT_TOKENS,
    DEFAULT_STORE,
    AgentSettings,
    agent_settings,
)
from patchlab_agent.skill import Proposer, Skill, load_skill
from patchlab_agent.store.store import Store

CACHED_ANSWERS = 16384
"""A few times what a run of a thousand requests asks for."""


@dataclass
class Lab:
    """A skill, a store and a model, put together and ready to use.

    Attributes:
        skill: the domain.
        store: patches and traces; `store.patches` is the `PatchStore`.
        agent: answers requests.
        meter: counts what the model's calls came to.
        settings: who proposes patches, and how the gate decides on them.
        model: what answers in the end, behind caches and books.
    """

    skill: Skill
    store: Store
    agent: Agent
    meter: MeteredBackend
    settings: AgentSettings = field(default_factory=AgentSettings)
    model: Backend | None = None

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
            labeled_cases(self.skill.world),
            self.store.traces,
            judged=self.skill.task.judged,
            alpha=self.settings.gate_alpha,
            max_calls=self.settings.gate_max_calls,
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
            thesaurus=self.skill.thesaurus,
            examples=ExampleEvidence(self.store.examples, self.store.patches, self.gate),
        )

    @cached_property
    def lifecycle(self) -> Lifecycle:
        """Moves patches between their statuses."""
        return Lifecycle(
            self.gate, self.store.patches, self.agent.clock, alpha=self.settings.gate_alpha
        )

    @property
    def proposer(self) -> Proposer:
        """Whatever the settings let propose: the skill's rules, or the model."""
        if self.settings.patcher == "rules":
            return self.skill.proposer
        if self.skill.model_proposer is None:
            raise UsageError(f"Skill {self.skill.name!r} lets no model propose; use its rules.")
        return self.skill.model_proposer(self.meter)

    @cached_property
    def evaluator(self) -> Evaluator:
        """Compares patched, baseline and ceiling."""
        return Evaluator(self.agent, self.skill.world)

    def learn(
        self, trace: Trace, feedback: Feedback, referee: Referee | None = None
    ) -> tuple[PatchEvent, ...]:
        """Take feedback on an answer, store the judged trace, and say what was learned.

        Args:
            trace: an answer of the agent.
            feedback: what somebody said to it.
            referee: judges new answers to the same request as this one was judged: another call of
                the real API, a judge function, a labeled row. Without one, a lesson that nothing
                else at hand can tell is taken on trial on the word of whoever brings it.

        Raises:
            BackendError: the model failed during the gate; the feedback is stored, no patch is.
        """
        learned = Learned()
        try:
            learned = self.learner.learn(trace, feedback, referee, origin=Origin.PERSON)
        finally:
            judged = {
                "feedback": feedback,
                "events": (*trace.events, *learned.events),
                "corrected": learned.corrected,
            }
            self.store.traces.add(trace.model_copy(update=judged))
        return learned.events

    def close(self) -> None:
        """Write what is pending and let go of store and model."""
        try:
            self.store.close()
        finally:
            self.meter.close()

    def __enter__(self) -> Lab:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def open_lab(
    skill: str = "shipping",
    *,
    backend: str | Backend = "toy",
    store: str | Path = DEFAULT_STORE,
    seed: int = 7,
    noise: float = 0.03,
    top_k: int = 5,
    examples: int = 3,
    context_tokens: int = DEFAULT_CONTEXT_TOKENS,
    holdout: float = 0.0,
    embedder: str | None = None,
    clock: Callable[[], str] = utc_now,
) -> Lab:
    """Put a skill, a store and a model together.

    Args:
        skill: name of an installed skill.
        backend: name of one of the skill's simulated backends, or an object with the
            members of `Backend`.
        store: the store's folder; made if it is not there.
        seed: of a simulated backend's noise, and of what `holdout` leaves out.
        noise: a simulated backend's mistakes per field, 0 to 1.
        top_k: patches to retrieve per request.
        examples: right answers to show per request, at most.
        context_tokens: what lessons and examples may add to a prompt, estimated in tokens.
        holdout: share of its uses, 0 to below 1, that each lesson is left out of by a draw; what
            becomes of the answers without it and with it decides about its standing.
        embedder: `hashing` or `wordllama`; None takes the store's.
        clock: the time as ISO 8601.

    Raises:
        SkillError: there is no such skill.
        UsageError: the skill has no such backend, there is no such embedder, or a value is out
            of range.
        StoreError: the store cannot be opened.
        PromptError: the skill's templates are broken.
    """
    settings = agent_settings(
        skill=skill,
        backend=backend if isinstance(backend, str) else backend.name,
        store=store,
        seed=seed,
        noise=noise,
        top_k=top_k,
        examples=examples,
        context_tokens=context_tokens,
        holdout=holdout,
        embedder=embedder,
    )
    model = None if isinstance(backend, str) else backend
    return lab_of(settings, model=model, clock=clock)


def lab_of(
    settings: AgentSettings,
    *,
    model: Backend | None = None,
    clock: Callable[[], str] = utc_now,
    write: bool = True,
) -> Lab:
    """The lab that settings describe; raises what `open_lab` raises.

    Args:
        settings: what decides about an answer.
        model: takes the place of the backend that the settings name.
        clock: the time as ISO 8601.
        write: False opens the store for reading, beside a process that writes; it must be there.
    """
    skill = load_skill(settings.skill)
    is_simulated = model is None and settings.backend in skill.backends
    model = model or models.backend_of(skill, settings)
    # Where spending is limited, it goes to what is at hand, not to what comes next.
    ahead = not is_simulated and not models.budget_of(settings).is_limited
    cached = CachedBackend(model, CACHED_ANSWERS, width=settings.concurrency if ahead else 1)
    meter = MeteredBackend(cached)
    store = Store(
        settings.store,
        skill.name,
        skill.task.parse_fix,
        skill.task.may_show,
        embedder_name=settings.embedder,
        write=write,
    )
    try:
        agent = Agent(
            skill.task,
            meter,
            store.patches,
            store.examples,
            top_k=settings.top_k,
            n_examples=settings.examples,
            context_tokens=settings.context_tokens,
            # A simulated model makes the same mistake again on the same draw.
            max_repairs=0 if is_simulated else MAX_REPAIRS,
            holdout=Holdout(settings.holdout, settings.seed),
            clock=clock,
        )
        if write:
            store.keep_prompt(agent.system)
    except BaseException:
        store.close()
        raise
    return Lab(skill, store, agent, meter, settings, model)
