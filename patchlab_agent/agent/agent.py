"""The path of one request: retrieve → apply → render → complete → validate.

The agent sees a task, a backend, prompts and what was learned. It never sees the truth, a judge
or a gate, and it keeps nothing from one request to the next.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import TypeVar

from patchlab_agent.agent.budgeting import ContextBudget, estimated_tokens
from patchlab_agent.agent.conversation import Conversation, Reply, read_reply
from patchlab_agent.agent.holdout import NO_HOLDOUT, Holdout
from patchlab_agent.agent.rendering import Renderer
from patchlab_agent.agent.sources import ExampleSource, PatchSource
from patchlab_agent.backends.base import Backend
from patchlab_agent.errors import Interruption
from patchlab_agent.models.base import digest
from patchlab_agent.models.listing import RequestContext
from patchlab_agent.models.patch import Fix, Patch
from patchlab_agent.models.prompt import Completion, Prompt
from patchlab_agent.models.ranking import nearest_of_each, rank
from patchlab_agent.models.trace import Attempt, Context, Retrieved, RetrievedRef, Trace
from patchlab_agent.prompts import Prompts
from patchlab_agent.skill.optional import RevisedTask, WideningTask
from patchlab_agent.skill.seam import Reading, SkillTask
from patchlab_agent.text import MAX_REQUEST_CHARS, check_request, words

EMPTY = Context()
REMEMBERED = 1024
"""Texts of answers whose reading is remembered."""
ANSWERED = "answer"
"""The run name of traces that belong to no run."""


Found = TypeVar("Found", Trace, Attempt)


@dataclass(frozen=True)
class Ask:
    """A request to be answered, and how to identify its trace.

    Attributes:
        is_use: True if somebody needs the answer, so that it takes part in the holdout experiment;
            otherwise it only measures the lessons, with all of them in place.
    """

    request: str
    draw: str = "0"
    trace_id: str | None = None
    index: int = 0
    is_use: bool = False


@dataclass(frozen=True)
class Question:
    """A request to be answered under a given context."""

    request: str
    context: Context
    draw: str
    purpose: str = "answer"


def utc_now() -> str:
    """Return the current time in UTC as ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class Agent:
    """An agent that answers requests with what was learned so far.

    Args:
        task: the domain, as far as an agent may know it.
        backend: the model.
        patches: source of patches.
        examples: source of few-shot examples.
        top_k: number of patches to retrieve per request.
        n_examples: maximum number of examples to show per request.
        context_tokens: estimated tokens that lessons and examples may add to a prompt; None sets
            no limit.
        max_repairs: maximum number of turns that show the model what is wrong with an unusable
            answer.
        max_request_chars: characters that a request may have.
        holdout: leaves lessons out of a share of their uses.
        clock: returns the time as ISO 8601.
        new_id: returns a fresh trace id.

    Example:
        >>> trace = lab.agent.answer("Ship 1 kg bleach box to Japan")  # which nobody stores
        >>> trace.output["declarations"]
        ['hazmat']
    """

    def __init__(
        self,
        task: SkillTask,
        backend: Backend,
        patches: PatchSource,
        examples: ExampleSource,
        *,
        top_k: int = 5,
        n_examples: int = 3,
        context_tokens: int | None = None,
        max_repairs: int = 0,
        max_request_chars: int = MAX_REQUEST_CHARS,
        holdout: Holdout = NO_HOLDOUT,
        clock: Callable[[], str] = utc_now,
        new_id: Callable[[], str] = lambda: f"q-{uuid.uuid4().hex[:12]}",
    ) -> None:
        self.task = task
        self.backend = backend
        self.prompts = Prompts(task.prompts)
        # Told once: asked for each prompt and patch, and a check against a protocol is slow.
        self._revised = task if isinstance(task, RevisedTask) else None
        self._widening = task if isinstance(task, WideningTask) else None
        self._renderer = Renderer(task, self.prompts)
        self.stable = self._renderer.stable
        """The messages at the start of every prompt."""
        self.system = "\n\n".join(message.content for message in self.stable)
        self.system_digest = digest(self.system)
        self.covered_words = spoken_of(task.known_rules).union(task.filler_words)
        """The words of requests that need no example, whatever was learned."""
        self.clock = clock
        self._patches = patches
        self.examples = examples
        self.top_k = top_k
        self.n_examples = n_examples
        self.context_tokens = context_tokens
        self.max_request_chars = max_request_chars
        self._holdout = holdout
        # The answers of a pair, or of several draws, are often the same text.
        self._read = lru_cache(maxsize=REMEMBERED)(task.read)
        self._conversation = Conversation(backend, self._read, self.prompts.repair, max_repairs)
        self._new_id = new_id

    def answer(
        self,
        request: str,
        *,
        draw: str = "0",
        trace_id: str | None = None,
        run: str = ANSWERED,
        index: int = 0,
    ) -> Trace:
        """Answer one request with the present patches; the trace is not judged yet.

        The holdout may leave some of them out; the trace names these.

        Raises:
            InputError: the request is empty, too long or contains control characters.
            Interruption: the model's side or the skill failed.
        """
        check_request(request, self.max_request_chars)
        named = trace_id or self._new_id()
        ask = Ask(request, draw=draw, trace_id=named, index=index, is_use=True)
        context = self.context_of(ask)
        return self.trace(ask, run, context, self.attempt(request, context, draw))

    def prepare(self, request: str) -> RequestContext:
        """Return what was learned about a request, with the prompt that shows it.

        Raises:
            InputError: the request is empty, too long or contains control characters.
        """
        check_request(request, self.max_request_chars)
        context = self.context_of(Ask(request, trace_id=self._new_id(), is_use=True))
        prompt = self.render(request, context, "0")
        return RequestContext(
            request=request,
            context=context,
            messages=prompt.messages,
            answer_schema=prompt.answer_schema,
        )

    def recorded(
        self, prepared: RequestContext, completion: Completion, trace_id: str, index: int
    ) -> Trace:
        """Return the unjudged trace of an answer that a caller's own model gave.

        Raises:
            SkillError: the skill's task failed to read the answer.
        """
        prompt = self.render(prepared.request, prepared.context, "0")
        reply = read_reply(completion, self._reader(prepared.context), prepared.request)
        attempt = self._attempt(prompt, reply)
        ask = Ask(prepared.request, trace_id=trace_id, index=index, is_use=True)
        return self.trace(ask, ANSWERED, prepared.context, attempt)

    def trace(self, ask: Ask, run: str, context: Context, attempt: Attempt) -> Trace:
        """Return the unjudged trace of an attempt."""
        refs = (
            RetrievedRef(
                patch_id=hit.patch.id,
                trigger=hit.patch.trigger_text,
                distance=hit.distance,
                applied=hit.applied,
                held_out=hit.held_out,
                over_budget=hit.over_budget,
            )
            for hit in context.retrieved
        )
        return Trace(
            id=ask.trace_id or self._new_id(),
            run=run,
            index=ask.index,
            request=ask.request,
            draw=ask.draw,
            retrieved=tuple(refs),
            holdout=context.holdout,
            examples=tuple(example.id for example in context.examples),
            examples_over_budget=tuple(example.id for example in context.over_budget),
            attempt=attempt,
            at=self.clock(),
        )

    def context_of(self, ask: Ask) -> Context:
        """Return the context of a request: in a use, without what the holdout leaves out.

        Patches left out stay among the retrieved ones, marked as held out. The next patches move
        up into their places, as they would if those were not active.
        """
        whole = self.context(ask.request)
        if not ask.is_use or ask.trace_id is None or not self._holdout.share:
            return whole
        drawn = {
            patch.id for patch in whole.applied if self._holdout.leaves_out(ask.trace_id, patch.id)
        }
        found = whole.retrieved
        if drawn:
            found = self._search(ask.request, self.top_k + len(drawn))
        hits = (hit.model_copy(update={"held_out": hit.patch.id in drawn}) for hit in found)
        drawn_from = {"retrieved": tuple(hits), "holdout": self._holdout.share}
        return self._fitted(ask.request, whole.model_copy(update=drawn_from))

    def context(
        self, request: str, *, applied_only: bool = False, without: str | None = None
    ) -> Context:
        """Return what was learned about a request.

        Args:
            request: what a person typed.
            applied_only: leave out examples, and patches that are only similar.
            without: id of a patch to leave out, as if it were not active.
        """
        similar = not applied_only
        retrieved = self._search(request, self.top_k, similar=similar)
        if any(hit.patch.id == without for hit in retrieved):
            more = self._search(request, self.top_k + 1, similar=similar)
            retrieved = tuple(hit for hit in more if hit.patch.id != without)
        context = self._fitted(request, Context(retrieved=retrieved))
        if not similar or not self.n_examples:
            return context
        covered = self.covered_words | spoken_of(context.fixes)
        examples = self.examples.covering(request, covered, self.n_examples)
        if not examples:
            return context
        return self._fitted(request, context.model_copy(update={"examples": examples}))

    def misfit(self, patch: Patch) -> str:
        """Return why no prompt shows a patch, although its trigger may occur; empty if it may."""
        return self._misfit(patch.fix)

    def _misfit(self, fix: Fix) -> str:
        return "" if self._revised is None else self._revised.misfit(fix)

    def _search(self, request: str, k: int, *, similar: bool = True) -> tuple[Retrieved, ...]:
        return self._patches.search(
            request, k, similar=similar, fits=lambda fix: not self._misfit(fix)
        )

    def relation(self, patch: Patch, request: str) -> Retrieved:
        """Return how a patch relates to a request, whether or not the patch is stored."""
        return self._patches.hit(patch, request)

    def with_candidate(self, context: Context, request: str, patch: Patch) -> Context:
        """Return the context as if the patch were active, in place of those it supersedes."""
        if self.misfit(patch):
            return context
        others = (hit for hit in context.retrieved if hit.patch.conflict_key != patch.conflict_key)
        hits = rank((*others, self._patches.hit(patch, request)), self.top_k)
        return self._fitted(request, context.model_copy(update={"retrieved": hits}))

    def _fitted(self, request: str, context: Context) -> Context:
        """Return the context with one lesson alone on anything, and what has no room marked."""
        spoken = tuple(nearest_of_each(context.retrieved))
        if len(spoken) < len(context.retrieved):
            context = context.model_copy(update={"retrieved": spoken})
        droppable = context.examples or context.over_budget
        if self.context_tokens is None or not (
            droppable or any(hit.occurs for hit in context.retrieved)
        ):
            return context

        def changing(some: Context) -> int:
            return estimated_tokens(self.render(request, some, "").messages[len(self.stable) :])

        bare = changing(EMPTY)
        return ContextBudget(self.context_tokens, lambda some: changing(some) - bare).fit(context)

    def attempt(self, request: str, context: Context, draw: str) -> Attempt:
        """Render, complete and validate under a given context.

        Raises:
            Interruption: the model's side or the skill failed; an unusable answer is not such a
                failure.
        """
        [attempt] = self.attempts([Question(request, context, draw)])
        return or_raise(attempt)

    def attempts(self, questions: Sequence[Question]) -> list[Attempt | Interruption]:
        """Render, complete and validate independent questions.

        An unusable answer is shown to the model with what is wrong with it, up to `max_repairs`
        times; the repairs of several questions run concurrently as well.

        Returns:
            For each question its attempt, or the error in its place.
        """
        prompts = [
            self._renderer.prompt(q.request, q.context, q.draw, q.purpose) for q in questions
        ]
        replies = self._conversation.ask(prompts, [self._reader(q.context) for q in questions])
        return [
            reply if isinstance(reply, Interruption) else self._attempt(prompt, reply)
            for prompt, reply in zip(prompts, replies, strict=True)
        ]

    def _attempt(self, prompt: Prompt, reply: Reply[Reading]) -> Attempt:
        return Attempt(
            user_prompt=prompt.changing,
            system_digest=self.system_digest,
            raw=reply.raw,
            answer=reply.value.answer if reply.value else None,
            output=reply.value.output if reply.value else None,
            problem=reply.problem,
            repairs=reply.repairs,
            usage=reply.usage,
        )

    def render(self, request: str, context: Context, draw: str) -> Prompt:
        """Return the prompt that `attempts` sends first, with the stable messages at its start."""
        return self._renderer.prompt(request, context, draw)

    def _reader(self, context: Context) -> Callable[[str], Reading]:
        if self._widening is None:
            return self._read
        return partial(self._widening.read_under, fixes=context.fixes)


def spoken_of(fixes: Iterable[Fix]) -> frozenset[str]:
    """Return the words that fixes are about."""
    return frozenset(word for fix in fixes for name in fix.subject_key[1:] for word in words(name))


def or_raise(found: Found | Interruption) -> Found:
    """Return a result, or raise the error in its place.

    Raises:
        Interruption: that error.
    """
    if isinstance(found, Interruption):
        raise found
    return found
