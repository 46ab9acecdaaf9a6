"""A carrier that errs: what it says then is plausible, and false."""

from __future__ import annotations

import random
from itertools import islice

from patchlab_agent.lab.opening import open_lab
from patchlab_agent.models.trace import OK
from patchlab_agent.runs.loop import SimulatedReferee
from patchlab_agent.shipping.carrier import LABELS
from patchlab_agent.shipping.falsehood import falsified
from patchlab_agent.shipping.proposer import ShippingProposer
from patchlab_agent.shipping.simulator import ShippingSimulator


def test_it_never_says_what_is_true_and_may_say_any_label(tmp_path) -> None:  # type: ignore[no-untyped-def]
    simulator, rng, said, lessons = ShippingSimulator(), random.Random(5), set(), 0
    with open_lab(store=tmp_path / "s") as lab:
        for number, case in enumerate(islice(simulator.requests(random.Random(2)), 400)):
            trace = lab.agent.answer(case.request, draw=str(number))
            true = simulator.judge(case, trace.output)
            false = falsified(case, trace.output, true, rng)
            assert (false.label, false.detail) != (true.label, true.detail)
            if true.ok:
                assert not false.ok
            said.add(false.label)
            lessons += not false.ok and bool(ShippingProposer().propose(trace, false).patch)
    assert said - {None} <= set(LABELS)
    assert len(said) >= 12
    assert lessons > 100


def test_a_referee_errs_as_often_as_it_is_told_to_and_the_same_way_each_time() -> None:
    simulator = ShippingSimulator()
    cases = list(islice(simulator.requests(random.Random(2)), 300))

    def told(share: float, seed: int = 1) -> list[bool]:
        referee = SimulatedReferee(simulator, falsify=falsified, share=share, seed=seed)
        for case in cases:
            referee.remember(case)
        return [referee.judge(case.request, None) != simulator.judge(case, None) for case in cases]

    assert sum(told(0.0)) == 0
    assert sum(told(1.0)) == len(cases)
    assert 0.1 < sum(told(0.2)) / len(cases) < 0.3
    assert told(0.2) == told(0.2)
    assert told(0.2) != told(0.2, seed=2)


def test_an_answer_that_cannot_be_used_may_be_taken(tmp_path) -> None:  # type: ignore[no-untyped-def]
    simulator = ShippingSimulator()
    case = simulator.golden()[0]
    assert falsified(case, None, simulator.judge(case, None), random.Random(1)) == OK
