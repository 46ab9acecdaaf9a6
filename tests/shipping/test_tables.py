"""The tables: true to the simulator, rich enough, half known, and free of ambiguous names."""

from __future__ import annotations

import unicodedata
from collections import Counter
from itertools import combinations, product

import pint
import pycountry
import pytest

from patchlab_agent.models.patch import Fix
from patchlab_agent.shipping.carrier import Carrier
from patchlab_agent.shipping.english import DESTINATION_MARKERS, FILLERS, SERVICES
from patchlab_agent.shipping.rule_book import RuleBook
from patchlab_agent.shipping.rules import (
    DestinationFix,
    EmbargoFix,
    ItemFix,
    LiquidsFix,
    ParcelFix,
    RestrictionFix,
    UnitFix,
)
from patchlab_agent.shipping.schema import LIQUID, Declaration
from patchlab_agent.shipping.tables import Choices, Row, carrier_rules, known_rules, rows
from patchlab_agent.text import as_trigger, normalise, occurs, same_word, words

pytestmark = pytest.mark.quick

SINGLE_NAMES = ("box", "kg", "us", "books")
NAME_COLUMNS = {
    "units": "unit",
    "parcels": "parcel",
    "destinations": "alias",
    "items": "item",
    "numbers": "word",
}
NAMES = [row[column] for table, column in NAME_COLUMNS.items() for row in rows(table)]
DRAWN = (*NAME_COLUMNS, "phrasings", "services")
PINT: pint.UnitRegistry[float] = pint.UnitRegistry()
CARRIER, KNOWN = RuleBook.of(carrier_rules()), RuleBook.of(known_rules())


@pytest.mark.parametrize("row", rows("units"), ids=lambda row: row["unit"])
def test_units_are_those_of_physics(row: Row) -> None:
    kilograms = PINT.Quantity(1, row["pint_name"]).to("kilogram").magnitude
    assert float(row["kg_per_unit"]) == pytest.approx(kilograms, rel=1e-9)


def test_a_unit_that_is_known_wrongly_is_a_unit_of_another_country() -> None:
    for row in rows("units"):
        if row["known_kg_per_unit"] not in ("", row["kg_per_unit"]):
            british = PINT.Quantity(1, f"UK_{row['pint_name'].removeprefix('US_')}")
            wanted = british.to("kilogram").magnitude
            assert float(row["known_kg_per_unit"]) == pytest.approx(wanted, rel=1e-8)


def test_country_codes_are_those_of_iso_3166() -> None:
    codes = {row["country"] for row in rows("destinations")}
    codes |= {row["known_country"] for row in rows("destinations")} - {""}
    codes |= {code for row in rows("tariff") for code in row["countries"].split()} - {"*"}
    assert "EU" in codes, "exceptionally reserved, and used"
    for code in codes - {"EU"}:
        assert pycountry.countries.get(alpha_2=code) is not None, code


def test_country_names_stand_for_their_own_country() -> None:
    checked = 0
    for row in rows("destinations"):
        found = pycountry.countries.get(name=row["alias"])
        checked += found is not None
        assert found is None or found.alpha_2 == row["country"], row["alias"]
    assert checked > 30


@pytest.mark.parametrize(
    ("table", "column", "least"),
    [
        ("items", "item", 60),
        ("destinations", "country", 40),
        ("units", "unit", 10),
        ("parcels", "parcel", 8),
        ("phrasings", "phrasing", 12),
        ("numbers", "word", 6),
    ],
)
def test_tables_are_rich_enough(table: str, column: str, least: int) -> None:
    assert len({row[column] for row in rows(table)}) >= least


@pytest.mark.parametrize("table", DRAWN)
def test_frequencies_are_positive_and_long_tailed(table: str) -> None:
    choices = Choices.of(table)
    assert len(choices.values) == len(choices.weights) == len(rows(table))
    assert min(choices.weights) > 0
    assert max(choices.weights) >= 3 * min(choices.weights)


def test_phrasings_use_every_part_once() -> None:
    for row in rows("phrasings"):
        for part in ("weight", "item", "parcel", "destination"):
            assert row["phrasing"].count(f"{{{part}}}") == 1, row["phrasing"]
        assert row["phrasing"].count("{") == 4


def test_every_rule_of_the_specification_has_cases() -> None:
    demands = Counter(demand for found in CARRIER.demands.values() for demand in found)
    assert set(demands) == {"prohibited", *map(str, Declaration)}
    assert min(demands.values()) >= 3
    assert {"weapon", "fireworks"} <= {item for item in CARRIER.items if CARRIER.prohibits(item)}
    assert {"iran", "north korea"} <= CARRIER.embargoes
    assert {"perfume", "wine"} <= {i for i, category in CARRIER.items.items() if category == LIQUID}
    assert CARRIER.liquids
    assert CARRIER.liquids < set(CARRIER.parcels)


def test_no_embargo_holds_for_only_some_names_of_a_country() -> None:
    by_country: dict[str, set[bool]] = {}
    for alias, country in CARRIER.destinations.items():
        by_country.setdefault(country, set()).add(alias in CARRIER.embargoes)
    assert all(len(found) == 1 for found in by_country.values())


def test_the_baseline_knows_about_half_of_the_rules() -> None:
    carrier, known = carrier_rules(), known_rules()
    share = sum(rule in known for rule in carrier) / len(carrier)
    assert 0.45 <= share <= 0.65


@pytest.mark.parametrize(
    ("kind", "least"),
    [
        (UnitFix, 3),
        (ParcelFix, 3),
        (DestinationFix, 15),
        (ItemFix, 15),
        (RestrictionFix, 10),
        (EmbargoFix, 1),
        (LiquidsFix, 1),
    ],
)
def test_of_every_kind_of_rule_some_are_new_to_the_baseline(kind: type[Fix], least: int) -> None:
    known = known_rules()
    missing = [rule for rule in carrier_rules() if isinstance(rule, kind) and rule not in known]
    assert len(missing) >= least


def test_some_of_what_the_baseline_knows_is_out_of_date() -> None:
    outdated = [rule for rule in known_rules() if rule not in carrier_rules()]
    assert 5 <= len(outdated) <= 15
    assert {type(rule) for rule in outdated} >= {UnitFix, ParcelFix, RestrictionFix, EmbargoFix}


def test_the_commonest_requests_need_no_lesson() -> None:
    for table, column in (("units", "unit"), ("parcels", "parcel"), ("destinations", "alias")):
        first = max(rows(table), key=lambda row: float(row["frequency"]))
        assert normalise(first[column]) in SINGLE_NAMES
    assert KNOWN.units["kg"] == CARRIER.units["kg"] == 1
    assert KNOWN.parcels["box"] == CARRIER.parcels["box"]
    assert KNOWN.items["books"] == CARRIER.items["books"]


def test_no_name_stands_twice() -> None:
    counts = Counter(map(normalise, (*NAMES, *SERVICES)))
    assert [name for name, count in counts.items() if count > 1] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_a_trigger_as_it_stands(name: str) -> None:
    assert as_trigger(name) == normalise(name)
    assert not FILLERS.issuperset(words(name))
    assert not set(words(name)) & set(DESTINATION_MARKERS)


def test_no_name_occurs_in_another() -> None:
    found = [(a, b) for a in NAMES for b in NAMES if a != b and occurs(a, b)]
    assert found == []


def test_no_word_of_a_name_is_a_typing_error_of_another() -> None:
    vocabulary = {word for name in NAMES for word in words(name)}
    pairs = [*combinations(sorted(vocabulary), 2), *product(vocabulary, {*SERVICES, *FILLERS})]
    assert [pair for pair in pairs if same_word(*pair) or same_word(*reversed(pair))] == []


@pytest.mark.parametrize(
    ("short", "long"),
    [("ginger", "gin"), ("highlighters", "lighter"), ("Tirana", "Iran"), ("paint", "painting")],
)
def test_names_inside_words_are_there_to_trap_substring_search(short: str, long: str) -> None:
    assert not occurs(short, long)
    assert not occurs(long, short)


def test_rules_are_read_from_the_tables_alone() -> None:
    carrier = Carrier(carrier_rules()).book
    assert len(carrier.units) == len(rows("units"))
    assert len(carrier.parcels) == len(rows("parcels"))
    assert len(carrier.destinations) == len(rows("destinations"))
    assert len(carrier.items) == len(rows("items"))
    assert carrier.demands["violin"] == {"fragile", "insurance"}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_one_name_in_every_case_and_unicode_form(name: str) -> None:
    cases = (name, name.upper(), name.lower(), name.title(), name.swapcase())
    forms = [unicodedata.normalize(form, each) for form in ("NFC", "NFD") for each in cases]
    assert {normalise(form) for form in forms} == {normalise(name)}
