"""One case answered three ways: with what was learned, without it, and with perfect context."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

from patchlab_agent.agent.agent import EMPTY, Agent, Ask, Question, or_raise
from patchlab_agent.backends.base import BatchBackend
from patchlab_agent.errors import InputError, Interruption, SkillError
from patchlab_agent.models.case import Case
from patchlab_agent.models.prompt import Prompt
from patchlab_agent.models.trace import Attempt, Context, Judged, Trace
from patchlab_agent.skill.optional import OracleSimulator
from patchlab_agent.skill.seam import Simulator
from patchlab_agent.text import check_request


class Contexts(NamedTuple):
    """The context of each of a case's three answers, by the purpose that its usage has."""

    patched: Context
    baseline: Context = EMPTY
    ceiling: Context | None = EMPTY
    """None where nobody knows the rules."""


class Answers(NamedTuple):
    """A case's three answers, each an attempt or the error in its place."""

    patched: Attempt | Interruption
    baseline: Attempt | Interruption
    ceiling: Attempt | Interruption | None = None


class Evaluator:
    """Compares patched, baseline and ceiling on the same case under the same noise.

    Args:
        agent: answers.
        simulator: knows the truth and judges.
    """

    def __init__(self, agent: Agent, simulator: Simulator) -> None:
        self._agent = agent
        self._simulator = simulator
        # Told once, as a check against a protocol is slow.
        self._oracle = simulator if isinstance(simulator, OracleSimulator) else None

    def expect(self, cases: Sequence[Case], asks: Sequence[Ask]) -> None:
        """Tell the backend of the answers that comparing these cases will take in any case.

        Those are baseline and ceiling, which do not depend on what is learned until then.
        """
        backend = self._agent.backend
        if isinstance(backend, BatchBackend):
            backend.expect(self._sure(cases, asks))

    def _sure(self, cases: Sequence[Case], asks: Sequence[Ask]) -> Iterator[Prompt]:
        # A failure of the skill recurs, and is reported, when the case's turn comes.
        with suppress(Interruption):
            for case, ask in zip(cases, asks, strict=True):
                for context in (EMPTY, self._perfect(case)):
                    if context is not None:
                        yield self._agent.render(ask.request, context, ask.draw)

    def compare(
        self, cases: Sequence[Case], asks: Sequence[Ask], *, run: str
    ) -> list[Trace | Interruption]:
        """Answer cases three ways, concurrently and from one state of what was learned.

        Returns:
            For each case its judged trace, or the first error in place of one of its answers.
        """
        contexts = self.retrieve(cases, asks)
        return self.judge(cases, asks, contexts, self.answer(asks, contexts), run=run)

    def retrieve(self, cases: Sequence[Case], asks: Sequence[Ask]) -> list[Contexts]:
        """Return what each case's three prompts show: what was learned, nothing, and all it needs.

        Raises:
            Interruption: the skill failed, or one of its cases asks what cannot be asked.
        """
        for case in cases:
            _check(case, self._agent.max_request_chars)
        return [
            Contexts(patched=self._agent.context_of(ask), ceiling=self._perfect(case))
            for case, ask in zip(cases, asks, strict=True)
        ]

    def answer(self, asks: Sequence[Ask], contexts: Sequence[Contexts]) -> list[Answers]:
        """Render each prompt, complete it, and validate what comes back."""
        attempts = self._agent.attempts(
            [
                Question(ask.request, context, ask.draw, purpose)
                for purpose in Contexts._fields
                for ask, given in zip(asks, contexts, strict=True)
                if (context := getattr(given, purpose)) is not None
            ]
        )
        # One stretch of attempts for each way, so every n-th one belongs to a case.
        return [Answers(*attempts[position :: len(asks)]) for position in range(len(asks))]

    def judge(
        self,
        cases: Sequence[Case],
        asks: Sequence[Ask],
        contexts: Sequence[Contexts],
        answers: Sequence[Answers],
        *,
        run: str,
    ) -> list[Trace | Interruption]:
        """Judge the answers to each case; an error in place of one stands for all three."""
        return [
            self._judged(case, ask, run, given.patched, answered)
            for case, ask, given, answered in zip(cases, asks, contexts, answers, strict=True)
        ]

    def _perfect(self, case: Case) -> Context | None:
        if self._oracle is None:
            return None
        return Context(given=tuple(self._oracle.uncovered(case)))

    def _judged(
        self, case: Case, ask: Ask, run: str, context: Context, answers: Answers
    ) -> Trace | Interruption:
        for answer in answers:
            if isinstance(answer, Interruption):
                return answer
        patched, baseline = or_raise(answers.patched), or_raise(answers.baseline)
        ceiling = None if answers.ceiling is None else or_raise(answers.ceiling)
        trace = self._agent.trace(ask, run, context, patched)
        try:
            judged = {
                "feedback": self._simulator.judge(case, trace.output),
                "baseline": self._with_feedback(case, baseline),
                "ceiling": None if ceiling is None else self._with_feedback(case, ceiling),
            }
        except Interruption as error:
            # One case that cannot be judged must not lose the answers to the others.
            return error
        return trace.model_copy(update=judged)

    def _with_feedback(self, case: Case, attempt: Attempt) -> Judged:
        return Judged(attempt=attempt, feedback=self._simulator.judge(case, attempt.output))


def _check(case: Case, most: int) -> None:
    try:
        check_request(case.request, most)
    except InputError as error:
        # The user's own requests were checked before the run: this one is the skill's.
        raise SkillError(f"A case of the skill cannot be asked. {error}") from error


def stratified(cases: Sequence[Case], n: int) -> list[Case]:
    """Choose `n` cases, each stratum in proportion to its size, keeping their order.

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
