"""Answers by the content of their prompt: the same question is asked once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from patchlab_agent.backends.base import Answered, Backend, WrappedBackend, complete_batch
from patchlab_agent.models.trace import Completion, Prompt

Key = tuple[object, ...]


class CachedBackend(WrappedBackend):
    """A backend that remembers its latest answers.

    The key is the text of the prompt's messages, and the draw where the inner backend varies by
    it, so an answer from the cache is the one that the inner backend would have given.

    A batch whose last calls would leave places empty takes along, in these, what is expected to be
    asked next. Such an answer waits, and counts as asked for when it is; one that nobody comes to
    ask for, as after an outage, counts nowhere.

    Args:
        inner: the one that answers.
        capacity: answers to remember; the least recently used goes first.
        width: calls that the inner backend makes at a time.
    """

    def __init__(self, inner: Backend, capacity: int = 4096, *, width: int = 1) -> None:
        super().__init__(inner)
        self._capacity = capacity
        self._width = width
        self._answers: OrderedDict[Key, Completion] = OrderedDict()
        self._expected: Iterator[Prompt] = iter(())
        self._early: dict[Key, Completion] = {}

    def expect(self, prompts: Iterable[Prompt]) -> None:
        """Hear what will be asked next, to fill batches up with."""
        self._expected = iter(prompts)

    def complete_batch(self, prompts: Sequence[Prompt]) -> list[Answered]:
        """Answer, from memory where possible; equal prompts of a batch are asked once."""
        keys = [self._key(prompt) for prompt in prompts]
        found = {key: self._recall(key) for key in keys if key in self._answers}
        wanted = {key: p for key, p in zip(keys, prompts, strict=True) if key not in found}
        fresh = self._ask(wanted)
        answers: list[Answered] = []
        for key in keys:
            answered = found[key] if key in found else fresh[key]
            answers.append(answered)
            if key not in found and isinstance(answered, Completion):
                found[key] = self._remember(key, answered)
        return answers

    def _ask(self, wanted: Mapping[Key, Prompt]) -> dict[Key, Answered]:
        """Answers that nobody was given yet, from the inner backend or from an earlier batch."""
        early = {key: self._early.pop(key) for key in wanted if key in self._early}
        asking = {key: prompt for key, prompt in wanted.items() if key not in early}
        if not asking:
            return {**early}
        along = self._along(wanted, -len(asking) % self._width)
        answers = complete_batch(self.inner, [*asking.values(), *along.values()])
        asked = dict(zip([*asking, *along], answers, strict=True))
        for key in along:
            answered = asked.pop(key)
            # An error is nobody's yet: whoever asks meets it again.
            if isinstance(answered, Completion):
                self._early[key] = answered
        return {**early, **asked}

    def _along(self, wanted: Mapping[Key, Prompt], places: int) -> dict[Key, Prompt]:
        along: dict[Key, Prompt] = {}
        while len(along) < places and (prompt := next(self._expected, None)) is not None:
            key = self._key(prompt)
            if key not in wanted and key not in self._answers and key not in self._early:
                along[key] = prompt
        return along

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
