"""Which requests a patch concerns, and how far a trigger by similarity reaches."""

from __future__ import annotations

import pytest

from patchlab_agent.gate.evidence import Labeled
from patchlab_agent.gate.reach import calibrated, concerns
from patchlab_agent.models.base import JsonObject
from patchlab_agent.models.trigger import Always, Similar, Trigger
from tests.support.gates import RED, WHITE, zok
from tests.support.make import labeled

pytestmark = pytest.mark.quick

AGREE: JsonObject = RED
DENY: JsonObject = {"zok": "blue"}
SILENT: JsonObject = WHITE
PATCH = zok().model_copy(update={"trigger": Similar(requests=("a zok",))})


def reach(*suite: tuple[float, JsonObject], most: float = 1.0) -> float | None:
    """How far the trigger reaches by labels at these distances."""
    cases: list[Labeled] = []
    distances: dict[str, float] = {}
    for number, (distance, answer) in enumerate(suite):
        cases.append(labeled(f"zok {number}", answer))
        distances[f"zok {number}"] = distance
    found = calibrated(PATCH, cases, distances.__getitem__, most)
    if found is None:
        return None
    assert found.requests == ("a zok",)
    return found.radius


def test_it_reaches_to_the_farthest_label_that_agrees() -> None:
    assert reach((0.3, AGREE), (0.1, AGREE), (0.2, AGREE)) == 0.3
    # What says nothing of it is no reason to reach farther, nor one to stop.
    assert reach((0.1, AGREE), (0.2, SILENT), (0.3, AGREE), (0.4, SILENT)) == 0.3


def test_one_label_is_too_few() -> None:
    assert reach() is None
    assert reach((0.1, AGREE)) is None
    assert reach((0.1, AGREE), (0.2, SILENT)) is None
    assert reach((0.1, AGREE), (0.1, AGREE)) == 0.1


def test_nine_of_ten_labels_within_reach_have_to_agree() -> None:
    eight = [(0.1, AGREE)] * 8
    assert reach(*eight, (0.2, DENY), (0.3, AGREE)) == 0.3
    assert reach(*eight, (0.2, DENY), (0.2, DENY), (0.3, AGREE)) == 0.1
    # Labels as near as each other are within reach together.
    assert reach((0.1, AGREE), (0.1, DENY), (0.1, AGREE)) is None


def test_it_reaches_no_more_than_a_share_of_the_suite() -> None:
    suite = [(0.1, AGREE), (0.2, AGREE), (0.3, SILENT), (0.4, AGREE)]
    assert reach(*suite, most=0.5) == 0.2
    assert reach(*suite, most=0.75) == 0.2
    assert reach(*suite, most=1.0) == 0.4
    assert reach(*suite, most=0.25) is None


def test_only_a_trigger_by_similarity_has_a_reach() -> None:
    agree = [labeled(request, RED) for request in ("a zok", "the zok")]
    assert calibrated(PATCH, agree, lambda _: 0.0, 1.0) is not None
    assert calibrated(zok(), agree, lambda _: 0.0, 1.0) is None


@pytest.mark.parametrize(
    ("trigger", "request_", "is_concerned"),
    [
        ("zok", "one zok", True),
        ("zok", "salt", False),
        (Always(), "salt", True),
        (Similar(requests=("a zok",), radius=0.5), "one zok", True),
        (Similar(requests=("a zok",), radius=0.5), "salt", False),
        (Similar(requests=("a zok",)), "one zok", False),
    ],
)
def test_a_patch_concerns_requests_by_its_trigger(
    trigger: Trigger, request_: str, is_concerned: bool
) -> None:
    patch = zok().model_copy(update={"trigger": trigger})
    assert concerns(patch, request_, {"one zok": 0.5, "salt": 0.6}.__getitem__) is is_concerned


def test_labels_that_say_nothing_of_the_lesson_set_no_reach() -> None:
    assert calibrated(PATCH, [labeled(f"salt {n}", WHITE) for n in "abc"], lambda _: 0.1, 1) is None
