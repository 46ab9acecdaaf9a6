"""A gate over the words skill, with all that a test does not care about filled in."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path

from patchlab_agent.agent.agent import Agent
from patchlab_agent.backends.base import Answered, Backend, WrappedBackend, complete_batch
from patchlab_agent.gate.base import Candidate
from patchlab_agent.gate.evidence import Labeled, Referee
from patchlab_agent.gate.gate import ALPHA, MAX_CALLS, Gate
from patchlab_agent.models.base import JsonObject
from patchlab_agent.models.evidence import GateReport
from patchlab_agent.models.patch import Fix, Origin, Patch, PatchTest
from patchlab_agent.models.prompt import Prompt
from patchlab_agent.models.ranking import rank
from patchlab_agent.models.trace import Retrieved, Trace
from patchlab_agent.models.trigger import Always, Trigger
from patchlab_agent.text import occurs
from tests.support.make import failing, labeled, make_hit, make_patch, make_trace
from tests.support.words_skill import Reader, WordsReferee, WordsTask, write_templates

RED: JsonObject = {"zok": "red"}
WHITE: JsonObject = {"salt": "white"}
OTHERS = tuple(labeled(f"salt {n}", WHITE) for n in ("one", "two", "six", "ten"))
"""Labeled cases without any word that is to be learned."""
Disturb = Callable[[str, str, JsonObject], None]


class Shelf:
    """Active patches in a list."""

    def __init__(self, *patches: Patch) -> None:
        self.patches = list(patches)

    def search(
        self,
        request: str,
        k: int,
        *,
        similar: bool = True,
        fits: Callable[[Fix], bool] = lambda _: True,
    ) -> tuple[Retrieved, ...]:
        return rank((self.hit(patch, request) for patch in self.patches if fits(patch.fix)), k)

    def hit(self, patch: Patch, request: str) -> Retrieved:
        is_meant = isinstance(patch.trigger, Always) or occurs(patch.trigger_text, request)
        return make_hit(patch, occurs=is_meant)


class NoExamples:
    """Examples would let a decision rest on more than the patch."""

    def similar(self, request: str, n: int) -> tuple[()]:
        raise AssertionError("the gate asked for examples")

    def covering(self, request: str, covered: Collection[str], n: int) -> tuple[()]:
        raise AssertionError("the gate asked for examples")


class Accepted:
    """Answers that were accepted before, the newest first."""

    def __init__(self, *traces: Trace) -> None:
        self.traces = traces

    def accepted(self, trigger: Trigger, n: int) -> Sequence[Trace]:
        return [trace for trace in self.traces if occurs(str(trigger), trace.request)][:n]


class Rounds(WrappedBackend):
    """Notes how many prompts come at a time."""

    def __init__(self, inner: Backend) -> None:
        super().__init__(inner)
        self.sizes: list[int] = []

    def complete_batch(self, prompts: Sequence[Prompt]) -> list[Answered]:
        self.sizes.append(len(prompts))
        return complete_batch(self.inner, prompts)


def taken(request: str, quote: JsonObject) -> Trace:
    """A trace whose answer the feedback took."""
    return make_trace(f"of {request}", request, output=quote)


def make_gate(
    folder: Path,
    backend: Backend,
    suite: Sequence[Labeled] = (),
    *active: Patch,
    accepted: Iterable[Trace] = (),
    top_k: int = 5,
    context_tokens: int | None = None,
    alpha: float = ALPHA,
    max_calls: int = MAX_CALLS,
    trusted: Sequence[str] = (),
    max_trigger_share: float = 1.0,
    **templates: str,
) -> Gate:
    """A gate that trusts nobody, and takes triggers however broad."""
    task = WordsTask(write_templates(folder / "templates", **templates))
    agent = Agent(
        task,
        backend,
        Shelf(*active),
        NoExamples(),
        top_k=top_k,
        context_tokens=context_tokens,
    )
    return Gate(
        agent,
        suite,
        Accepted(*accepted),
        judged=task.judged,
        alpha=alpha,
        max_calls=max_calls,
        trusted=lambda origin: origin in trusted,
        max_trigger_share=max_trigger_share,
    )


def zok(
    *tests: PatchTest,
    meaning: str = "red",
    request: str = "a zok",
    origin: Origin = Origin.STREAM,
) -> Patch:
    """Teaches what a zok is, born of one failing request."""
    return make_patch("zok", meaning, tests=(failing(request), *tests)).brought_by(origin)


def decide(gate: Gate, patch: Patch, referee: Referee | None = None) -> GateReport:
    """The gate's report; every word can be judged unless another referee says otherwise."""
    return gate.examine(Candidate(patch, referee or WordsReferee())).report


def decide_alone(gate: Gate, patch: Patch) -> GateReport:
    """The gate's report where nobody can judge answers."""
    return gate.examine(Candidate(patch)).report


def when(request: str, draws: str, **answer: str | None) -> Disturb:
    """Make these mistakes in that request's draws of the gate, given as digits."""

    def disturb(asked: str, draw: str, given: JsonObject) -> None:
        if asked == request and draw.removeprefix("gate:") in draws.split():
            given.update(answer)

    return disturb


def forgets_salt(request: str, draw: str, answer: JsonObject) -> None:
    """Told what a zok is, the model no longer knows what salt is."""
    if answer.get("zok") and "salt" in answer:
        answer["salt"] = None


def asked(backend: Reader) -> list[tuple[str, bool]]:
    """Each request that was asked, and whether with a rule for zok beside it."""
    return [(prompt.request, '"zok" means' in prompt.user) for prompt in backend.prompts]
