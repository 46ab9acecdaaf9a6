"""Dialogues with a model that run concurrently, one batch of questions at a time."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from itertools import islice
from typing import TypeVar

from patchlab_agent.agent.agent import Question
from patchlab_agent.errors import Interruption
from patchlab_agent.models.trace import Attempt

Result = TypeVar("Result")
Answers = Sequence[Attempt | Interruption]
Dialogue = Generator[list[Question], Answers, Result]
"""Yields the questions of its next round, is sent their answers, and returns what it found.

It may raise the `Interruption` that it was sent in an answer's place.
"""


def in_batches(
    ask: Callable[[list[Question]], Answers], dialogues: Iterable[Dialogue[Result]]
) -> list[Result | Interruption]:
    """Run dialogues concurrently: what all of them ask next is asked in one batch.

    Args:
        ask: answers questions, in their order.
        dialogues: none of them begun.

    Returns:
        For each dialogue what it returned, or the error that ended it.
    """
    found: dict[int, Result | Interruption] = {}
    waiting: dict[int, tuple[Dialogue[Result], list[Question]]] = {}

    def go_on(number: int, dialogue: Dialogue[Result], answers: Answers | None) -> None:
        try:
            # None begins a generator.
            waiting[number] = dialogue, dialogue.send(answers)  # type: ignore[arg-type]
        except StopIteration as end:
            found[number] = end.value
        except Interruption as error:
            found[number] = error

    for number, dialogue in enumerate(dialogues):
        go_on(number, dialogue, None)
    while waiting:
        asking, waiting = waiting, {}
        answers = iter(ask([question for _, asked in asking.values() for question in asked]))
        for number, (dialogue, asked) in asking.items():
            go_on(number, dialogue, list(islice(answers, len(asked))))
    return [found[number] for number in sorted(found)]
