"""The tests that a patch is proposed with."""

from __future__ import annotations

from collections.abc import Iterator

from patchlab_agent.models.case import case_key
from patchlab_agent.models.patch import Fix, GateCase, Role
from patchlab_agent.shipping.examples import number_example
from patchlab_agent.shipping.gate_cases import gate_cases
from patchlab_agent.shipping.rules import (
    ExampleFix,
    ItemFix,
    RevokedFix,
    ShippingFix,
    parse_fix,
)
from patchlab_agent.shipping.tables import carrier_rules, known_rules, rows
from patchlab_agent.text import occurs, words
from tests.shipping.helpers import WORLD, asked

FAILING = "the request that failed"
COMMON = {"kg", "books", "box", "us", "shoes", "toys", "germany", "japan"}
"""What the frames say themselves."""


SUBJECT = {
    "unit": "unit",
    "parcel": "parcel",
    "liquids": "parcel",
    "destination": "alias",
    "item": "item",
    "restriction": "item",
    "embargo": "destination",
    "revoked": "subject",
}


def subject(fix: Fix) -> str:
    """The word that a fix speaks of, which is its trigger."""
    if isinstance(fix, ExampleFix):
        return fix.request.split()[1]
    return str(getattr(fix, SUBJECT[fix.kind]))


def every() -> Iterator[tuple[ShippingFix, str]]:
    """All that can rightly be learned, with its trigger."""
    fixes: list[Fix] = [rule for rule in carrier_rules() if rule not in known_rules()]
    fixes += [number_example(row["word"], float(row["value"])) for row in rows("numbers")]
    fixes += [RevokedFix(rule="prohibited", subject="umbrella")]
    fixes += [RevokedFix(rule="embargo", subject="cuba")]
    fixes += [RevokedFix(rule="liquids", subject="satchel")]
    for fix in fixes:
        yield parse_fix(fix.model_dump(mode="json")), subject(fix)


EVERY = list(every())


def made(fix: ShippingFix, trigger: str, role: Role) -> list[GateCase]:
    return [case for case in gate_cases(fix, trigger, FAILING) if case.role is role]


def test_the_failing_request_comes_first_and_expects_the_claim() -> None:
    for fix, trigger in EVERY:
        first, *others = gate_cases(fix, trigger, FAILING)
        assert first == GateCase(role=Role.FAILING, request=FAILING, expected=fix.claim)
        assert Role.FAILING not in {case.role for case in others}
        assert len({case.request for case in others}) == len(others)


def test_positives_hold_the_trigger_and_expect_the_claim_and_more() -> None:
    for fix, trigger in EVERY:
        positives = made(fix, trigger, Role.POSITIVE)
        assert len(positives) == 3
        for case in positives:
            assert occurs(trigger, case.request)
            assert fix.claim.items() <= case.expected.items()
            assert len(case.expected) > len(fix.claim)


def test_negatives_hold_the_trigger_at_most_inside_a_word() -> None:
    for fix, trigger in EVERY:
        assert trigger not in COMMON
        negatives = [case.request for case in made(fix, trigger, Role.NEGATIVE)]
        assert len(negatives) >= 2
        assert not any(occurs(trigger, request) for request in negatives)
        inside = "".join(words(trigger))
        found = [request for request in negatives if any(inside in w for w in words(request))]
        assert len(found) >= 2, (trigger, negatives)


def test_without_noise_every_fix_passes_its_positives() -> None:
    for fix, trigger in EVERY:
        # The item's other rules stand beside it, as they would once they are learned.
        others = [rule for rule in carrier_rules() if subject(rule) == trigger and rule != fix]
        context = [fix] if isinstance(fix, RevokedFix) else [*others, fix]
        for case in made(fix, trigger, Role.POSITIVE):
            assert case.passes(asked(case.request, context)), (fix, case.request)


def test_without_noise_no_fix_changes_its_negatives() -> None:
    for fix, trigger in EVERY:
        for case in made(fix, trigger, Role.NEGATIVE):
            assert asked(case.request, [fix]) == asked(case.request), (fix, case.request)


def test_no_made_request_is_held_out() -> None:
    held = [*WORLD.golden(), *WORLD.regression()]
    keys, tokens = {case_key(case.request) for case in held}, {words(c.request) for c in held}
    for fix, trigger in EVERY:
        for test in gate_cases(fix, trigger, FAILING):
            assert case_key(test.request) not in keys
            assert words(test.request) not in tokens


def test_braces_in_a_trigger_are_plain_text() -> None:
    fix = ItemFix(item="weight x", category="print")
    assert made(fix, "{weight} x", Role.POSITIVE)[0].request == "Ship 1.37 kg {weight} x box to US"
