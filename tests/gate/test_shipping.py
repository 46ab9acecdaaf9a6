"""The gate with a model that makes mistakes: the toy, and the lessons of real failures."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from patchlab_agent.gate.evidence import Labeled
from patchlab_agent.lab.lab import Lab
from patchlab_agent.lab.opening import open_lab
from patchlab_agent.models.case import Case
from patchlab_agent.models.event import PatchEvent
from patchlab_agent.models.evidence import EvidenceSource
from patchlab_agent.models.patch import Patch
from patchlab_agent.models.trace import Feedback
from patchlab_agent.runs.loop import SimulatedReferee
from patchlab_agent.runs.suite import labeled_cases
from patchlab_agent.shipping.shipment import Shipment
from patchlab_agent.skill.optional import cases_of, rules_needed

POUND = Feedback(label="unit_unknown", field="unit", value="lb", detail="1 lb is 0.45359237 kg")
HAZMAT = Feedback(label="hazmat_undeclared", field="declarations", detail="battery: hazmat")
BOOKS = Shipment(weight_kg=0.907, item="books", parcel="box", country="US")
BATTERY = Shipment(weight_kg=1, item="battery", parcel="box", country="EU", services=("hazmat",))


@pytest.fixture(params=[0.0, 0.05], ids=["steady", "noisy"])
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lab]:
    with open_lab(store=tmp_path / "s", noise=request.param, examples=0) as opened:
        yield opened


def learn(
    lab: Lab, request: str, feedback: Feedback, truth: Shipment | None = None
) -> tuple[PatchEvent, Patch]:
    """The first event, and the patch that it is about; a truth lets the carrier be asked again."""
    referee = SimulatedReferee(lab.skill.simulator)
    if truth is not None:
        referee.remember(Case(request=request, truth=truth.model_dump(mode="json")))
    given = None if truth is None else referee
    event, *_ = lab.learner.learn(lab.agent.answer(request), feedback, given).events
    patch = lab.store.patches.get(event.patch_id or "")
    assert patch is not None
    return event, patch


@pytest.mark.parametrize(
    ("request_text", "feedback", "truth"),
    [
        ("Ship 2 lb books box to US", POUND, BOOKS),
        ("Ship 1 kg battery box to EU", HAZMAT, BATTERY),
    ],
)
def test_a_true_lesson_is_accepted(
    lab: Lab, request_text: str, feedback: Feedback, truth: Shipment
) -> None:
    event, patch = learn(lab, request_text, feedback, truth)
    assert event.kind == "activated"
    assert patch.gate is not None
    assert patch.gate.codes == ("mends",)
    assert (patch.gate.mended, patch.gate.broken) == (1, 0)
    assert patch.gate.suite_touched > 0
    counts = {count.source: count for count in patch.gate.counts()}
    assert counts[EvidenceSource.REFEREE].mended == 1
    assert counts[EvidenceSource.LABELS].requests == patch.gate.suite_touched
    assert patch.gate.calls < patch.gate.full_calls


def test_labels_are_enough_where_nobody_can_judge_the_failure(lab: Lab) -> None:
    event, patch = learn(lab, "Ship 2 lb books box to US", POUND)
    assert (event.kind, patch.gate and patch.gate.codes) == ("activated", ("mends",))


@pytest.mark.parametrize(
    ("request_text", "label", "detail", "code"),
    [
        ("Ship 2 kg books box to US", "prohibited_item", "books: prohibited", "contradicted"),
        ("Ship 2 kg toys box to US", "hazmat_undeclared", "toys: hazmat", "contradicted"),
        ("Ship 2 kg tea drum to Kenya", "embargo_destination", "under embargo", "contradicted"),
        ("Ship 2 kg tea box to Berlin", "destination_unknown", "FR", "contradicted"),
        ("Ship 2 kg tea box to Japan", "parcel_unknown", "box: up to 1 kg", "trigger_too_broad"),
    ],
)
def test_a_false_lesson_is_quarantined_with_its_reason_and_unasked(
    lab: Lab, request_text: str, label: str, detail: str, code: str
) -> None:
    event, patch = learn(lab, request_text, Feedback(label=label, detail=detail))
    assert event.kind == "quarantined"
    assert patch.gate is not None
    assert patch.gate.codes == (code,)
    assert (patch.gate.calls, patch.gate.results) == (0, ())
    assert lab.store.patches.active_count == 0


@pytest.mark.parametrize(
    ("request_text", "label", "detail"),
    [
        ("Ship 2 kg honey box to Japan", "item_unknown", "honey: liquid"),
        ("Ship 2 kg tea bag to Japan", "parcel_unknown", "bag: up to 2 kg"),
    ],
)
def test_a_false_lesson_that_no_label_denies_outright_is_not_let_in(
    lab: Lab, request_text: str, label: str, detail: str
) -> None:
    event, patch = learn(lab, request_text, Feedback(label=label, detail=detail))
    assert event.kind == "quarantined"
    assert patch.gate is not None
    assert set(patch.gate.codes) <= {"contradicted", "outweighed", "no_evidence"}


HEAVY = Shipment(weight_kg=99.8, item="shoes", parcel="box", country="US")


@pytest.mark.parametrize(
    ("factor", "suite", "code"),
    [
        # 220 of either are too heavy for a box, so the refusal says nothing of the factor …
        ("0.45359237", False, "no_evidence"),
        ("0.9", False, "no_evidence"),
        # … but the weights of labeled requests do.
        ("0.45359237", True, "mends"),
        ("0.9", True, "contradicted"),
    ],
)
def test_a_rightful_refusal_vouches_for_its_reason_alone(
    tmp_path: Path, factor: str, suite: bool, code: str
) -> None:
    complaint = Feedback(
        label="unit_unknown", field="unit", value="lbs", detail=f"1 lbs is {factor} kg"
    )
    with open_lab(store=tmp_path / "s", noise=0.0, examples=0) as lab:
        if not suite:
            lab.gate.use_suite([])
        _, patch = learn(lab, "box of shoes (220 lbs) for US", complaint, HEAVY)
        assert patch.gate is not None
        assert patch.gate.codes == (code,)
        assert patch.gate.mended >= 1
        if code == "no_evidence":
            assert patch.gate.wants_evidence
            assert "says nothing of it" in patch.gate.reasons[0].text


@pytest.mark.parametrize("factor", ["0.45359237", "0.9"])
def test_a_labeled_refusal_vouches_for_no_more(tmp_path: Path, factor: str) -> None:
    complaint = Feedback(
        label="unit_unknown", field="unit", value="lbs", detail=f"1 lbs is {factor} kg"
    )
    with open_lab(store=tmp_path / "s", noise=0.0, examples=0) as lab:
        heavy = HEAVY.model_copy(update={"weight_kg": 113.4})
        case = Case(request="Ship 250 lbs shoes box to US", truth=heavy.model_dump(mode="json"))
        simulator = lab.skill.simulator
        label = Labeled(
            case.request, simulator.expected(case), lambda quote: simulator.judge(case, quote)
        )
        others = [each for each in labeled_cases(simulator) if "lbs" not in each.request]
        lab.gate.use_suite([*others, label])
        _, patch = learn(lab, "box of shoes (220 lbs) for US", complaint, HEAVY)
        assert patch.gate is not None
        assert patch.gate.suite_touched == 1
        assert patch.gate.codes == ("no_evidence",)


def test_what_noise_alone_got_wrong_is_not_learned(tmp_path: Path) -> None:
    events: Counter[str] = Counter()
    codes: Counter[str] = Counter()
    with open_lab(store=tmp_path / "s", noise=0.08, examples=0) as lab:
        simulator = lab.skill.simulator
        referee = SimulatedReferee(simulator)
        cases = (
            case
            for case in cases_of(simulator, random.Random(5))
            if not rules_needed(simulator, case)
        )
        for number, case in zip(range(200), cases, strict=False):
            # The rules of the prompt suffice for each of these, so every failure is the noise's.
            referee.remember(case)
            trace = lab.agent.answer(case.request, draw=f"run:{number}")
            for event in lab.learner.learn(
                trace, simulator.judge(case, trace.output), referee
            ).events:
                events[event.kind] += 1
        for patch in lab.store.patches.all():
            codes.update(patch.gate.codes if patch.gate else ())
    assert events["quarantined"] >= 10
    assert events["activated"] == 0
    assert codes["not_reproduced"] + codes["contradicted"] > codes.total() / 2


def test_a_lesson_about_one_word_for_a_unit_serves_the_others(lab: Lab) -> None:
    trace = lab.agent.answer("Ship 2 lb books box to US")
    referee = SimulatedReferee(lab.skill.simulator)
    referee.remember(Case(request=trace.request, truth=BOOKS.model_dump(mode="json")))
    own, *others = lab.learner.learn(trace, POUND, referee).events
    assert [event.trigger for event in others if event.kind == "activated"] == ["lbs", "pounds"]
    assert all(event.text.startswith(f"variant of {own.patch_id} (lb): ") for event in others)
