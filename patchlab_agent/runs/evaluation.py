"""One case answered three ways: with what was learned, without it, and with perfect context."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

from patchlab_agent.agent.agent import EMPTY, Agent, Ask, Question, or_raise
from patchlab_agent.backends.base import BatchBackend
from patchlab_agent.errors import Interruption
from patchlab_agent.models.case import Case
from patchlab_agent.models.trace import Attempt, Context, Judged, Prompt, Trace
from patchlab_agent.skill.seam import World
from patchlab_agent.text import check_request


class Evaluator:
    """Compares patched, baseline and ceiling on the same case under the same noise.

    Args:
        agent: answers.
        world: knows the truth and judges.
    """

    def __init__(self, agent: Agent, world: World) -> None:
        self._agent = agent
        self._world = world

    def expect(self, cases: Sequence[Case], asks: Sequence[Ask]) -> None:
        """Tell the backend of the answers that comparing these cases will take in any case.

        Those are baseline and ceiling, which do not hang on what is learned until then.
        """
        backend = self._agent.backend
        if isinstance(backend, BatchBackend):
            backend.expect(self._sure(cases, asks))

    def _sure(self, cases: Sequence[Case], asks: Sequence[Ask]) -> Iterator[Prompt]:
        # A failure of the skill is met again, and told, when the case's turn comes.
        with suppress(Interruption):
            for case, ask in zip(cases, asks, strict=True):
                for context in (EMPTY, self._perfect(case)):
                    yield self._agent.render(ask.request, context, ask.draw)

    def compare(
        self, cases: Sequence[Case], asks: Sequence[Ask], *, run: str
    ) -> list[Trace | Interruption]:
        """Answer cases three ways beside each other, from one state of what was learned.

        Returns:
            For each case its judged trace, or the first error that stands in an answer's place.
        """
        for case in cases:
            check_request(case.request)
        learned = [self._agent.context_of(ask) for ask in asks]
        perfect = [self._perfect(case) for case in cases]
        contexts = {"patched": learned, "baseline": [EMPTY] * len(cases), "ceiling": perfect}
        attempts = self._agent.attempts(
            [
                Question(ask.request, context, ask.draw, purpose)
                for purpose, given in contexts.items()
                for ask, context in zip(asks, given, strict=True)
            ]
        )
        # One stretch of attempts for each way, so every n-th one belongs to a case.
        ways = [attempts[position :: len(cases)] for position in range(len(cases))]
        return [
            self._compared(case, ask, run, context, attempts_of)
            for case, ask, context, attempts_of in zip(cases, asks, learned, ways, strict=True)
        ]

    def _perfect(self, case: Case) -> Context:
        return Context(given=tuple(self._world.untaught(case)))

    def _compared(
        self,
        case: Case,
        ask: Ask,
        run: str,
        context: Context,
        ways: Sequence[Attempt | Interruption],
    ) -> Trace | Interruption:
        for way in ways:
            if isinstance(way, Interruption):
                return way
        patched, baseline, ceiling = map(or_raise, ways)
        trace = self._agent.trace(ask, run, context, patched)
        try:
            judged = {
                "feedback": self._world.judge(case, trace.quote),
                "baseline": self._judged(case, baseline),
                "ceiling": self._judged(case, ceiling),
            }
        except Interruption as error:
            # One case that cannot be judged must not lose the answers to the others.
            return error
        return trace.model_copy(update=judged)

    def _judged(self, case: Case, attempt: Attempt) -> Judged:
        return Judged(attempt=attempt, feedback=self._world.judge(case, attempt.quote))


def stratified(cases: Sequence[Case], n: int) -> list[Case]:
    """`n` cases, each stratum in proportion to its size, in the order in which they stand.

    Each case's rank within its stratum, as a share of the stratum, orders the choice: every
    prefix of that order is as balanced as its length allows, and no randomness is needed.

    Args:
        cases: all there are.
        n: how many to choose; more than there are gives all.
    """
    sizes: dict[str, int] = {}
    for case in cases:
        sizes[case.stratum] = sizes.get(case.stratum, 0) + 1
    seen: dict[str, int] = {}
    places = []
    for position, case in enumerate(cases):
        place = seen[case.stratum] = seen.get(case.stratum, 0) + 1
        places.append(((place - 0.5) / sizes[case.stratum], position))
    chosen = sorted(position for _, position in sorted(places)[:n])
    return [cases[position] for position in chosen]
