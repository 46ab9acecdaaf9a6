"""The only place that builds concretes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from patchlab_agent.agent import Agent, utc_now
from patchlab_agent.backends.base import Backend
from patchlab_agent.backends.budget import Budget, BudgetedBackend
from patchlab_agent.backends.cache import CachedBackend
from patchlab_agent.backends.cassette import Cassette, ReplayBackend
from patchlab_agent.backends.llm import DEFAULT_RETRIES, LlmBackend
from patchlab_agent.backends.meter import MeteredBackend
from patchlab_agent.backends.recording import (
    REQUESTS,
    RecordingBackend,
    begun,
    check_same_run,
)
from patchlab_agent.conversation import MAX_REPAIRS
from patchlab_agent.embedding import embedder as build_embedder
from patchlab_agent.errors import StoreError, UsageError
from patchlab_agent.evaluation import Evaluator
from patchlab_agent.example_evidence import ExampleEvidence
from patchlab_agent.gate.base import AcceptanceCriterion, OpenGate
from patchlab_agent.gate.evidence import Labeled, Referee
from patchlab_agent.gate.gate import Gate
from patchlab_agent.holdout import Holdout
from patchlab_agent.learner import Learned, Learner
from patchlab_agent.lifecycle import Lifecycle
from patchlab_agent.models.base import JsonObject, digest
from patchlab_agent.models.case import Case
from patchlab_agent.models.model import ModelParameters, without_login
from patchlab_agent.models.patch import Origin, PatchEvent
from patchlab_agent.models.trace import Feedback, Trace
from patchlab_agent.settings import (
    DEFAULT_CONTEXT_TOKENS,
    DEFAULT_RUNS,
    DEFAULT_STORE,
    LITELLM,
    MODEL,
    RECORDED,
    REPLAY,
    AgentSettings,
    RunSettings,
    agent_settings,
)
from patchlab_agent.skill import DriftingWorld, Proposer, Skill, World, load_skill
from patchlab_agent.store.layout import delete_store, read_info
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
    model = model or backend_of(skill, settings)
    # Where spending is limited, it goes to what is at hand, not to what comes next.
    ahead = not is_simulated and not budget_of(settings).is_limited
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


def open_store(path: Path, *, write: bool = False) -> Store:
    """A store without a model; its skill must be installed.

    Args:
        path: its folder; no new one is made.
        write: False opens it for looking into, beside whoever writes to it.

    Raises:
        StoreError: there is none at the path, or it cannot be opened.
        SkillError: its skill is not installed.
    """
    if write:
        require_store(path)
    info = read_info(path)
    skill = load_skill(info.skill if info else AgentSettings().skill)
    return Store(path, skill.name, skill.task.parse_fix, skill.task.may_show, write=write)


def require_store(path: Path) -> None:
    """Make sure that a store is there, before a command that is about one makes it.

    Raises:
        StoreError: there is none at the path.
    """
    if read_info(path) is None:
        raise StoreError(f"There is no store at {path}; run `patchlab-agent run` to make one.")


def labeled_cases(world: World) -> list[Labeled]:
    """Return the regression suite as the gate asks it, by the rules that hold now."""

    def labeled(case: Case) -> Labeled:
        return Labeled(case.request, world.expected(case), lambda quote: world.judge(case, quote))

    return [labeled(case) for case in world.regression()]


def lifecycle_by_hand(store: Store, clock: Callable[[], str] = utc_now) -> Lifecycle:
    """Return what moves patches as a person says, which needs no model: its gate tests nothing."""
    return Lifecycle(OpenGate(), store.patches, clock, alpha=AgentSettings().gate_alpha)


def labels_in(store: Store) -> tuple[str, ...]:
    """The error labels of the skill that a store is of.

    Raises:
        SkillError: it is not installed.
    """
    return load_skill(store.info.skill).world.labels


@dataclass(frozen=True)
class StoreContents:
    """What is in a store, in numbers."""

    patches: int
    active: int
    traces: int
    runs: int


def store_contents(path: Path) -> StoreContents | None:
    """What a store holds, or None where there is none.

    Raises:
        StoreError: the path holds something else, or a store that cannot be read.
    """
    if read_info(path) is None:
        return None
    with open_store(path) as store:
        return StoreContents(
            store.patches.count(),
            store.patches.active_count,
            store.traces.count(),
            store.info.runs,
        )


def forget(path: Path) -> None:
    """Delete a store and all that it learned.

    Raises:
        StoreError: the path holds something else, or it is in use or cannot be deleted.
    """
    delete_store(path)


def recorded_run(settings: RunSettings, cases: Sequence[Case] | None) -> JsonObject:
    """What a cassette keeps of a run, so that a replay can be the same one.

    Args:
        settings: the run's.
        cases: the user's labeled requests, or None where they are generated.
    """
    requests = None if cases is None else digest([case.model_dump() for case in cases])
    return {**settings.model_dump(mode="json", include=set(RECORDED)), REQUESTS: requests}


def check_replayable(settings: RunSettings, cases: Sequence[Case] | None, *, fresh: bool) -> None:
    """Make sure that a run to record can be replayed, and that one to replay is the recorded one.

    Args:
        settings: what is asked for.
        cases: the user's labeled requests, or None where they are generated.
        fresh: whether the store is to be begun anew.

    Raises:
        UsageError: something was learned before, or a replay's requests are not the recorded ones.
        InputError: the cassette to record into is of another kind of run, or cannot be read.
        StoreError, SkillError: the store or the skill cannot be used.
    """
    run = recorded_run(settings, cases)
    if settings.backend == REPLAY:
        path = cassette_path(load_skill(settings.skill), settings.replay)
        recorded = Cassette(path).header.settings
        if recorded.get(REQUESTS, run[REQUESTS]) != run[REQUESTS]:
            remedy = "give its file with" if recorded[REQUESTS] else "leave out"
            raise UsageError(f"{path} was recorded on other requests; {remedy} --requests.")
    elif settings.record is None:
        return
    elif (cassette := begun(settings.record)) is not None:
        check_same_run(settings.record, cassette.header, run)
    contents = None if fresh else store_contents(settings.store)
    if contents is not None and (contents.runs or contents.patches or contents.traces):
        what = "replay" if settings.backend == REPLAY else "record"
        raise UsageError(
            f"To {what} a run takes a store with nothing in it; add --fresh, or name another one "
            f"than {settings.store} with --store."
        )


def check_settings(settings: RunSettings) -> list[Case] | None:
    """Find out, before anything is touched, whether a run can start.

    Returns:
        The user's labeled requests, or None where generated ones are asked for.

    Raises:
        SkillError, UsageError, InputError, StoreError, MissingExtra: whatever is wrong first.
    """
    skill = load_skill(settings.skill)
    backend_of(skill, settings).close()
    if settings.patcher == "llm" and skill.model_proposer is None:
        raise UsageError(f"Skill {skill.name!r} has no --patcher llm; use --patcher rules.")
    if settings.embedder is not None:
        build_embedder(settings.embedder)
    if settings.false_feedback and skill.falsify is None:
        raise UsageError(f"Skill {skill.name!r} has no false feedback; leave --false-feedback out.")
    if settings.drift is not None and not isinstance(skill.world, DriftingWorld):
        raise UsageError(f"The rules of skill {skill.name!r} never change; leave --drift out.")
    if settings.drift is not None and settings.drift > (settings.runs or DEFAULT_RUNS):
        raise UsageError(
            f"--drift {settings.drift} is after the last run; give a number up to --runs."
        )
    available = len(skill.world.golden())
    if settings.golden > available:
        raise UsageError(
            f"The golden set has {available} cases; give --golden a number from 0 to {available}."
        )
    read_info(settings.store)
    return None if settings.requests is None else skill.world.read_cases(settings.requests)


def backend_of(skill: Skill, settings: AgentSettings, *, retries: int = DEFAULT_RETRIES) -> Backend:
    """The model that settings name; a real one is not called yet.

    Args:
        skill: brings the simulated ones.
        settings: name it.
        retries: further calls of a real one after a passing failure.

    Raises:
        UsageError: there is no such backend, or settings contradict each other.
        InputError: a cassette cannot be used.
    """
    if settings.backend != LITELLM:
        _refuse_without_model(settings)
    if settings.backend != REPLAY and settings.replay is not None:
        raise UsageError(f"--replay is for --backend {REPLAY}; leave one of the two out.")
    if settings.backend in skill.backends:
        return skill.backends[settings.backend](settings.seed, settings.noise)
    if settings.backend == LITELLM:
        return _real(settings, retries)
    if settings.backend == REPLAY:
        return ReplayBackend(Cassette(cassette_path(skill, settings.replay)))
    known = ", ".join([*sorted(skill.backends), LITELLM, REPLAY])
    raise UsageError(f"There is no backend {settings.backend!r}; choose one of: {known}.")


def cassette_path(skill: Skill, wanted: Path | None) -> Path:
    """The cassette to play: the one asked for, or the skill's own.

    Raises:
        UsageError: none is asked for, and the skill has none.
    """
    path = wanted or skill.cassette
    if path is None:
        raise UsageError(f"Skill {skill.name!r} brings no cassette; name one with --replay FILE.")
    return path


def recorded_settings(skill: str, cassette: Path | None) -> dict[str, Any]:
    """The settings of the run that a cassette was recorded in.

    Raises:
        InputError, UsageError, SkillError: there is no such cassette, or it cannot be used.
    """
    header = Cassette(cassette_path(load_skill(skill), cassette)).header
    return {name: value for name, value in header.settings.items() if name in RECORDED}


def _refuse_without_model(settings: AgentSettings) -> None:
    for name in (*MODEL, "record"):
        if getattr(settings, name) != AgentSettings.model_fields[name].default:
            option = name.replace("_", "-")
            raise UsageError(f"--{option} is for a real model; add --backend {LITELLM} --model ….")


def budget_of(settings: AgentSettings) -> Budget:
    """What a run may spend."""
    return Budget(settings.max_calls, settings.max_cost, settings.max_tokens_total)


def _check_address(api_base: str) -> None:
    try:
        parts = urlsplit(api_base)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise UsageError(
            f"--api-base {without_login(api_base)!r} is no address; write it as in "
            f"http://127.0.0.1:8080/v1."
        )


def _real(settings: AgentSettings, retries: int) -> Backend:
    if settings.model is None:
        raise UsageError(
            f"--backend {LITELLM} needs --model, as in --model ollama_chat/qwen2.5-coder:1.5b."
        )
    if settings.api_base is not None:
        _check_address(settings.api_base)
    parameters = ModelParameters(
        model=settings.model,
        temperature=settings.temperature,
        max_tokens=settings.max_tokens,
        seed=settings.seed_model,
    )
    model = LlmBackend(
        parameters,
        api_base=settings.api_base,
        timeout=settings.timeout,
        retries=retries,
        concurrency=settings.concurrency,
    )
    budget = budget_of(settings)
    spending = BudgetedBackend(model, budget, settings.concurrency) if budget.is_limited else model
    if settings.record is None:
        return spending
    return RecordingBackend(
        spending, model, settings.record, note=settings.record_note, group=settings.concurrency
    )
