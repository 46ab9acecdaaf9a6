"""One case answered three ways: with what was learned, without it, and with perfect context."""

from __future__ import annotations

from collections.abc import Sequence

from patchlab_agent.agent import Agent
from patchlab_agent.backends.meter import MeteredBackend
from patchlab_agent.models.case import Case
from patchlab_agent.models.trace import Attempt, Context, Judged, Trace
from patchlab_agent.skill import World


class Evaluator:
    """Compares patched, baseline and ceiling on the same case under the same noise.

    Args:
        agent: answers; its backend is the meter.
        world: knows the truth and judges.
        meter: books each answer under what it was for.
    """

    def __init__(self, agent: Agent, world: World, meter: MeteredBackend) -> None:
        self._agent = agent
        self._world = world
        self._meter = meter

    def compare(self, case: Case, *, draw: str, trace_id: str, run: str, index: int) -> Trace:
        """Answer a case three ways and judge each answer.

        Raises:
            BackendError: the model's side failed; there is no trace then.
        """
        with self._meter.purpose("patched"):
            trace = self._agent.answer(
                case.request, draw=draw, trace_id=trace_id, run=run, index=index
            )
        with self._meter.purpose("baseline"):
            baseline = self._agent.baseline(case.request, draw)
        with self._meter.purpose("ceiling"):
            perfect = Context(given=tuple(self._world.concerning(case)))
            ceiling = self._agent.attempt(case.request, perfect, draw)
        return trace.model_copy(
            update={
                "feedback": self._world.judge(case, trace.quote),
                "baseline": self._judged(case, baseline),
                "ceiling": self._judged(case, ceiling),
            }
        )

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
