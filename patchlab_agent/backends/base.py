"""The interface to a model, the base of its wrappers, and a scripted fake for tests and users."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Protocol, TypeAlias

from patchlab_agent.errors import BackendUnavailable, Interruption
from patchlab_agent.models.model import Structure
from patchlab_agent.models.trace import Completion, Prompt

Answered: TypeAlias = Completion | Interruption
"""The outcome of one prompt of a batch."""


class Backend(Protocol):
    """A model, or anything else that turns a prompt into a completion.

    A backend keeps nothing of a prompt that could change a later answer: everything a model
    learns comes through its prompt.

    A backend that can work on several prompts at a time also has a method `complete_batch`, as in
    `BatchBackend`; any other gets its prompts one after another.

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
        """The name used in reports, model and parameters included."""
        ...

    @property
    def varies(self) -> bool:
        """True if another draw of the same prompt may give another answer."""
        ...

    def complete(self, prompt: Prompt) -> Completion:
        """Answer a prompt; the same prompt and draw get the same answer.

        Raises:
            BackendUnavailable: the model could not be reached.
            BackendError: the call was refused for a reason that a retry will not fix.
        """
        ...

    def close(self) -> None:
        """Release connections; no call may follow."""
        ...


class BatchBackend(ABC):
    """A backend that receives all independent prompts at once.

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
        """The name used in reports."""

    @property
    @abstractmethod
    def varies(self) -> bool:
        """True if another draw of the same prompt may give another answer."""

    @property
    def structure(self) -> Structure | None:
        """The way the model is held to the answer's form; None if unknown or not yet settled."""
        return None

    @abstractmethod
    def complete_batch(self, prompts: Sequence[Prompt]) -> list[Answered]:
        """Answer prompts, in their order; an error takes the place of an answer.

        Does not raise when the model's side fails: one failure must not lose the other answers.
        """

    @abstractmethod
    def close(self) -> None:
        """Release connections; no call may follow."""

    def expect(self, prompts: Iterable[Prompt]) -> None:  # noqa: B027 - most have no use for it
        """Announce what will be asked next, whatever the outcome of the batches before it.

        Replaces the previous announcement.
        """

    def complete(self, prompt: Prompt) -> Completion:
        """Answer one prompt.

        Raises:
            Interruption: the error in place of the answer.
        """
        [answered] = self.complete_batch([prompt])
        if isinstance(answered, Interruption):
            raise answered
        return answered


class WrappedBackend(BatchBackend):
    """A backend that adds something to another one and keeps its name.

    Args:
        inner: the backend that answers.
    """

    def __init__(self, inner: Backend) -> None:
        self.inner = inner

    @property
    def name(self) -> str:
        """The inner backend's name."""
        return self.inner.name

    @property
    def varies(self) -> bool:
        """True if the inner backend's answers vary."""
        return self.inner.varies

    @property
    def structure(self) -> Structure | None:
        """The inner backend's structure."""
        return self.inner.structure if isinstance(self.inner, BatchBackend) else None

    def expect(self, prompts: Iterable[Prompt]) -> None:
        """Tell the inner backend."""
        if isinstance(self.inner, BatchBackend):
            self.inner.expect(prompts)

    def close(self) -> None:
        """Close the inner backend."""
        self.inner.close()


def complete_batch(backend: Backend, prompts: Sequence[Prompt]) -> list[Answered]:
    """Answer prompts with any backend; after an outage the rest of a batch is not tried."""
    if isinstance(backend, BatchBackend):
        return backend.complete_batch(prompts)
    answered: list[Answered] = []
    for position, prompt in enumerate(prompts):
        try:
            answered.append(backend.complete(prompt))
        except BackendUnavailable as outage:
            # The rest would meet the same outage, each after all of its retries.
            return [*answered, *[outage] * (len(prompts) - position)]
        except Interruption as error:
            answered.append(error)
    return answered


def outage_in(answered: Iterable[Answered]) -> BackendUnavailable | None:
    """Return the first outage among answers, or None."""
    return next((each for each in answered if isinstance(each, BackendUnavailable)), None)


class ScriptedBackend:
    """A backend with a queue of replies and a history of prompts.

    Args:
        replies: answers in order, or just their texts; an exception among them is raised.

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
        """Return the next reply.

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
        """Do nothing: there is no connection to release."""
