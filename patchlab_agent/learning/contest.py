"""Several candidates for one failure: the one with the best evidence is taken, not the first.

Right answers at hand tell much of a candidate before a model is asked, and a proposer's phrase
cannot influence them. So candidates are examined in that order, each as if it were the only one,
and the first that is let in without turning anything wrong wins: nothing that an examination of
the others may find would put them before it. Trying them in the proposer's order would let in
whichever phrase comes first and happens to stand in the request that failed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from patchlab_agent.gate.base import AcceptanceCriterion, Candidate, Examination, Foreknowledge
from patchlab_agent.models.patch import Patch

MAX_CALLS = 200
"""Answers for the candidates of one failure; once they are spent and one candidate can be let in,
if only with harm, no further one is examined."""


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
    foreknown = {name: gate.foreknown(each) for name, each in candidates.items()}
    found: dict[str, tuple[Candidate, Examination]] = {}
    calls, is_settled = 0, False
    for name in sorted(candidates, key=foreknown.__getitem__):
        if is_settled and calls >= MAX_CALLS:
            break
        examination = gate.examine(candidates[name])
        found[name] = candidates[name], examination
        calls += examination.report.calls
        is_in = examination.report.decision == "active"
        if is_in and not examination.report.broken:
            break
        is_settled |= is_in

    ranks = {name: _rank(each, foreknown[name]) for name, (_, each) in found.items()}
    return Contest(tuple(sorted(offered, key=lambda p: ranks.get(p.id, _REST))), found)


_REST = (2,)


def _rank(examination: Examination, foreknown: Foreknowledge) -> tuple[object, ...]:
    """Return a sort key, least for the best evidence: harm counts first, then right answers."""
    if examination.report.decision == "active":
        return (0, examination.report.broken, foreknown)
    # A lesson that leaves another complaint can be let in beside a second one.
    return (1,) if examination.remaining else _REST
