"""A model's answers without and with a patch, each asked once and counted."""

from __future__ import annotations

from collections.abc import Sequence

from patchlab_agent.agent.agent import Agent, Question, or_raise
from patchlab_agent.gate.batching import Dialogue
from patchlab_agent.models.patch import Patch
from patchlab_agent.models.trace import Attempt, Context

Wanted = tuple[str, int, bool]
"""A request, the number of a draw, and whether the patch is shown."""


class OutOfCalls(Exception):
    """The cap on a decision's calls is reached; it is made on what is known by then."""


class PairedAnswers:
    """The answers for one patch, by request, draw, and whether the patch is shown.

    Args:
        agent: answers; its store is only read.
        patch: is left out, or shown.
        companions: lessons shown on both sides, as if they were active.
        max_calls: maximum number of answers to ask for.
    """

    def __init__(
        self, agent: Agent, patch: Patch, companions: Sequence[Patch], max_calls: int
    ) -> None:
        self._agent = agent
        self._patch = patch
        self._companions = companions
        self._max_calls = max_calls
        self._contexts: dict[str, tuple[Context, Context]] = {}
        self._answers: dict[Wanted, Attempt] = {}
        self.calls = 0

    def __getitem__(self, wanted: Wanted) -> Attempt:
        """Return an answer that was asked for."""
        return self._answers[wanted]

    def get(self, wanted: Wanted) -> Attempt | None:
        """Return an answer; None if it was not asked for."""
        return self._answers.get(wanted)

    @property
    def left(self) -> int:
        """The number of answers that may still be asked for."""
        return self._max_calls - self.calls

    def ask(self, wanted: Sequence[Wanted]) -> Dialogue[None]:
        """Ask for those answers that are not there yet.

        Raises:
            OutOfCalls: they would pass the cap; nothing is asked.
            Interruption: the model's side or the skill failed.
        """
        new = [each for each in dict.fromkeys(wanted) if each not in self._answers]
        if not new:
            return
        if len(new) > self.left:
            raise OutOfCalls
        self.calls += len(new)
        questions = [self._question(*each) for each in new]
        for each, attempt in zip(new, (yield questions), strict=True):
            self._answers[each] = or_raise(attempt)

    def changes(self, request: str) -> bool:
        """Return True if the patch makes a difference to the request's prompt."""
        without, with_it = self._both(request)
        is_shown = any(each.id == self._patch.id for each in with_it.applied)
        return is_shown and without.lessons != with_it.lessons

    def _question(self, request: str, draw: int, shown: bool) -> Question:
        return Question(request, self._both(request)[shown], f"gate:{draw}", "gate")

    def _both(self, request: str) -> tuple[Context, Context]:
        if request not in self._contexts:
            without = self._agent.context(request, applied_only=True, without=self._patch.id)
            for companion in self._companions:
                without = self._agent.with_candidate(without, request, companion)
            with_it = self._agent.with_candidate(without, request, self._patch)
            self._contexts[request] = without, with_it
        return self._contexts[request]
