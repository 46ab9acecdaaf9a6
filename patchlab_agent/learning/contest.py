"""Several candidates for one failure: the one with the best evidence is taken, not the first.

Each is examined as if it were the only one, so the order of a proposer's candidates decides only
where evidence does not. Trying them in turn would take fewer answers, and would let in whichever
phrase comes first and happens to stand in the request that failed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from patchlab_agent.gate.base import AcceptanceCriterion, Candidate, Examination
from patchlab_agent.models.patch import Patch
from patchlab_agent.models.trigger import Similar

MAX_CALLS = 200
"""Answers for the candidates of one failure; once they are spent and one candidate can be let in,
no further one is examined."""


@dataclass(frozen=True)
class Contest:
    """The candidates for a failure.

    Attributes:
        order: all of them, the one with the best evidence first.
        examined: those that were examined, by the id of what was offered, with the gate's findings.
    """

    order: tuple[Patch, ...]
    examined: Mapping[str, tuple[Candidate, Examination]] = field(default_factory=dict)

    def examination(self, offered: Patch) -> Examination | None:
        """Return what the gate found of a candidate; None if it was not examined."""
        return self.examined[offered.id][1] if offered.id in self.examined else None

    def kept_out(self) -> Iterator[tuple[Candidate, Examination]]:
        """Yield the candidates that the gate keeps out, if it lets one in."""
        found = self.examined.values()
        if any(each.report.decision == "active" for _, each in found):
            yield from (each for each in found if each[1].report.decision == "quarantined")


def contest(
    gate: AcceptanceCriterion, offered: Sequence[Patch], candidates: Mapping[str, Candidate]
) -> Contest:
    """Examine candidates, and put what was offered in the order of its evidence.

    Args:
        gate: examines them; nothing is stored.
        offered: patches for one failure, in the proposer's order.
        candidates: those of them that are to be examined, by the id of what was offered.

    Raises:
        Interruption: the model's side or the skill failed.
    """
    found: dict[str, tuple[Candidate, Examination]] = {}
    calls, is_settled = 0, False
    for name, candidate in candidates.items():
        if is_settled and calls >= MAX_CALLS:
            break
        examination = gate.examine(candidate)
        found[name] = candidate, examination
        calls += examination.report.calls
        is_settled |= examination.report.decision == "active"
    ranks = {name: _rank(examination) for name, (_, examination) in found.items()}
    return Contest(tuple(sorted(offered, key=lambda p: ranks.get(p.id, _UNEXAMINED))), found)


_UNEXAMINED = (2,)


def _rank(examination: Examination) -> tuple[float, ...]:
    """Return a sort key, least for the best evidence.

    Harm counts first, then what right answers at hand say, which a phrase cannot influence, then
    what it mends: a test stops as soon as it is decided, so few requests mended may be all that
    were asked. How near is near enough was chosen by those same answers, so that their agreement
    says less of similar requests: they come after phrases.
    """
    report = examination.report
    if report.decision == "active":
        is_fitted = isinstance(examination.trigger, Similar)
        return (0, report.broken, is_fitted, -examination.agreement, -report.mended)
    # A lesson that leaves another complaint can be let in beside a second one.
    return (1,) if examination.remaining else _UNEXAMINED
