"""May this patch become active?

The gate replays a patch's own tests and the cases of the regression suite that its trigger
touches, each without and with the patch. Both answers of a pair come from the same draw, hence
under the same noise, so a difference between them is the patch's doing.

Examples from traces are left out of its prompts: they change with every run, and a decision
should rest on the patch alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Protocol

from patchlab_agent.agent import Agent, Question, or_raise
from patchlab_agent.models.base import Quote, digest
from patchlab_agent.models.patch import (
    GateCase,
    GateReport,
    PairedResult,
    Patch,
    Reason,
    Role,
    Status,
    agrees,
)
from patchlab_agent.models.trace import Attempt, Context
from patchlab_agent.text import occurs, words

DRAWS = 5
"""Pairs per test where answers vary: a majority of five is wrong by chance about 1 time in 900
at 5 % noise, where a single pair would be 1 time in 20."""

MAX_TRIGGER_SHARE = 0.2
"""A trigger that stands in more of the suite than this says too little about a request."""


class Admission(Protocol):
    """Whatever decides whether a patch becomes active."""

    @property
    def full_calls(self) -> int:
        """Answers that all decisions would have needed, had everything been asked."""
        ...

    def conditions(self, patch: Patch) -> str:
        """Digest of what a decision rests on; while it stands, none is taken anew."""
        ...

    def examine(self, patch: Patch) -> GateReport:
        """Decide.

        Raises:
            BackendError: the model's side failed; nothing is decided then.
        """
        ...

    def prepare(self, patches: Iterable[Patch]) -> None:
        """Get ready, all beside each other, for what examining these patches will need."""
        ...


class OpenGate:
    """Lets every patch in unseen: what the gate is compared with."""

    full_calls = 0

    def conditions(self, patch: Patch) -> str:
        """The patch is all that counts."""
        return digest(["open", patch.id])

    def examine(self, patch: Patch) -> GateReport:
        """Always active."""
        reason = Reason(code="unchecked", text="the gate is off: let in unseen")
        return GateReport(
            decision=Status.ACTIVE,
            reasons=(reason,),
            suite_size=0,
            suite_touched=0,
            calls=0,
            full_calls=0,
            false_accept_rate=1.0,
            conditions=self.conditions(patch),
        )

    def prepare(self, patches: Iterable[Patch]) -> None:
        """Nothing to ask."""


class Gate:
    """Decides from tests.

    Args:
        agent: answers the tests; its store is only read.
        suite: the regression suite.
        draws: pairs per test where the backend's answers vary; one is enough where they do not.
        max_trigger_share: of the suite, 0 to 1.
    """

    def __init__(
        self,
        agent: Agent,
        suite: Sequence[GateCase],
        *,
        draws: int = DRAWS,
        max_trigger_share: float = MAX_TRIGGER_SHARE,
    ) -> None:
        self._agent = agent
        self._suite = tuple(suite)
        self._suite_digest = digest([case.model_dump(mode="json") for case in self._suite])
        self._draws = draws if agent.backend.varies else 1
        self._max_trigger_share = max_trigger_share
        self.full_calls = 0
        """Answers that all decisions would have needed, had every test and every case of the
        suite been asked without and with the patch."""

    def conditions(self, patch: Patch) -> str:
        """Digest of what a decision on this patch rests on, without asking the model.

        That is the tests, the suite, the prompts, the model, the gate's own settings, and the
        active patches that the failing request brings up; those that only other tests bring up
        are left out.
        """
        applied = [
            [known.id for known in self._others(patch, case.request).applied]
            for case in patch.tests
            if case.role is Role.FAILING
        ]
        return digest(
            [
                patch.id,
                [case.model_dump(mode="json") for case in patch.tests],
                applied,
                self._suite_digest,
                self._agent.prompts.digest,
                self._agent.system_digest,
                self._agent.backend.name,
                self._agent.top_k,
                self._draws,
                self._max_trigger_share,
            ]
        )

    def _others(self, patch: Patch, request: str) -> Context:
        return self._agent.context(request, applied_only=True, without=patch.id)

    def examine(self, patch: Patch) -> GateReport:
        """Run the tests and decide.

        Asks no model where the trigger or the labels decide, and for no pairs where the failure
        does not come again.

        Raises:
            BackendError: the model's side failed; nothing is decided then.
        """
        trial = _Trial(self._agent, patch, self._draws)
        touched = self._touched(patch)
        full_calls = 2 * self._draws * (len(patch.tests) + len(self._suite))
        reasons = (
            self._too_broad(patch, len(touched))
            or _contradicted(patch, touched)
            or self._tried(trial, patch, touched)
        )
        self.full_calls += full_calls if trial.calls else 0
        return GateReport(
            decision=Status.QUARANTINED if reasons else Status.ACTIVE,
            reasons=tuple(reasons) or (_fixes(trial.results),),
            results=tuple(trial.results),
            suite_size=len(self._suite),
            suite_touched=len(touched),
            calls=trial.calls,
            full_calls=full_calls,
            false_accept_rate=_false_accept_rate(trial.results, self._draws),
            conditions=self.conditions(patch),
        )

    def prepare(self, patches: Iterable[Patch]) -> None:
        """Ask ahead, all beside each other, what examining these patches will begin with.

        The answers wait in the backend's cache. What the first of the patches changes for the
        others, `examine` asks anew; a failure of the model's side is its business, too.
        """
        questions = []
        for patch in patches:
            trial = _Trial(self._agent, patch, self._draws)
            touched = self._touched(patch)
            if not (self._too_broad(patch, len(touched)) or _contradicted(patch, touched)):
                # Where answers vary, the failure may not come again, and the rest be in vain.
                rest = [*patch.tests, *touched] if self._draws == 1 else []
                questions += trial.first_questions(rest)
        self._agent.attempts(questions)

    def _touched(self, patch: Patch) -> list[GateCase]:
        return [case for case in self._suite if occurs(patch.trigger, case.request)]

    def _too_broad(self, patch: Patch, touched: int) -> list[Reason]:
        share = touched / len(self._suite) if self._suite else 0.0
        if share <= self._max_trigger_share and words(patch.trigger):
            return []
        text = f"{patch.trigger!r} stands in {share:.0%} of the regression suite"
        return [Reason(code="trigger_too_broad", text=text)]

    def _tried(self, trial: _Trial, patch: Patch, touched: list[GateCase]) -> list[Reason]:
        if reason := trial.not_reproduced():
            return [reason]
        failing = trial.failing
        others = [case for case in patch.tests if case.role is not Role.FAILING]
        trial.run([*failing, *others, *touched])
        return list(_objections(trial.results))


def _contradicted(patch: Patch, touched: Sequence[GateCase]) -> list[Reason]:
    """The labels of the suite against the patch's claim: a false rule need not break an answer.

    A misread word can be taught as the name of anything and do no harm in the suite, where the
    right word stands beside it. The labels still say that it is not what it is claimed to be.
    """
    claim = {
        name: value
        for case in patch.tests
        if case.role is Role.FAILING
        for name, value in case.expected.items()
    }
    agree = [
        all(agrees(claim[name], case.expected[name]) for name in claim.keys() & case.expected)
        for case in touched
        if claim.keys() & case.expected.keys()
    ]
    wrong = len(agree) - sum(agree)
    if 2 * wrong <= len(agree):
        return []
    text = f"{wrong} of {len(agree)} labeled cases with {patch.trigger!r} say otherwise"
    return [Reason(code="contradicted", text=text)]


class _Trial:
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

    def first_questions(self, cases: Sequence[GateCase]) -> list[Question]:
        """What is sure to be asked: the failures without the patch, and these cases with it."""
        wanted = {_asked(case.request, c): (case.request, c) for case, c in self._first(cases)}
        return self._questions(wanted.values())

    def _first(self, cases: Sequence[GateCase]) -> Iterator[tuple[GateCase, Context]]:
        yield from ((case, self._without(case)) for case in self.failing)
        yield from ((case, self._with(case)) for case in cases if self._changes(case))

    def not_reproduced(self) -> Reason | None:
        """The reason to stop at once if the failures do not come again on fresh draws."""
        self._ask([(case.request, self._without(case)) for case in self.failing])
        for case in self.failing:
            passed = sum(case.passes(attempt.quote) for attempt in self._before(case))
            if 2 * passed >= self._draws:
                text = (
                    f"the failure did not come again: without the patch {passed} of "
                    f"{self._draws} fresh draws are right"
                )
                return Reason(code="not_reproduced", text=text)
        return None

    def run(self, cases: Sequence[GateCase]) -> None:
        """Run the tests' pairs, all beside each other.

        Only what can matter is asked: where the patch changes no prompt it can change no answer,
        and where every answer with the patch is right, nothing has turned wrong.
        """
        changing = [case for case in cases if self._changes(case)]
        self._ask((case.request, self._with(case)) for case in changing)
        wrong = [case for case in changing if not self._is_right(case)]
        roles = {Role.NEGATIVE, *(case.role for case in wrong if case.role is Role.REGRESSION)}
        self._ask(
            (case.request, self._without(case))
            for case in changing
            if case in wrong or case.role in roles
        )
        self.results += [self._result(case, case in changing) for case in cases]

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

    def _ask(self, wanted: Iterable[tuple[str, Context]]) -> None:
        new = {_asked(*each): each for each in wanted if _asked(*each) not in self._answers}
        questions = self._questions(new.values())
        self.calls += len(questions)
        attempts = iter(self._agent.attempts(questions))
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


def _objections(results: Sequence[PairedResult]) -> Iterator[Reason]:
    for result in results:
        if result.broken:
            text = f"{result.broken} of {result.draws} draws turn wrong on {result.request!r}"
            yield Reason(code="regression", text=text)
        if result.role is Role.NEGATIVE and result.changed:
            text = f"the answer to {result.request!r} changes, which the patch does not concern"
            yield Reason(code="changes_unconcerned", text=text)
    labeled = [result for result in results if result.role is Role.REGRESSION]
    misled, changed = (sum(getattr(r, name) for r in labeled) for name in ("misled", "changed"))
    if 2 * misled > changed:
        text = f"{misled} of {changed} changed answers to labeled cases get a labeled field wrong"
        yield Reason(code="contradicted", text=text)
    for role in (Role.FAILING, Role.POSITIVE):
        # Pooled over a role's tests: one request alone may draw more noise than its share.
        draws, _, after = _pooled(results, role)
        if draws and 2 * after <= draws:
            text = f"with the patch, {after} of {draws} draws of the {role} tests are right"
            yield Reason(code="does_not_fix", text=text)
    failing = [result for result in results if result.role is Role.FAILING]
    if failing and not any(result.draws for result in failing):
        text = "there is no room for the patch in the prompt of its own failing request"
        yield Reason(code="does_not_fix", text=text)


def _pooled(results: Iterable[PairedResult], role: Role) -> tuple[int, int, int]:
    """Draws, and those right without and with the patch, over all tests of a role."""
    found = [result for result in results if result.role is role]
    return (
        sum(result.draws for result in found),
        sum(result.passed_before or 0 for result in found),
        sum(result.passed_after for result in found),
    )


def _fixes(results: Sequence[PairedResult]) -> Reason:
    draws, before, after = _pooled(results, Role.FAILING)
    text = f"the failing request is right in {after} of {draws} draws, {before} without the patch"
    return Reason(code="fixes", text=f"{text}; nothing else turns wrong")


def _false_accept_rate(results: Sequence[PairedResult], draws: int) -> float:
    """Chance that noise alone fails the failing request in most draws, as a new lesson would.

    The noise is estimated from the tests' draws with the patch, which should all be right
    (Laplace's rule of succession); the chance is the binomial tail from the majority up.
    """
    if draws == 1 or not results:
        return 0.0
    failing, positive = (_pooled(results, role) for role in (Role.FAILING, Role.POSITIVE))
    run, right = failing[0] + positive[0], failing[2] + positive[2]
    rate = (run - right + 1) / (run + 2)
    tail = (
        math.comb(draws, n) * rate**n * (1 - rate) ** (draws - n)
        for n in range(draws // 2 + 1, draws + 1)
    )
    return round(sum(tail), 6)
