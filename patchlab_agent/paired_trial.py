"""A patch's tests, each answered without and with it under the same noise."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

from patchlab_agent.agent import Agent, Question, or_raise
from patchlab_agent.lockstep import Dialogue
from patchlab_agent.models.base import Quote
from patchlab_agent.models.patch import GateCase, PairedResult, Patch, Reason, Role, agrees
from patchlab_agent.models.trace import Attempt, Context


class PairedTrial:
    """One patch's tests as they are run: answers by prompt, and a count of those asked for."""

    def __init__(self, agent: Agent, patch: Patch, draws: int) -> None:
        self._agent = agent
        self._patch = patch
        self._draws = draws
        self._contexts: dict[str, Context] = {}
        self._answers: dict[_Asked, list[Attempt]] = {}
        self.results: list[PairedResult] = []
        self.calls = 0

    @property
    def failing(self) -> list[GateCase]:
        """The tests that are to show that the failure comes again, and that it is mended."""
        return [case for case in self._patch.tests if case.role is Role.FAILING]

    def not_reproduced(self) -> Dialogue[Reason | None]:
        """The reason to stop at once if the failures do not come again on fresh draws."""
        yield from self._ask([(case.request, self._without(case)) for case in self.failing])
        for case in self.failing:
            passed = sum(case.passes(attempt.quote) for attempt in self._before(case))
            if 2 * passed >= self._draws:
                text = (
                    f"the failure did not come again: without the patch {passed} of "
                    f"{self._draws} fresh draws are right"
                )
                return Reason(code="not_reproduced", text=text)
        return None

    def run(self, cases: Sequence[GateCase]) -> Dialogue[None]:
        """Run the tests' pairs, all beside each other.

        Only what can matter is asked: where the patch changes no prompt it can change no answer,
        and where every answer with the patch is right, nothing has turned wrong. What the patch
        mends counts only against what it may have broken.
        """
        changing = [case for case in cases if self._changes(case)]
        yield from self._ask((case.request, self._with(case)) for case in changing)
        wrong = [case for case in changing if not self._is_right(case)]
        labeled = [case for case in changing if case.role is Role.REGRESSION]
        pairs = [case for case in changing if case in wrong or case.role is Role.NEGATIVE]
        if any(case in wrong for case in labeled):
            pairs += labeled
        yield from self._ask_without(pairs)
        if any(self._result(case, True).broken for case in pairs):
            yield from self._ask_without(labeled)
        self.results += [self._result(case, case in changing) for case in cases]

    def _ask_without(self, cases: Iterable[GateCase]) -> Dialogue[None]:
        yield from self._ask((case.request, self._without(case)) for case in cases)

    def _is_right(self, case: GateCase) -> bool:
        return all(case.passes(attempt.quote) for attempt in self._after(case))

    def _result(self, case: GateCase, is_changing: bool) -> PairedResult:
        if not is_changing:
            return _unasked(case)
        without = _asked(case.request, self._without(case))
        if without not in self._answers:
            return _unasked(case, right=self._draws)
        decides = self._patch.fix.decides
        return _paired(case, self._answers[without], self._after(case), decides)

    def _changes(self, case: GateCase) -> bool:
        with_it, without = (
            _asked(case.request, c) for c in (self._with(case), self._without(case))
        )
        return with_it != without

    def _before(self, case: GateCase) -> list[Attempt]:
        return self._answers[_asked(case.request, self._without(case))]

    def _after(self, case: GateCase) -> list[Attempt]:
        return self._answers[_asked(case.request, self._with(case))]

    def _without(self, case: GateCase) -> Context:
        if case.request not in self._contexts:
            self._contexts[case.request] = self._agent.context(
                case.request, applied_only=True, without=self._patch.id
            )
        return self._contexts[case.request]

    def _with(self, case: GateCase) -> Context:
        return self._agent.with_candidate(self._without(case), case.request, self._patch)

    def _ask(self, wanted: Iterable[tuple[str, Context]]) -> Dialogue[None]:
        new = {_asked(*each): each for each in wanted if _asked(*each) not in self._answers}
        questions = self._questions(new.values())
        self.calls += len(questions)
        attempts = iter((yield questions) if questions else ())
        for asked in new:
            answers = [or_raise(attempt) for attempt in islice(attempts, self._draws)]
            self._answers[asked] = answers

    def _questions(self, wanted: Iterable[tuple[str, Context]]) -> list[Question]:
        return [
            Question(request, context, f"gate:{draw}", "gate")
            for request, context in wanted
            for draw in range(self._draws)
        ]


_Asked = tuple[str, frozenset[str]]


def _asked(request: str, context: Context) -> _Asked:
    """What tells two prompts of a trial apart: examples are in none of them."""
    return request, frozenset(patch.id for patch in context.applied)


def _unasked(case: GateCase, right: int = 0) -> PairedResult:
    """A result without pairs: so many draws with the patch, all of them right."""
    return PairedResult(
        role=case.role,
        request=case.request,
        draws=right,
        passed_before=None,
        passed_after=right,
        broken=0,
        changed=0,
    )


def _paired(
    case: GateCase, before: list[Attempt], after: list[Attempt], decides: tuple[str, ...]
) -> PairedResult:
    quotes = [(old.quote, new.quote) for old, new in zip(before, after, strict=True)]
    passes = [(case.passes(old), case.passes(new)) for old, new in quotes]
    return PairedResult(
        role=case.role,
        request=case.request,
        draws=len(quotes),
        passed_before=sum(old for old, _ in passes),
        passed_after=sum(new for _, new in passes),
        broken=sum(old and not new for old, new in passes),
        changed=sum(old != new for old, new in quotes),
        misled=sum(
            _misled(case, old or {}, new or {}, decides)
            for old, new in quotes
            if not case.passes(old)
        ),
    )


def _misled(case: GateCase, old: Quote, new: Quote, decides: tuple[str, ...]) -> bool:
    """Whether an expected field that the patch decides gets a value with it, and a wrong one.

    Whatever else changes in an answer that was wrong anyway says nothing about the patch.
    """
    return any(
        new.get(name) is not None
        and new.get(name) != old.get(name)
        and not agrees(value, new.get(name))
        for name, value in case.expected.items()
        if name in decides
    )
