"""Other names of a lesson's subject: which are offered, and which are not."""

from __future__ import annotations

import pytest

from patchlab_agent.models.patch import Patch, Provenance, Role
from patchlab_agent.shipping.examples import number_example
from patchlab_agent.shipping.rules import (
    DestinationFix,
    EmbargoFix,
    ItemFix,
    LiquidsFix,
    ParcelFix,
    RestrictionFix,
    RevokedFix,
    ShippingFix,
    UnitFix,
)
from patchlab_agent.shipping.tables import known_rules
from patchlab_agent.shipping.variants import MAX_VARIANTS, ShippingThesaurus
from patchlab_agent.text import occurs

POUND = 0.45359237
KNOWN = ShippingThesaurus(known_rules())
NOTHING_KNOWN = ShippingThesaurus(())


def lesson(fix: ShippingFix, trigger: str | None = None) -> Patch:
    born = Provenance(trace_id="run-0001-000001", request="5 of them", label="unit_unknown")
    about = getattr(fix, fix.about_field)
    return Patch(skill="shipping", trigger=trigger or about, fix=fix, provenance=born)


def names(fix: ShippingFix, thesaurus: ShippingThesaurus = KNOWN) -> list[str]:
    return [variant.trigger_text for variant in thesaurus.variants(lesson(fix))]


OFFERED: list[tuple[ShippingFix, list[str]]] = [
    (UnitFix(unit="lb", kg_per_unit=POUND), ["lbs", "pound", "pounds"]),
    (UnitFix(unit="pound", kg_per_unit=0.4536), ["lb", "lbs", "pounds"]),
    (UnitFix(unit="stone", kg_per_unit=6.35), ["stones"]),
    (UnitFix(unit="dag", kg_per_unit=0.01), ["decagram"]),
    # Unless Pint defines the unit as the lesson does, only its inflection is the same thing.
    (UnitFix(unit="lb", kg_per_unit=0.5), ["lbs"]),
    (UnitFix(unit="kip", kg_per_unit=453.59237), ["kips"]),
    (ParcelFix(parcel="tube", limit_kg=5), ["tubes"]),
    (LiquidsFix(parcel="drums"), ["drum"]),
    (ItemFix(item="vases", category="household"), ["vase"]),
    (ItemFix(item="power bank", category="electronics"), ["power banks"]),
    (RestrictionFix(item="battery", demand="hazmat"), ["batteries"]),
    (RevokedFix(rule="prohibited", subject="knife"), ["knives"]),
    (RevokedFix(rule="embargo", subject="vietnam"), ["viet nam"]),
    (DestinationFix(alias="czechia", country="CZ"), ["czech republic"]),
    (DestinationFix(alias="south korea", country="KR"), ["republic of korea"]),
    (EmbargoFix(destination="syria"), ["syrian arab republic"]),
]


@pytest.mark.parametrize(
    ("fix", "wanted"), OFFERED, ids=[f"{fix.kind}-{fix.about}" for fix, _ in OFFERED]
)
def test_other_names_are_offered(fix: ShippingFix, wanted: list[str]) -> None:
    assert names(fix) == wanted


@pytest.mark.parametrize(
    "fix",
    [
        # A city lies in its country without being another name of it.
        DestinationFix(alias="berlin", country="DE"),
        # The name of one country, told to be in another one.
        DestinationFix(alias="czechia", country="AT"),
        # A typing error is forgiven in six letters, so the plural is no other word.
        RestrictionFix(item="camera", demand="insurance"),
        ItemFix(item="jürgen", category="toys"),
        ItemFix(item="size 9", category="clothing"),
        number_example("dozen", 12),
    ],
    ids=lambda fix: f"{fix.kind}-{fix.about}",
)
def test_nothing_is_offered_where_nothing_is_the_same(fix: ShippingFix) -> None:
    assert names(fix) == []


def test_names_of_known_rules_are_never_offered() -> None:
    kgs = UnitFix(unit="kgs", kg_per_unit=1)
    assert "kg" in names(kgs, NOTHING_KNOWN)
    assert "kg" not in names(kgs)
    netherlands = DestinationFix(alias="kingdom of the netherlands", country="NL")
    assert names(netherlands, NOTHING_KNOWN) == ["netherlands"]
    assert names(netherlands) == []


@pytest.mark.parametrize("fix", [fix for fix, wanted in OFFERED if wanted], ids=str)
def test_a_variant_says_the_same_of_the_other_name(fix: ShippingFix) -> None:
    original = lesson(fix)
    found = KNOWN.variants(original)
    assert found == KNOWN.variants(original)
    assert len(found) <= MAX_VARIANTS
    for variant in found:
        said = {**fix.model_dump(), fix.about_field: variant.trigger}
        assert variant.fix.model_dump() == said
        assert variant.provenance == original.provenance
        assert not occurs(original.trigger_text, variant.trigger_text)
        assert (variant.failing, variant.history, variant.gate) == ((), (), None)
        made = [test.request for test in variant.tests if test.role is Role.OBEDIENCE]
        assert len(made) == 3
        assert all(occurs(variant.trigger_text, request) for request in made)


@pytest.mark.parametrize("fix", [fix for fix, wanted in OFFERED if wanted], ids=str)
def test_every_variant_leads_back_to_its_lesson(fix: ShippingFix) -> None:
    for variant in KNOWN.variants(lesson(fix)):
        assert fix.about in KNOWN.relatives(variant.trigger_text)


@pytest.mark.parametrize("phrase", ["kg", "to", "of lb", "5", "5 lb", "t", "fragile", "insured lb"])
def test_what_names_nothing_new_has_no_relatives(phrase: str) -> None:
    assert KNOWN.relatives(phrase) == ()


def test_a_lesson_whose_trigger_is_not_its_subject_has_no_variants() -> None:
    assert KNOWN.variants(lesson(UnitFix(unit="lb", kg_per_unit=POUND), "lb box")) == ()
