"""The tests that a patch is proposed with."""

from __future__ import annotations

from collections.abc import Iterator

from patchlab_agent.models.case import case_key
from patchlab_agent.models.patch import Fix, PatchTest, Role
from patchlab_agent.shipping.examples import number_example
from patchlab_agent.shipping.patch_tests import patch_tests
from patchlab_agent.shipping.rules import (
    ExampleFix,
    ItemFix,
    RevokedFix,
    ShippingFix,
    parse_fix,
)
from patchlab_agent.shipping.schema import Declaration
from patchlab_agent.shipping.tables import carrier_rules, known_rules, rows
from patchlab_agent.text import occurs, words
from tests.shipping.helpers import SIMULATOR, asked

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
    fixes += [
        RevokedFix.model_validate({"rule": declaration.value, "subject": "paint"})
        for declaration in Declaration
    ]
    for fix in fixes:
        yield parse_fix(fix.model_dump(mode="json")), subject(fix)


EVERY = list(every())


def made(fix: ShippingFix, trigger: str, role: Role) -> list[PatchTest]:
    return [test for test in patch_tests(fix, trigger, FAILING) if test.role is role]


def test_the_failing_request_comes_first() -> None:
    for fix, trigger in EVERY:
        first, *others = patch_tests(fix, trigger, FAILING)
        assert first == PatchTest(role=Role.FAILING, request=FAILING)
        assert {test.role for test in others} == {Role.OBEDIENCE, Role.UNCONCERNED}
        assert len({test.request for test in others}) == len(others)


def test_requests_to_obey_the_patch_on_hold_the_trigger() -> None:
    for fix, trigger in EVERY:
        requests = [test.request for test in made(fix, trigger, Role.OBEDIENCE)]
        assert len(requests) == 3
        assert all(occurs(trigger, request) for request in requests)


def test_requests_that_are_not_concerned_hold_the_trigger_at_most_inside_a_word() -> None:
    for fix, trigger in EVERY:
        assert trigger not in COMMON
        negatives = [test.request for test in made(fix, trigger, Role.UNCONCERNED)]
        assert len(negatives) >= 2
        assert not any(occurs(trigger, request) for request in negatives)
        inside = "".join(words(trigger))
        found = [request for request in negatives if any(inside in w for w in words(request))]
        assert len(found) >= 2, (trigger, negatives)


def test_without_noise_every_fix_is_obeyed() -> None:
    for fix, trigger in EVERY:
        # The item's other rules stand beside it, as they would once they are learned.
        others = [rule for rule in carrier_rules() if subject(rule) == trigger and rule != fix]
        context = [fix] if isinstance(fix, RevokedFix) else [*others, fix]
        for test in made(fix, trigger, Role.OBEDIENCE):
            assert fix.holds_in(asked(test.request, context)), (fix, test.request)


def test_without_noise_no_fix_changes_what_it_does_not_concern() -> None:
    for fix, trigger in EVERY:
        for test in made(fix, trigger, Role.UNCONCERNED):
            assert asked(test.request, [fix]) == asked(test.request), (fix, test.request)


def test_no_made_request_is_held_out() -> None:
    held = [*SIMULATOR.golden(), *SIMULATOR.regression()]
    keys, tokens = {case_key(case.request) for case in held}, {words(c.request) for c in held}
    for fix, trigger in EVERY:
        for test in patch_tests(fix, trigger, FAILING):
            assert case_key(test.request) not in keys
            assert words(test.request) not in tokens


def test_braces_in_a_trigger_are_plain_text() -> None:
    fix = ItemFix(item="weight x", category="print")
    assert made(fix, "{weight} x", Role.OBEDIENCE)[0].request == "Ship 1.37 kg {weight} x box to US"
