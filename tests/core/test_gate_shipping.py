"""The gate with a model that makes mistakes: the toy, and the lessons of real failures."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from patchlab_agent.models.patch import Patch, PatchEvent, Role
from patchlab_agent.models.trace import Completion, Feedback, Prompt
from patchlab_agent.shipping.toy.backend import ToyBackend
from patchlab_agent.text import occurs
from patchlab_agent.wiring import Lab, open_lab

POUND = Feedback(label="unit_unknown", field="unit", value="lb", detail="1 lb is 0.45359237 kg")
HAZMAT = Feedback(label="hazmat_undeclared", field="declarations", detail="battery: hazmat")


@pytest.fixture(params=[0.0, 0.05], ids=["steady", "noisy"])
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lab]:
    with open_lab(store=tmp_path / "s", noise=request.param, examples=0) as opened:
        yield opened


def learn(lab: Lab, request: str, feedback: Feedback) -> tuple[PatchEvent, Patch]:
    """The one event, and the patch that it is about."""
    (event,) = lab.learner.learn(lab.agent.answer(request), feedback)
    patch = lab.store.patches.get(event.patch_id or "")
    assert patch is not None
    return event, patch


@pytest.mark.parametrize(
    ("request_text", "feedback"),
    [("Ship 2 lb books box to US", POUND), ("Ship 1 kg battery box to EU", HAZMAT)],
)
def test_a_true_lesson_is_accepted(lab: Lab, request_text: str, feedback: Feedback) -> None:
    event, patch = learn(lab, request_text, feedback)
    assert event.kind == "activated"
    assert patch.gate is not None
    assert patch.gate.codes == ("fixes",)
    assert patch.gate.flips == 0
    assert patch.gate.suite_touched > 0
    draws = 5 if lab.agent.backend.varies else 1
    asked = [result for result in patch.gate.results if result.draws]
    assert {result.draws for result in asked} == {draws}
    assert all(result.passed_before is None for result in patch.gate.results if not result.draws)
    # Every test that holds the trigger is asked, and of the others none.
    assert len(asked) == sum(occurs(patch.trigger, r.request) for r in patch.gate.results)
    assert len(asked) == sum(r.role is not Role.NEGATIVE for r in patch.gate.results)
    assert patch.gate.calls < patch.gate.full_calls / 5
    roles = Counter(result.role for result in patch.gate.results)
    assert (roles[Role.FAILING], roles[Role.REGRESSION]) == (1, patch.gate.suite_touched)
    assert roles[Role.POSITIVE] > 0
    assert roles[Role.NEGATIVE] > 0
    assert (patch.gate.false_accept_rate == 0) is (draws == 1)
    assert patch.gate.false_accept_rate < 0.5


@pytest.mark.parametrize(
    ("request_text", "label", "detail", "code"),
    [
        ("Ship 2 kg books box to US", "prohibited_item", "books: prohibited", "contradicted"),
        ("Ship 2 kg toys box to US", "hazmat_undeclared", "toys: hazmat", "contradicted"),
        ("Ship 2 kg tea drum to Kenya", "embargo_destination", "under embargo", "contradicted"),
        ("Ship 2 kg tea box to Berlin", "destination_unknown", "FR", "contradicted"),
        ("Ship 2 kg honey box to Japan", "item_unknown", "honey: liquid", "contradicted"),
        ("Ship 2 kg tea bag to Japan", "parcel_unknown", "bag: up to 2 kg", "contradicted"),
        ("Ship 2 kg tea box to Japan", "parcel_unknown", "box: up to 1 kg", "trigger_too_broad"),
    ],
)
def test_a_false_lesson_is_quarantined_with_its_reason(
    lab: Lab, request_text: str, label: str, detail: str, code: str
) -> None:
    event, patch = learn(lab, request_text, Feedback(label=label, detail=detail))
    assert event.kind == "quarantined"
    assert patch.gate is not None
    assert code in patch.gate.codes
    assert lab.store.patches.active_count == 0


def test_what_noise_alone_got_wrong_is_not_learned(tmp_path: Path) -> None:
    events: Counter[str] = Counter()
    codes: Counter[str] = Counter()
    with open_lab(store=tmp_path / "s", noise=0.08, examples=0) as lab:
        world = lab.skill.world
        cases = (case for case in world.requests(random.Random(5)) if not world.untaught(case))
        for number, case in zip(range(200), cases, strict=False):
            # The rules of the prompt suffice for each of these, so every failure is the noise's.
            trace = lab.agent.answer(case.request, draw=f"run:{number}")
            for event in lab.learner.learn(trace, world.judge(case, trace.quote)):
                events[event.kind] += 1
        for patch in lab.store.patches.all():
            codes.update(patch.gate.codes if patch.gate else ())
    assert events["quarantined"] >= 10
    assert events["activated"] == 0
    assert codes["not_reproduced"] > codes.total() / 2


class Counting(ToyBackend):
    """The toy, with a record of the draws that it was asked for."""

    def __init__(self) -> None:
        super().__init__(noise=0.05)
        self.draws: Counter[str] = Counter()

    def complete(self, prompt: Prompt) -> Completion:
        self.draws[prompt.draw] += 1
        return super().complete(prompt)


def test_the_gate_asks_on_draws_of_its_own_and_each_prompt_once(tmp_path: Path) -> None:
    toy = Counting()
    with open_lab(store=tmp_path / "s", backend=toy, examples=0) as lab:
        trace = lab.agent.answer("Ship 2 lb books box to US", draw="run:1")
        toy.draws.clear()
        (event,) = lab.learner.learn(trace, POUND)
        patch = lab.store.patches.get(event.patch_id or "")
    assert patch is not None
    assert patch.gate is not None
    assert toy.draws.keys() == {f"gate:{n}" for n in range(5)}
    assert toy.draws.total() <= patch.gate.calls
    assert len(set(toy.draws.values())) == 1
