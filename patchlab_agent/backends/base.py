"""The interface to a model, the base of its wrappers, and a scripted fake for tests and users."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Sequence
from inspect import iscoroutine
from typing import NoReturn, Protocol, TypeAlias

from patchlab_agent.errors import BackendError, BackendUnavailable, Interruption, UsageError
from patchlab_agent.models.model import Structure
from patchlab_agent.models.prompt import Completion, Prompt

Answered: TypeAlias = Completion | Interruption
"""The outcome of one prompt of a batch."""


_METHODS = ("complete", "complete_batch", "close")


class Backend(Protocol):
    """A model, or anything else that turns a prompt into a completion.

    A backend keeps nothing of a prompt that could change a later answer: everything a model
    learns comes through its prompt.

    A backend that can work on several prompts at a time also has a method `complete_batch`, as in
    `BatchBackend`, whether or not it is a subclass; any other gets its prompts one after another.

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


def checked_backend(backend: Backend) -> Backend:
    """Return a backend from outside, once it is sure that it has all that one needs.

    Raises:
        UsageError: a member is missing, or of another kind; names it.
    """
    who = type(backend).__name__
    if isinstance(backend, type):
        raise UsageError(f"backend is the class {backend.__name__}; give an object of it.")
    can = {name for name in _METHODS if callable(getattr(backend, name, None))}
    wrong = [
        *(["name (a str)"] if not isinstance(getattr(backend, "name", None), str) else []),
        *(["varies (a bool)"] if not isinstance(getattr(backend, "varies", None), bool) else []),
        *(["complete(prompt)"] if not can & {"complete", "complete_batch"} else []),
        *(["close()"] if "close" not in can else []),
    ]
    if wrong:
        raise UsageError(
            f"backend is a {who} without {', '.join(wrong)}; a backend has name, varies, complete "
            f"and close, as patchlab_agent.Backend shows."
        )
    return backend


def complete_batch(backend: Backend, prompts: Sequence[Prompt]) -> list[Answered]:
    """Answer prompts with any backend; after an outage the rest of a batch is not tried.

    What is no completion is an error in its place, as is one that the backend raised.
    """
    at_once = getattr(backend, "complete_batch", None)
    if at_once is not None:
        try:
            return _checked_answers(backend, at_once(prompts), len(prompts))
        except Interruption as error:
            return [error] * len(prompts)
    answered: list[Answered] = []
    for position, prompt in enumerate(prompts):
        try:
            answered.append(_checked_answer(backend, backend.complete(prompt)))
        except BackendUnavailable as outage:
            # The rest would meet the same outage, each after all of its retries.
            return [*answered, *[outage] * (len(prompts) - position)]
        except Interruption as error:
            answered.append(error)
    return answered


def _checked_answers(backend: Backend, answers: object, expected: int) -> list[Answered]:
    if iscoroutine(answers) or not isinstance(answers, list | tuple):
        _refuse(backend, answers, "a list of Completions")
    if len(answers) != expected:
        raise BackendError(
            f"Backend {backend.name} returned {len(answers)} answers to {expected} prompts; "
            f"return one for each, in their order."
        )
    return [
        each if isinstance(each, Interruption) else _checked_answer(backend, each)
        for each in answers
    ]


def _checked_answer(backend: Backend, answer: object) -> Completion:
    if not isinstance(answer, Completion):
        _refuse(backend, answer, "a Completion")
    return answer


def _refuse(backend: Backend, answer: object, wanted: str) -> NoReturn:
    if iscoroutine(answer):
        # Nobody will await it, which Python would complain of later and elsewhere.
        answer.close()
    remedy = "return Completion(text=…)" if isinstance(answer, str) else f"return {wanted}"
    raise BackendError(
        f"Backend {backend.name} returned a {type(answer).__name__}, not {wanted}; {remedy}."
    )


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
