"""Which words mean what, as far as rules say; and the English that needs no rule."""

from __future__ import annotations

import pytest

from patchlab_agent.models.patch import Fix
from patchlab_agent.shipping.english import DESTINATION_MARKERS, FILLERS, SERVICES
from patchlab_agent.shipping.rule_book import RuleBook
from patchlab_agent.shipping.rules import (
    DestinationFix,
    EmbargoFix,
    ItemFix,
    LiquidsFix,
    ParcelFix,
    RestrictionFix,
    RevokedFix,
    UnitFix,
)
from patchlab_agent.shipping.schema import Declaration
from patchlab_agent.shipping.tables import known_rules, rows
from patchlab_agent.shipping.toy.lexicon import Lexicon, lexicon
from patchlab_agent.text import words

pytestmark = pytest.mark.quick

BASE = lexicon(tuple(known_rules()))


def snapshot(known: Lexicon) -> tuple[object, ...]:
    names = {name: frozenset(kinds) for name, kinds in known.names.items()}
    return known.book.copy(), names, set(known.vocabulary), dict(known.spellings)


@pytest.mark.parametrize(
    ("rule", "name", "kind"),
    [
        (UnitFix(unit="lb", kg_per_unit=0.45), "lb", "unit"),
        (ParcelFix(parcel="tube", limit_kg=5), "tube", "parcel"),
        (DestinationFix(alias="new york", country="US"), "new york", "destination"),
        (EmbargoFix(destination="syria"), "syria", "destination"),
        (ItemFix(item="yoga mat", category="outdoor"), "yoga mat", "item"),
        (RestrictionFix(item="ivory", demand="prohibited"), "ivory", "item"),
        (RestrictionFix(item="battery", demand="hazmat"), "battery", "item"),
    ],
)
def test_a_rule_makes_its_subject_a_name(rule: Fix, name: str, kind: str) -> None:
    known = lexicon((rule,))
    assert known.names == {words(name): {kind}}
    assert known.vocabulary == set(words(name))
    assert known.spellings == {words(name): name}
    assert known.book == RuleBook.of([rule])


@pytest.mark.parametrize(
    "rule",
    [
        LiquidsFix(parcel="tube"),
        RevokedFix(rule="prohibited", subject="umbrella"),
        RevokedFix(rule="embargo", subject="cuba"),
        RevokedFix(rule="liquids", subject="satchel"),
    ],
)
def test_a_rule_about_a_name_gives_it_no_meaning_of_its_own(rule: Fix) -> None:
    assert lexicon((rule,)).names == {}


def test_one_word_may_mean_several_things() -> None:
    known = lexicon(
        (ItemFix(item="drum", category="instruments"), ParcelFix(parcel="drum", limit_kg=250))
    )
    assert known.names == {("drum",): {"item", "parcel"}}


def test_extending_leaves_the_shared_lexicon_as_it_is() -> None:
    before = snapshot(BASE)
    more = BASE.extended(
        (
            ItemFix(item="books", category="weapons"),
            ParcelFix(parcel="books", limit_kg=1),
            RestrictionFix(item="ceramics", demand="hazmat"),
            RestrictionFix(item="weapon", demand="insurance"),
            RevokedFix(rule="prohibited", subject="weapon"),
            RevokedFix(rule="embargo", subject="iran"),
            RevokedFix(rule="liquids", subject="pallet"),
        )
    )
    assert more is not BASE
    assert snapshot(BASE) == before
    assert more.book.items["books"] == "weapons"
    assert more.names["books",] == {"item", "parcel"}
    assert not more.book.prohibits("weapon")
    assert BASE.book.prohibits("weapon")
    assert BASE.extended(()) is BASE


@pytest.mark.parametrize(
    ("word", "corrected"),
    [
        ("germany", "germany"),
        ("germnay", "germany"),
        ("germny", "germany"),
        ("gerrmany", "germany"),
        ("germani", "germany"),
        ("hermany", "hermany"),
        ("grmny", "grmny"),
        ("boks", "boks"),
        ("bookz", "bookz"),
        ("cadles", "cadles"),
        ("insured", "insured"),
        ("shipping", "shipping"),
        ("42", "42"),
        ("->", "->"),
        ("bicycel", "bicycle"),
    ],
)
def test_a_long_word_with_one_typing_error_is_corrected(word: str, corrected: str) -> None:
    assert BASE.corrected(word) == corrected


def test_a_word_between_two_names_is_left_alone() -> None:
    rules = (ItemFix(item="candles", category="x"), ItemFix(item="cables", category="x"))
    assert lexicon(rules[:1]).corrected("cadles") == "candles"
    assert lexicon(rules).corrected("cadles") == "cadles"


def test_services_cover_what_the_requests_ask_for() -> None:
    for row in rows("services"):
        assert SERVICES[row["words"]] == Declaration(row["declaration"])
    assert set(SERVICES.values()) == set(Declaration)


def test_fillers_cover_the_words_of_the_phrasings() -> None:
    for row in rows("phrasings"):
        text = row["phrasing"].format(weight="", item="", parcel="", destination="")
        assert set(words(text)) <= FILLERS, row["phrasing"]


def test_no_service_is_a_filler_and_every_word_is_normalised() -> None:
    assert FILLERS.isdisjoint(SERVICES)
    for word in (*FILLERS, *SERVICES):
        assert words(word) == (word,)
    assert len(set(DESTINATION_MARKERS)) == len(DESTINATION_MARKERS)
