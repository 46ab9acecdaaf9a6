"""Batching for dialogues with a model that run concurrently."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from itertools import islice
from typing import TypeVar

from patchlab_agent.agent.agent import Question
from patchlab_agent.errors import Interruption
from patchlab_agent.models.trace import Attempt

Result = TypeVar("Result")
Answers = Sequence[Attempt | Interruption]
# Generators rather than threads or callbacks: a dialogue reads as sequential code, its questions
# still join everybody's batch, and which questions share a batch never depends on timing.
Dialogue = Generator[list[Question], Answers, Result]
"""A generator that yields its next questions, is sent their answers, and returns its result.

It may raise the `Interruption` that it was sent in place of an answer.
"""


def in_batches(
    ask: Callable[[list[Question]], Answers], dialogues: Iterable[Dialogue[Result]]
) -> list[Result | Interruption]:
    """Run dialogues concurrently, and ask the next questions of all of them in one batch.

    Args:
        ask: answers questions, in their order.
        dialogues: not started yet.

    Returns:
        For each dialogue, in order, its result or the error that ended it.
    """
    found: dict[int, Result | Interruption] = {}
    waiting: dict[int, tuple[Dialogue[Result], list[Question]]] = {}

    def go_on(number: int, dialogue: Dialogue[Result], answers: Answers | None) -> None:
        try:
            # A generator has to be started with None.
            waiting[number] = dialogue, dialogue.send(answers)  # type: ignore[arg-type]
        except StopIteration as end:
            found[number] = end.value
        except Interruption as error:
            # One failure must not end the dialogues that it does not concern.
            found[number] = error

    for number, dialogue in enumerate(dialogues):
        go_on(number, dialogue, None)
    while waiting:
        asking, waiting = waiting, {}
        answers = iter(ask([question for _, asked in asking.values() for question in asked]))
        for number, (dialogue, asked) in asking.items():
            go_on(number, dialogue, list(islice(answers, len(asked))))
    return [found[number] for number in sorted(found)]
