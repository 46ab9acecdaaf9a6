"""Answers by the content of their prompt: the same question is asked once."""

from __future__ import annotations

from collections import OrderedDict

from patchlab_agent.backends.base import Backend
from patchlab_agent.models.trace import Completion, Prompt


class CachedBackend:
    """A backend that remembers its latest answers.

    The key is the text of the prompt's messages, and the draw where the inner backend varies by
    it, so an answer from the cache is the one that the inner backend would have given.

    Args:
        inner: the one that answers.
        capacity: answers to remember; the least recently used goes first.
    """

    def __init__(self, inner: Backend, capacity: int = 4096) -> None:
        self.inner = inner
        self._capacity = capacity
        self._answers: OrderedDict[tuple[object, ...], Completion] = OrderedDict()

    @property
    def name(self) -> str:
        """The inner backend's."""
        return self.inner.name

    @property
    def varies(self) -> bool:
        """The inner backend's."""
        return self.inner.varies

    def complete(self, prompt: Prompt) -> Completion:
        """Answer, from memory where possible."""
        contents = tuple(message.content for message in prompt.messages)
        key = (*contents, prompt.draw) if self.varies else contents
        if key in self._answers:
            self._answers.move_to_end(key)
            return self._answers[key]
        completion = self.inner.complete(prompt)
        usage = completion.usage.model_copy(update={"cached": True})
        self._answers[key] = completion.model_copy(update={"usage": usage})
        if len(self._answers) > self._capacity:
            self._answers.popitem(last=False)
        return completion

    def close(self) -> None:
        """Close the inner backend."""
        self.inner.close()
