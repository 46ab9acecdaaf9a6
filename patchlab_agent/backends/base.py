"""The seam to a model, and the fake that tests and users script it with."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Protocol

from patchlab_agent.errors import BackendUnavailable
from patchlab_agent.models.trace import Completion, Prompt


class Backend(Protocol):
    """Whatever turns a prompt into a completion.

    A backend keeps nothing of a prompt that could change a later answer: everything a model
    learns comes through its prompt.
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


class ScriptedBackend:
    """A backend with a queue of replies and a history of prompts.

    Args:
        replies: answers in order; an exception in their place is raised.
    """

    name = "scripted"
    varies = False

    def __init__(self, replies: Iterable[str | Exception] = ()) -> None:
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
        return Completion(text=reply)

    def close(self) -> None:
        """Nothing to let go of."""
