"""What a gate makes of the tests' results: pure functions from pairs to reasons."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from patchlab_agent.models.patch import GateCase, PairedResult, Patch, Reason, Role, agrees


def contradicted(patch: Patch, touched: Sequence[GateCase]) -> list[Reason]:
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


def objections(results: Sequence[PairedResult], mended_per_broken: int) -> Iterator[Reason]:
    """What speaks against a patch, by the results of all its tests; nothing where it may pass.

    Args:
        results: of the patch's own tests and of the suite's cases that its trigger touches.
        mended_per_broken: labeled draws to be mended for each draw that turns wrong.
    """
    outweighed = _mended(results) >= mended_per_broken * _broken(results)
    for result in results:
        if result.broken and not outweighed:
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


def fixes(results: Sequence[PairedResult]) -> Reason:
    """What speaks for a patch that passes."""
    draws, before, after = _pooled(results, Role.FAILING)
    text = f"the failing request is right in {after} of {draws} draws, {before} without the patch"
    rest = "nothing else turns wrong"
    if broken := _broken(results):
        rest = f"{_mended(results)} labeled draws are mended for {broken} that turn wrong"
    return Reason(code="fixes", text=f"{text}; {rest}")


def _broken(results: Sequence[PairedResult]) -> int:
    """Draws that the patch turns wrong, on any test."""
    return sum(result.broken for result in results)


def _mended(results: Sequence[PairedResult]) -> int:
    """Draws that the patch turns right on cases that somebody labeled, not on its own tests."""
    return sum(result.mended for result in results if result.role is Role.REGRESSION)


def false_accept_rate(results: Sequence[PairedResult], draws: int) -> float:
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
