"""The requests that the design names: read field by field, learned, and judged as anybody would."""

from __future__ import annotations

from typing import Any

import pytest

from patchlab_agent.models.case import Case
from tests.shipping.helpers import SIMULATOR, asked, meets

READ: dict[str, dict[str, Any]] = {
    "Ship 5 kg books letter to EU": {
        "weight": 5.0,
        "unit": "kg",
        "item": "books",
        "parcel": "letter",
        "destination": "eu",
        "country": "EU",
        "category": "print",
        "parcel_limit_kg": None,
    },
    "Quote for 0.5kg clothes tube -> US": {
        "weight": 0.5,
        "unit": "kg",
        "item": "clothes",
        "parcel": "tube",
        "destination": "us",
        "country": "US",
        "category": None,
        "parcel_limit_kg": None,
    },
    "Ship 1 kg alcohol box to US": {
        "weight": 1.0,
        "unit": "kg",
        "item": "alcohol",
        "parcel": "box",
        "destination": "us",
        "country": "US",
        "category": None,
        "parcel_limit_kg": 30.0,
    },
}
LEARNED: dict[str, dict[str, Any]] = {
    "Ship 5 kg books letter to EU": {"parcel_limit_kg": 0.5, "refusal": "overweight_parcel"},
    "Quote for 0.5kg clothes tube -> US": {
        "category": "clothing",
        "parcel_limit_kg": 5.0,
        "refusal": None,
        "price_eur": 16.4,
    },
    "Ship 1 kg alcohol box to US": {"category": "liquid", "refusal": "liquid_restricted"},
}


def golden(request: str) -> Case:
    (found,) = (case for case in SIMULATOR.golden() if case.request == request)
    return found


@pytest.mark.parametrize("request_text", READ)
def test_a_request_of_the_design_is_read_rightly_before_anything_is_learned(
    request_text: str,
) -> None:
    given = asked(request_text)
    assert {name: given[name] for name in READ[request_text]} == READ[request_text]
    assert not SIMULATOR.judge(golden(request_text), given).ok


@pytest.mark.parametrize("request_text", LEARNED)
def test_with_what_it_lacks_it_is_answered_rightly(request_text: str) -> None:
    case = golden(request_text)
    given = asked(request_text, SIMULATOR.uncovered(case))
    assert {name: given[name] for name in LEARNED[request_text]} == LEARNED[request_text]
    assert meets(given, SIMULATOR.expected(case))
    assert SIMULATOR.judge(case, given).ok


@pytest.mark.parametrize("name", ["letter", "clothes", "alcohol"])
def test_what_the_design_names_has_cases_to_measure_on_and_to_gate_by(name: str) -> None:
    def concerning(cases: Any) -> int:
        return sum(name in (case.truth["item"], case.truth["parcel"]) for case in cases)

    assert concerning(SIMULATOR.golden()) >= 5
    assert concerning(SIMULATOR.regression()) >= 3
