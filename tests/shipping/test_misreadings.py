"""What a misreading, odd feedback or an odd file must neither teach nor break."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from patchlab_agent.errors import InputError
from patchlab_agent.models.patch import Role
from patchlab_agent.models.trace import Feedback
from patchlab_agent.shipping.cases import read_labeled
from patchlab_agent.shipping.examples import number_example
from patchlab_agent.shipping.patch_tests import patch_tests
from patchlab_agent.shipping.rules import (
    DestinationFix,
    ExampleFix,
    ItemFix,
    ParcelFix,
    RestrictionFix,
    RevokedFix,
    UnitFix,
)
from patchlab_agent.shipping.tables import known_rules
from patchlab_agent.shipping.toy.lexicon import lexicon
from patchlab_agent.shipping.toy.reader import understand
from patchlab_agent.text import occurs
from tests.shipping.helpers import (
    REQUEST,
    SIMULATOR,
    answer,
    as_json,
    asked,
    proposed,
    quote,
)
from tests.shipping.lessons import LB, NO_WEIGHT, TUBE
from tests.shipping.test_closed_loop import failures
from tests.shipping.test_confusion import case

Changes = dict[str, Any]


def patch_of(request: str, changes: Changes, label: str, detail: str) -> Any:
    return proposed(request, as_json(quote(**changes)), Feedback(label=label, detail=detail)).patch


@pytest.mark.parametrize(
    ("request_text", "changes", "detail"),
    [
        (
            "Ship 2.3 kg posters, not weapon, box to Germany",
            {"item": "weapon", "refusal": "prohibited_item"},
            "posters: not prohibited",
        ),
        (
            "Ship 5 kg toys box to South Korea, not North Korea",
            {"destination": "north korea", "country": "KP", "refusal": "embargo_destination"},
            "KR: no embargo",
        ),
        (
            "Ship 2 kg books about wine satchel to US",
            {"item": "wine", "category": "liquid", "parcel": "satchel"}
            | {"refusal": "liquid_restricted"},
            "books: no liquid",
        ),
    ],
)
def test_a_misread_refusal_withdraws_no_rule(
    request_text: str, changes: Changes, detail: str
) -> None:
    assert patch_of(request_text, changes, "wrong_refusal", detail) is None


def test_without_noise_the_golden_set_teaches_no_false_withdrawal() -> None:
    for found in SIMULATOR.golden():
        given = asked(found.request)
        feedback = SIMULATOR.judge(found, given)
        patch = None if feedback.ok else proposed(found.request, given, feedback).patch
        if patch is not None and isinstance(patch.fix, RevokedFix):
            assert patch.fix in SIMULATOR.uncovered(found), found.request


@pytest.mark.parametrize("detail", ["the sender asked: fragile", "fragile", ""])
def test_what_the_sender_asked_for_is_no_rule_about_the_item(detail: str) -> None:
    request = "Ship 2 kg tent box to US, fragile"
    assert patch_of(request, {"item": "tent"}, "fragile_undeclared", detail) is None
    request = "Ship 2 kg mirror box to US, fragile"
    learned = patch_of(request, {"item": "mirror"}, "fragile_undeclared", "mirror: fragile")
    assert learned.fix == RestrictionFix(item="mirror", demand="fragile")


def test_without_noise_no_thing_is_learned_as_a_number() -> None:
    for found in failures():
        if found.patch is not None and isinstance(found.patch.fix, ExampleFix):
            assert found.patch.fix in SIMULATOR.uncovered(found.case), found.case.request


def test_a_number_is_not_reckoned_in_a_unit_that_was_misread() -> None:
    request = "Spain <- three kg posters envelope"
    misread = {**NO_WEIGHT, "unit": "g", "kg_per_unit": 0.001}
    assert patch_of(request, misread, "weight_missing", "3 kg on the scale") is None
    learned = patch_of(request, NO_WEIGHT, "weight_missing", "3 kg on the scale")
    assert learned.fix == number_example("three", 3)


@pytest.mark.parametrize("detail", ["1e999 kg on the scale", "1e999", "1e308"])
def test_an_infinite_weight_teaches_nothing(detail: str) -> None:
    assert patch_of(REQUEST, {**NO_WEIGHT, "kg_per_unit": 0.001}, "weight_missing", detail) is None


def test_a_unit_in_capitals_still_marks_its_number() -> None:
    request = "Bonjour, ship dozen KG books box to US"
    learned = patch_of(request, {**NO_WEIGHT, "unit": "KG"}, "weight_missing", "12 kg")
    assert learned.fix == number_example("dozen", 12)


def test_terse_details_without_a_space_or_in_small_letters() -> None:
    learned = patch_of("Ship 2 kg books tube to US", TUBE, "parcel_unknown", "5kg")
    assert learned.fix == ParcelFix(parcel="tube", limit_kg=5)
    learned = patch_of("Ship 2 lb books box to US", LB, "unit_unknown", "0.4536kg")
    assert learned.fix == UnitFix(unit="lb", kg_per_unit=0.4536)
    berlin = {"destination": "berlin", "country": None}
    learned = patch_of("Ship 2 kg books box to Berlin", berlin, "destination_unknown", "de")
    assert learned.fix == DestinationFix(alias="berlin", country="DE")


def test_a_name_without_a_fact_says_nothing() -> None:
    tent = {"item": "tent", "category": None}
    assert patch_of("Ship 2 kg tent box to US", tent, "item_unknown", "tent:") is None


def test_a_bare_limit_is_not_taken_for_the_weight() -> None:
    cwt = {"weight": 0.6, "unit": "cwt", "kg_per_unit": 50.8, "refusal": "overweight_parcel"}
    assert patch_of("Ship 0.6 cwt books box to US", cwt, "wrong_refusal", "30 kg") is None


def test_confusion_and_carrier_agree_on_case_and_category() -> None:
    as_written = as_json(quote(item="BOOKS", parcel="Box"))
    assert SIMULATOR.judge(case(), as_written).ok
    counts = SIMULATOR.confusion(case(), as_written)
    assert counts["item_unknown"].false_negative == counts["parcel_unknown"].false_negative == 0
    wrong = as_json(quote(category="toys"))
    assert SIMULATOR.judge(case(), wrong).label == "item_unknown"
    assert SIMULATOR.confusion(case(), wrong)["item_unknown"].false_negative == 1


def test_a_failure_shows_under_some_label() -> None:
    for found in SIMULATOR.golden():
        given = asked(found.request)
        if not SIMULATOR.judge(found, given).ok:
            counts = SIMULATOR.confusion(found, given).values()
            assert any(c.false_negative or c.false_positive for c in counts), found.request


HEADER = "request,weight_kg,item,parcel,country\n"


@pytest.mark.parametrize("mark", ["\n", "\u2028", "\x85", "\x0c"])
def test_a_cell_of_csv_keeps_its_line_ends(tmp_path: Path, mark: str) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(f'{HEADER}"Ship 2 kg{mark}books box to US",2,books,box,US\n', "utf-8")
    ((_, labeled),) = read_labeled(path)
    assert labeled.request == f"Ship 2 kg{mark}books box to US"


def test_a_broken_line_of_csv_is_named_by_its_own_number(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    row = "Ship 2 kg books box to US,2,books,box,US\n"
    path.write_text(f'{HEADER}{row}"Ship"x,2,books,box,US\n{row}', "utf-8")
    with pytest.raises(InputError, match="line 3: not valid CSV"):
        read_labeled(path)


def test_a_unit_at_the_start_has_no_number_before_it() -> None:
    example = ExampleFix(request="kg of books box to US zork", answer=answer(weight=3))
    toy = asked("Ship zork kg books box to US", [example])
    assert toy["weight"] is None


def test_for_at_the_start_marks_a_destination() -> None:
    base = lexicon(tuple(known_rules()))
    found = understand("For Wakanda: 2 kg books box, quote", base, {})
    assert found.destination == "wakanda"


def test_a_phrase_is_bounded_whatever_it_is_made_of() -> None:
    with pytest.raises(ValidationError, match="40 characters"):
        UnitFix(unit="a" + "!" * 100, kg_per_unit=1)


@pytest.mark.parametrize("trigger", ["books", "germany", "box", "kg"])
def test_no_request_that_is_not_concerned_holds_the_trigger(trigger: str) -> None:
    fix = ItemFix(item=trigger, category="x")
    tests = [test for test in patch_tests(fix, trigger, REQUEST) if test.role is Role.UNCONCERNED]
    assert not any(occurs(trigger, test.request) for test in tests)
