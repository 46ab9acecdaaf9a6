"""A cache of answers by the content of their prompt: the same question is asked once."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from patchlab_agent.backends.base import Answered, Backend, WrappedBackend, complete_batch
from patchlab_agent.models.base import digest
from patchlab_agent.models.prompt import Completion, Prompt

Key = str
Entry = list[Any]
"""What happened to an answer: `["came", key, answer]`, then `["given", key]` each time."""


def _unheard(entry: Entry) -> None:
    """Tell nobody what happened to an answer."""


class CachedBackend(WrappedBackend):
    """A backend that remembers its latest answers.

    The key is a digest of the prompt's messages, and of the draw if the inner backend varies by
    it, so an answer from the cache is the one that the inner backend would have given.

    A batch that would leave some of its concurrent calls idle uses them for what is expected to be
    asked next. Such an early answer waits, and counts as asked only when it is asked for; one that
    is never asked for, as after an outage, is not counted at all.

    Args:
        inner: the backend that answers.
        capacity: number of answers to remember; the least recently used is evicted first.
        width: number of calls that the inner backend makes concurrently.

    Attributes:
        tell: is told what happens to each answer, as soon as it does; `restore` takes it back.
    """

    def __init__(self, inner: Backend, capacity: int = 4096, *, width: int = 1) -> None:
        super().__init__(inner)
        self._capacity = capacity
        self._width = width
        # As JSON, of which thousands take a fifth of the memory that as many objects would.
        self._answers: OrderedDict[Key, str] = OrderedDict()
        self._expected: Iterator[Prompt] = iter(())
        # Apart from the remembered answers: the first to ask for an early one pays for it, so
        # usage reads as if nothing had been asked ahead, and only a second one is a cache hit.
        self._early: dict[Key, Completion] = {}
        self.tell: Callable[[Entry], None] = _unheard

    def entries(self) -> Iterator[Entry]:
        """Yield what makes another cache remember the same as this one."""
        for key, answer in self._answers.items():
            yield ["came", key, json.loads(answer)]
            yield ["given", key]
        for key, early in self._early.items():
            yield ["came", key, _told(early)]

    def restore(self, entries: Iterable[Entry]) -> None:
        """Remember what was told before."""
        for kind, key, *answer in entries:
            if kind == "came":
                self._early[key] = Completion.model_validate(*answer)
            elif key in self._early:
                self._remember(key, self._early.pop(key))
            elif key in self._answers:
                self._answers.move_to_end(key)

    def expect(self, prompts: Iterable[Prompt]) -> None:
        """Note what will be asked next, to fill batches up with."""
        self._expected = iter(prompts)

    def complete_batch(self, prompts: Sequence[Prompt]) -> list[Answered]:
        """Answer, from memory where possible; equal prompts of a batch are asked once."""
        keys = [self._key(prompt) for prompt in prompts]
        # Recalled before anything is asked: remembering new answers may evict these.
        found = {key: self._recall(key) for key in keys if key in self._answers}
        wanted = {key: p for key, p in zip(keys, prompts, strict=True) if key not in found}
        fresh = self._ask(wanted)
        answers: list[Answered] = []
        for key in keys:
            answered = found[key] if key in found else fresh[key]
            answers.append(answered)
            if key not in found and isinstance(answered, Completion):
                self.tell(["given", key])
                found[key] = self._remember(key, answered)
        return answers

    def _ask(self, wanted: Mapping[Key, Prompt]) -> dict[Key, Answered]:
        """Return answers not handed out yet, from the inner backend or asked for early."""
        early = {key: self._early.pop(key) for key in wanted if key in self._early}
        asking = {key: prompt for key, prompt in wanted.items() if key not in early}
        if not asking:
            return {**early}
        # Only calls that would be idle anyway: more would make this batch take longer.
        along = self._along(wanted, -len(asking) % self._width)
        answers = complete_batch(self.inner, [*asking.values(), *along.values()])
        asked = dict(zip([*asking, *along], answers, strict=True))
        for key, answered in asked.items():
            if isinstance(answered, Completion):
                self.tell(["came", key, _told(answered)])
        for key in along:
            answered = asked.pop(key)
            # An error is dropped: whoever asks for it later gets a fresh attempt.
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
        asked = _digest(tuple(message.content for message in prompt.messages))
        return digest([asked, prompt.draw]) if self.varies else asked

    def _recall(self, key: Key) -> Completion:
        self.tell(["given", key])
        self._answers.move_to_end(key)
        return Completion.model_validate_json(self._answers[key])

    def _remember(self, key: Key, completion: Completion) -> Completion:
        usage = completion.usage.model_copy(update={"cached": True})
        again = completion.model_copy(update={"usage": usage})
        self._answers[key] = again.model_dump_json(exclude_defaults=True)
        if len(self._answers) > self._capacity:
            self._answers.popitem(last=False)
        return again


# The draws of a request differ by their name alone, and a prompt is long.
@lru_cache(maxsize=256)
def _digest(contents: tuple[str, ...]) -> Key:
    return digest(contents)


def _told(answer: Completion) -> dict[str, Any]:
    return answer.model_dump(mode="json", exclude_defaults=True)
