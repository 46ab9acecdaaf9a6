"""What `feedback --help` says that details take is what the proposer understands."""

from __future__ import annotations

import re

import pytest

from patchlab_agent.models.trace import INVALID_RESPONSE, Feedback
from patchlab_agent.shipping.carrier import LABELS
from patchlab_agent.shipping.details import DETAILS
from tests.shipping.helpers import as_json, proposed, quote
from tests.shipping.lessons import Changes

REQUEST = "Ship two kg bleach box to Ruritania"
WRONG: dict[str, Changes] = {
    "weight_missing": {"weight": None, "weight_kg": None},
    "unit_unknown": {"unit": "stone", "kg_per_unit": None, "weight": 2.0},
    "overdeclared": {"declarations": ["hazmat"]},
    "wrong_refusal": {"refusal": "overweight_parcel"},
}
FIELDS = {"takes liquids": "parcel_takes_liquids", "no liquids": "parcel_takes_liquids"}
EXAMPLES = [
    (label, detail) for label, takes in DETAILS.items() for detail in re.findall('"(.+?)"', takes)
]


def test_every_label_is_told() -> None:
    assert tuple(DETAILS) == LABELS


@pytest.mark.parametrize(("label", "detail"), EXAMPLES)
def test_every_example_teaches(label: str, detail: str) -> None:
    changes = {
        "item": "bleach",
        "destination": "ruritania",
        "parcel_takes_liquids": detail == "no liquids",
        **WRONG.get(label, {}),
    }
    request = REQUEST
    if label == "unit_unknown":
        request = "Ship 2 stone bleach box to Ruritania"
    if label == "weight_missing":
        # So much is not spelled as one word; what is asked is whether the number is read.
        request, detail = REQUEST, detail.replace("2.5", "2")
    feedback = Feedback(label=label, field=FIELDS.get(detail), detail=detail)
    found = proposed(request, as_json(quote(**changes)), feedback)
    assert found.patch is not None, found.reason


@pytest.mark.parametrize("label", [label for label in LABELS if "nothing" in DETAILS[label]])
def test_where_a_detail_may_be_left_out_none_is_needed(label: str) -> None:
    field = {"destination_unknown": "embargo", "item_unknown": "prohibited"}.get(label)
    changes: Changes = {
        "item": "bleach",
        "prohibited": "bleach",
        "destination": "ruritania",
        "embargo": "ruritania",
        "refusal": "liquid_restricted" if label == "wrong_refusal" else None,
    }
    found = proposed(REQUEST, as_json(quote(**changes)), Feedback(label=label, field=field))
    assert (found.patch is None) == (label == INVALID_RESPONSE)
