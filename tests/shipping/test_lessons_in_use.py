"""Lessons of the shipping skill in production: no baseline, no referee, one word per answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from patchlab_agent.lab.opening import lab_of
from patchlab_agent.models.case import Case
from patchlab_agent.models.evidence import Record, Standing
from patchlab_agent.models.patch import Fix, Patch, Provenance, Status
from patchlab_agent.models.trace import Feedback
from patchlab_agent.settings import AgentSettings
from patchlab_agent.shipping.rules import DestinationFix, ParcelFix
from tests.shipping.helpers import SIMULATOR, shipment

ITEMS = ("books", "tea", "shoes", "jackets", "puzzles")
USES = 120


def cases(parcel: str, alias: str, country: str) -> list[Case]:
    """Requests for this parcel and destination, each of another weight and item."""
    found = []
    for number in range(USES):
        kg, item = round(1.1 + 0.03 * number, 2), ITEMS[number % len(ITEMS)]
        truth = shipment(weight_kg=kg, item=item, parcel=parcel, country=country)
        request = f"Ship {kg} kg {item} {parcel} to {alias}"
        found.append(Case(request=request, truth=truth.model_dump(mode="json")))
    return found


def lives(folder: Path, fix: Fix, trigger: str, stream: list[Case]) -> tuple[int, Patch]:
    """Uses of a lesson that somebody has let in by hand, until they tell."""
    born = Provenance(trace_id="t-1", request="", label="parcel_unknown")
    patch = Patch(skill="shipping", trigger=trigger, fix=fix, provenance=born)
    settings = AgentSettings(store=folder / "s", holdout=0.3, trust="nobody", examples=0)
    now = patch
    with lab_of(settings) as lab:
        lab.lifecycle.enable(patch)
        for number, case in enumerate(stream, start=1):
            trace = lab.agent.answer(case.request, trace_id=f"t-{number:07d}")
            # Whoever judges says that it is wrong, not what is right, or that would be learned.
            lab.learn(trace, Feedback(label=SIMULATOR.judge(case, trace.output).label))
            stored = lab.store.patches.get(patch.id)
            assert stored is not None
            now = stored
            if now.status is not Status.ACTIVE or now.standing is Standing.PROVEN:
                return number, now
    return USES, now


@pytest.mark.parametrize(
    ("fix", "trigger"),
    [
        (ParcelFix(parcel="box", limit_kg=1), "box"),
        (DestinationFix(alias="US", country="CA"), "us"),
    ],
    ids=["limit", "country"],
)
def test_a_false_lesson_is_convicted_by_its_uses(tmp_path: Path, fix: Fix, trigger: str) -> None:
    number, patch = lives(tmp_path, fix, trigger, cases("box", "US", "US"))
    assert patch.status is Status.QUARANTINED
    assert patch.history[-1].cause.startswith("convicted: held out of a share of its uses")
    assert patch.record == Record(pairs=patch.record.pairs)
    assert patch.record.pairs.lost > patch.record.pairs.gained
    assert number < 80


def test_a_true_lesson_is_proven_by_its_uses(tmp_path: Path) -> None:
    tube = ParcelFix(parcel="tube", limit_kg=5)
    number, patch = lives(tmp_path, tube, "tube", cases("tube", "US", "US"))
    assert patch.standing is Standing.PROVEN
    assert number < 80


def test_a_lesson_that_says_what_is_known_is_neither(tmp_path: Path) -> None:
    known = ParcelFix(parcel="box", limit_kg=30)
    _, patch = lives(tmp_path, known, "box", cases("box", "US", "US"))
    assert (patch.status, patch.standing) == (Status.ACTIVE, Standing.TRIAL)
