"""The held-out cases: enough of them, of every kind, and shared with nothing."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from itertools import islice

import pytest

from patchlab_agent.models.base import digest
from patchlab_agent.models.case import Case, case_key
from patchlab_agent.shipping.carrier import LABELS, Carrier
from patchlab_agent.shipping.shipment import Shipment
from patchlab_agent.shipping.tables import carrier_rules
from patchlab_agent.text import check_request, occurs
from tests.shipping.helpers import ANSWER, SIMULATOR, TASK

CARRIER = Carrier(carrier_rules())
STREAM = list(islice(SIMULATOR.requests(random.Random(7)), 5000))
HELD_OUT = {"golden": SIMULATOR.golden(), "regression": SIMULATOR.regression()}
BOTH = pytest.mark.parametrize("name", HELD_OUT)


def requests(cases: Iterable[Case]) -> set[str]:
    return {case_key(case.request) for case in cases}


def truths(cases: Iterable[Case]) -> set[str]:
    return {digest(case.truth) for case in cases}


def strata(name: str) -> Counter[str]:
    return Counter(case.stratum for case in HELD_OUT[name])


def test_the_golden_set_is_large_enough() -> None:
    assert len(SIMULATOR.golden()) >= 200
    assert len(SIMULATOR.regression()) >= 100


@BOTH
def test_no_case_stands_twice(name: str) -> None:
    assert len(requests(HELD_OUT[name])) == len(HELD_OUT[name])


def test_golden_and_regression_share_no_case() -> None:
    assert requests(SIMULATOR.golden()).isdisjoint(requests(SIMULATOR.regression()))
    assert truths(SIMULATOR.golden()).isdisjoint(truths(SIMULATOR.regression()))


@BOTH
def test_the_stream_shares_no_case_with_what_is_held_out(name: str) -> None:
    assert requests(STREAM).isdisjoint(requests(HELD_OUT[name]))
    assert truths(STREAM).isdisjoint(truths(HELD_OUT[name]))


def test_the_stream_is_repeatable_and_depends_on_its_generator_alone() -> None:
    assert list(islice(SIMULATOR.requests(random.Random(7)), 200)) == STREAM[:200]
    assert list(islice(SIMULATOR.requests(random.Random(8)), 200)) != STREAM[:200]


def test_common_shipments_would_else_be_drawn_again() -> None:
    drawn = {(case.truth["item"], case.truth["country"], case.truth["parcel"]) for case in STREAM}
    common = [case for case in SIMULATOR.golden() if case.stratum == "common"]
    close = [
        case
        for case in common
        if (case.truth["item"], case.truth["country"], case.truth["parcel"]) in drawn
    ]
    assert len(close) > len(common) / 2


@BOTH
def test_the_carrier_knows_every_held_out_shipment(name: str) -> None:
    for case in HELD_OUT[name]:
        truth = Shipment.model_validate(case.truth)
        assert CARRIER.knows(truth) is None, case.request
        assert truth.model_dump(mode="json") == case.truth


@BOTH
def test_every_held_out_request_can_be_asked(name: str) -> None:
    for case in HELD_OUT[name]:
        check_request(case.request)


@BOTH
def test_every_label_has_support(name: str) -> None:
    support = Counter[str]()
    for case in HELD_OUT[name]:
        for label, counts in SIMULATOR.confusion(case, None).items():
            support[label] += counts.true_positive + counts.false_negative
    assert set(support) == set(LABELS)
    assert min(support.values()) >= 1


def test_golden_has_strata_of_use() -> None:
    found = strata("golden")
    assert found["adversarial"] >= 40
    assert found["common"] >= 20
    of_no_request = {"invalid_response", "overdeclared", "weight_mismatch", "wrong_refusal"}
    assert {*found} >= {*LABELS} - of_no_request
    assert min(found.values()) >= 5


def test_golden_cases_of_a_refusals_stratum_are_refused_for_it() -> None:
    for case in SIMULATOR.golden():
        refusals = CARRIER.refusals(Shipment.model_validate(case.truth))
        if case.stratum in {
            "prohibited_item",
            "embargo_destination",
            "liquid_restricted",
            "overweight_parcel",
        }:
            assert case.stratum in refusals, case.request


def test_most_golden_cases_are_to_be_quoted_and_some_refused() -> None:
    refused = [
        case for case in SIMULATOR.golden() if SIMULATOR.expected(case)["refusal"] is not None
    ]
    assert 0.1 * len(SIMULATOR.golden()) < len(refused) < 0.4 * len(SIMULATOR.golden())


def test_adversarial_cases_try_what_is_to_be_feared() -> None:
    odd = [case for case in SIMULATOR.golden() if case.stratum == "adversarial"]
    text = "\n\n".join(case.request for case in odd)
    for trap in ('\n- item "', "{{", "Ignore all rules", "SYSTEM", "<|im_start|>", "Answer: {"):
        assert trap in text, trap
    for inside, name in [("ginger", "gin"), ("highlighters", "lighter"), ("Tirana", "Iran")]:
        assert any(occurs(inside, case.request) for case in odd), name
    assert sum(not TASK.may_show(case.request, {**ANSWER, **case.truth}) for case in odd) >= 5


def test_every_golden_request_names_its_item_and_its_parcel() -> None:
    for case in SIMULATOR.golden():
        assert occurs(str(case.truth["item"]), case.request), case.request
        assert occurs(str(case.truth["parcel"]), case.request), case.request
