"""Hands the regression suite to the gate."""

from __future__ import annotations

from patchlab_agent.gate.evidence import Labeled
from patchlab_agent.models.case import Case
from patchlab_agent.skill.seam import Simulator


def labeled_cases(simulator: Simulator) -> list[Labeled]:
    """Return the regression suite as the gate asks it, by the rules that hold now."""

    def labeled(case: Case) -> Labeled:
        return Labeled(
            case.request, simulator.expected(case), lambda output: simulator.judge(case, output)
        )

    return [labeled(case) for case in simulator.regression()]
