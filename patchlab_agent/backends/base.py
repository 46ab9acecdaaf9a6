"""The seam to a model, what wraps around one, and the fake that tests and users script it with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Protocol, TypeAlias

from patchlab_agent.errors import BackendUnavailable, Interruption
from patchlab_agent.models.model import Structure
from patchlab_agent.models.trace import Completion, Prompt

Answered: TypeAlias = Completion | Interruption
"""What became of one prompt of a batch."""


class Backend(Protocol):
    """Anything that turns a prompt into a completion.

    A backend keeps nothing of a prompt that could change a later answer: everything a model
    learns comes through its prompt.

    One that can work on several prompts at a time has a method `complete_batch` besides, as
    `BatchBackend` has it; any other gets its prompts one after the other.

    Example:
        >>> class Echo:
        ...     name, varies = "echo", False
        ...
        ...     def complete(self, prompt: Prompt) -> Completion:
        ...         return Completion(text=prompt.user)
        ...
        ...     def close(self) -> None:
        ...         pass
        >>> with open_lab(backend=Echo(), store="echo") as lab:
        ...     print(lab.answer("Ship 2 kg books box to US").attempt.problem)
        the answer holds no JSON object
    """

    @property
    def name(self) -> str:
        """What reports call it, model and parameters included."""
        ...

    @property
    def varies(self) -> bool:
        """Whether another draw of the same prompt may give another answer."""
        ...

    def complete(self, prompt: Prompt) -> Completion:
        """Answer a prompt; the same prompt and draw get the same answer.

        Raises:
            BackendUnavailable: it could not be reached.
            BackendError: it refused the call for a reason that another call will not mend.
        """
        ...

    def close(self) -> None:
        """Let go of connections; no call comes after."""
        ...


class BatchBackend(ABC):
    """A backend that is given all prompts at once that do not wait for each other's answers.

    Example:
        >>> class Echo(BatchBackend):
        ...     name, varies = "echo", False
        ...
        ...     def complete_batch(self, prompts: tuple[Prompt, ...]) -> list[Completion]:
        ...         return [Completion(text=prompt.user) for prompt in prompts]
        ...
        ...     def close(self) -> None:
        ...         pass
        >>> asked = Message(role="user", content="Hello")
        >>> Echo().complete(Prompt(messages=(asked,), answer_schema={}, draw="0")).text
        'Hello'
    """

    @property
    @abstractmethod
    def name(self) -> str:
        """What reports call it."""

    @property
    @abstractmethod
    def varies(self) -> bool:
        """Whether another draw of the same prompt may give another answer."""

    @property
    def structure(self) -> Structure | None:
        """How the model is held to the answer's form; None where that is not known or settled."""
        return None

    @abstractmethod
    def complete_batch(self, prompts: Sequence[Prompt]) -> list[Answered]:
        """Answer prompts, in their order; an error stands in the place of an answer.

        Raises nothing of the model's side: one failure must not lose the others' answers.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of connections; no call comes after."""

    def expect(self, prompts: Iterable[Prompt]) -> None:  # noqa: B027 - most have no use for it
        """Hear what will be asked next, whatever comes of the batches before it.

        What was expected before and not asked is expected no more.
        """

    def complete(self, prompt: Prompt) -> Completion:
        """Answer one prompt.

        Raises:
            Interruption: whatever stands in the answer's place.
        """
        [answered] = self.complete_batch([prompt])
        if isinstance(answered, Interruption):
            raise answered
        return answered


class WrappedBackend(BatchBackend):
    """What adds something to another backend, under that one's name.

    Args:
        inner: the one that answers.
    """

    def __init__(self, inner: Backend) -> None:
        self.inner = inner

    @property
    def name(self) -> str:
        """The inner backend's."""
        return self.inner.name

    @property
    def varies(self) -> bool:
        """The inner backend's."""
        return self.inner.varies

    @property
    def structure(self) -> Structure | None:
        """The inner backend's."""
        return self.inner.structure if isinstance(self.inner, BatchBackend) else None

    def expect(self, prompts: Iterable[Prompt]) -> None:
        """Tell the inner backend."""
        if isinstance(self.inner, BatchBackend):
            self.inner.expect(prompts)

    def close(self) -> None:
        """Close the inner backend."""
        self.inner.close()


def complete_batch(backend: Backend, prompts: Sequence[Prompt]) -> list[Answered]:
    """Answer prompts by any backend; after an outage the rest of a batch is not tried."""
    if isinstance(backend, BatchBackend):
        return backend.complete_batch(prompts)
    answered: list[Answered] = []
    for position, prompt in enumerate(prompts):
        try:
            answered.append(backend.complete(prompt))
        except BackendUnavailable as outage:
            return [*answered, *[outage] * (len(prompts) - position)]
        except Interruption as error:
            answered.append(error)
    return answered


def outage_in(answered: Iterable[Answered]) -> BackendUnavailable | None:
    """The first outage among answers, or None."""
    return next((each for each in answered if isinstance(each, BackendUnavailable)), None)


class ScriptedBackend:
    """A backend with a queue of replies and a history of prompts.

    Args:
        replies: answers in order, texts for short; an exception in their place is raised.

    Example:
        >>> with open_lab(backend=ScriptedBackend(["no idea"] * 3), store="scripted") as lab:
        ...     print(lab.answer("Ship 2 kg books box to US").attempt.repairs)
        2
    """

    name = "scripted"
    varies = False

    def __init__(self, replies: Iterable[str | Completion | Exception] = ()) -> None:
        self.replies = deque(replies)
        self.history: list[Prompt] = []

    def complete(self, prompt: Prompt) -> Completion:
        """Give the next reply.

        Raises:
            BackendUnavailable: the queue is empty.
        """
        self.history.append(prompt)
        if not self.replies:
            raise BackendUnavailable("The script has no reply left; queue one for each prompt.")
        reply = self.replies.popleft()
        if isinstance(reply, Exception):
            raise reply
        return reply if isinstance(reply, Completion) else Completion(text=reply)

    def close(self) -> None:
        """Nothing to let go of."""
