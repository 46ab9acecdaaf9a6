"""Answers by the content of their prompt: the same question is asked once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from patchlab_agent.backends.base import Answered, Backend, WrappedBackend, complete_batch
from patchlab_agent.models.trace import Completion, Prompt

Key = tuple[object, ...]


class CachedBackend(WrappedBackend):
    """A backend that remembers its latest answers.

    The key is the text of the prompt's messages, and the draw where the inner backend varies by
    it, so an answer from the cache is the one that the inner backend would have given.

    Args:
        inner: the one that answers.
        capacity: answers to remember; the least recently used goes first.
    """

    def __init__(self, inner: Backend, capacity: int = 4096) -> None:
        super().__init__(inner)
        self._capacity = capacity
        self._answers: OrderedDict[Key, Completion] = OrderedDict()

    def complete_batch(self, prompts: Sequence[Prompt]) -> list[Answered]:
        """Answer, from memory where possible; equal prompts of a batch are asked once."""
        keys = [self._key(prompt) for prompt in prompts]
        found = {key: self._recall(key) for key in keys if key in self._answers}
        wanted = {key: p for key, p in zip(keys, prompts, strict=True) if key not in found}
        asked = complete_batch(self.inner, list(wanted.values())) if wanted else []
        fresh = dict(zip(wanted, asked, strict=True))
        answers: list[Answered] = []
        for key in keys:
            answered = found[key] if key in found else fresh[key]
            answers.append(answered)
            if key not in found and isinstance(answered, Completion):
                found[key] = self._remember(key, answered)
        return answers

    def _key(self, prompt: Prompt) -> Key:
        contents = tuple(message.content for message in prompt.messages)
        return (*contents, prompt.draw) if self.varies else contents

    def _recall(self, key: Key) -> Completion:
        self._answers.move_to_end(key)
        return self._answers[key]

    def _remember(self, key: Key, completion: Completion) -> Completion:
        usage = completion.usage.model_copy(update={"cached": True})
        again = self._answers[key] = completion.model_copy(update={"usage": usage})
        if len(self._answers) > self._capacity:
            self._answers.popitem(last=False)
        return again
