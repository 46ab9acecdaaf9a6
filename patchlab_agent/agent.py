"""One request: retrieve → apply → render → complete → validate.

The agent sees a task, a backend, prompts and what was learned. It never sees a truth, a carrier or
a gate, and it keeps nothing from one request to the next.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

from patchlab_agent.backends.base import Backend
from patchlab_agent.errors import InvalidAnswer
from patchlab_agent.models.base import digest
from patchlab_agent.models.patch import Patch
from patchlab_agent.models.trace import (
    Attempt,
    Context,
    Example,
    Message,
    Prompt,
    Retrieved,
    RetrievedRef,
    Trace,
)
from patchlab_agent.prompts import Prompts
from patchlab_agent.ranking import rank
from patchlab_agent.skill import Task
from patchlab_agent.text import check_request

EMPTY = Context()


class PatchSource(Protocol):
    """Where an agent finds patches."""

    def search(self, request: str, k: int) -> tuple[Retrieved, ...]:
        """The `k` active patches that concern a request most, ranked."""
        ...

    def hit(self, patch: Patch, request: str) -> Retrieved:
        """How a patch relates to a request, whether or not it is stored."""
        ...


class ExampleSource(Protocol):
    """Where an agent finds examples."""

    def similar(self, request: str, n: int) -> tuple[Example, ...]:
        """The `n` successful answers to requests most like this one, the nearest first."""
        ...


def utc_now() -> str:
    """The time as ISO 8601, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class Agent:
    """Answers requests with what was learned so far.

    Args:
        task: the domain, as far as an agent may know it.
        backend: the model.
        patches: where patches come from.
        examples: where examples come from.
        top_k: patches to retrieve per request.
        n_examples: similar successful traces to show per request.
        clock: the time as ISO 8601.
        new_id: a fresh trace id.
    """

    def __init__(
        self,
        task: Task,
        backend: Backend,
        patches: PatchSource,
        examples: ExampleSource,
        *,
        top_k: int = 5,
        n_examples: int = 3,
        clock: Callable[[], str] = utc_now,
        new_id: Callable[[], str] = lambda: f"q-{uuid.uuid4().hex[:12]}",
    ) -> None:
        self.task = task
        self.backend = backend
        self.prompts = Prompts(task.prompts)
        self.system = self.prompts.system(task.known_rules, task.answer_schema)
        self.system_digest = digest(self.system)
        self.clock = clock
        self._patches = patches
        self._examples = examples
        self.top_k = top_k
        self._n_examples = n_examples
        self._new_id = new_id

    def answer(
        self,
        request: str,
        *,
        draw: str = "0",
        trace_id: str | None = None,
        run: str = "quote",
        index: int = 0,
    ) -> Trace:
        """Answer one request with the present patches; nobody has judged it yet.

        Raises:
            InputError: the request is empty, too long or holds control characters.
            BackendError: the model's side failed.
        """
        check_request(request)
        context = self.context(request)
        attempt = self.attempt(request, context, draw)
        refs = (
            RetrievedRef(
                patch_id=hit.patch.id,
                trigger=hit.patch.trigger,
                distance=hit.distance,
                applied=hit.occurs,
            )
            for hit in context.retrieved
        )
        return Trace(
            id=trace_id or self._new_id(),
            run=run,
            index=index,
            request=request,
            retrieved=tuple(refs),
            examples=tuple(example.id for example in context.examples),
            attempt=attempt,
            at=self.clock(),
        )

    def baseline(self, request: str, draw: str = "0") -> Attempt:
        """The control: the same prompt with nothing learned in it."""
        return self.attempt(request, EMPTY, draw)

    def context(self, request: str, *, examples: bool = True) -> Context:
        """What was learned and concerns the request."""
        return Context(
            retrieved=self._patches.search(request, self.top_k),
            examples=self._examples.similar(request, self._n_examples) if examples else (),
        )

    def with_candidate(self, context: Context, request: str, patch: Patch) -> Context:
        """The context as it would be if the patch were active, in place of what it supersedes."""
        others = (hit for hit in context.retrieved if hit.patch.fix.slot != patch.fix.slot)
        hits = rank((*others, self._patches.hit(patch, request)), self.top_k)
        return context.model_copy(update={"retrieved": hits})

    def attempt(self, request: str, context: Context, draw: str) -> Attempt:
        """Render, complete and validate under a given context.

        Raises:
            BackendError: the model's side failed; an answer of no use is no such failure.
        """
        prompt = self.render(request, context, draw)
        completion = self.backend.complete(prompt)
        seen = {
            "user_prompt": prompt.user,
            "system_digest": self.system_digest,
            "raw": completion.text,
            "usage": completion.usage,
        }
        try:
            reading = self.task.read(completion.text)
        except InvalidAnswer as problem:
            return Attempt(**seen, problem=str(problem))
        return Attempt(**seen, answer=reading.answer, quote=reading.quote)

    def render(self, request: str, context: Context, draw: str) -> Prompt:
        """The prompt that `attempt` sends."""
        rules, shown = [], list(context.examples)
        for fix in context.fixes:
            example = self.task.example_of(fix)
            if example is None:
                rules.append(fix)
            else:
                shown.append(example)
        user = self.prompts.user(request, rules, shown)
        return Prompt(
            messages=(
                Message(role="system", content=self.system),
                Message(role="user", content=user),
            ),
            answer_schema=self.task.answer_schema,
            draw=draw,
        )
