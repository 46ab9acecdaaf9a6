"""The stream of requests: repeatable, varied, and true to its own truth."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable
from itertools import islice

import pytest

from patchlab_agent.models.case import Case
from patchlab_agent.shipping.carrier import Carrier
from patchlab_agent.shipping.english import SERVICES
from patchlab_agent.shipping.requests import (
    CASE_SHARE,
    GLUED_SHARE,
    NUMBER_WORD_SHARE,
    SERVICE_SHARE,
    RequestGenerator,
)
from patchlab_agent.shipping.shipment import Shipment
from patchlab_agent.shipping.tables import carrier_rules, rows
from patchlab_agent.text import normalise, occurs, words

COUNT = 5000


def drawn(seed: int, count: int = COUNT) -> list[Case]:
    return list(islice(RequestGenerator().cases(random.Random(seed)), count))


CARRIER = Carrier(carrier_rules())
CASES = drawn(1)
TRUTHS = [Shipment.model_validate(case.truth) for case in CASES]
PAIRS = list(zip((case.request for case in CASES), TRUTHS, strict=True))
NUMBERS = {row["word"]: float(row["value"]) for row in rows("numbers")}
UNITS = {row["unit"]: float(row["kg_per_unit"]) for row in rows("units")}


def share(holds: Callable[[str, Shipment], bool]) -> float:
    return sum(holds(request, truth) for request, truth in PAIRS) / COUNT


def test_the_same_seed_gives_the_same_stream() -> None:
    assert drawn(11, 300) == drawn(11, 300)
    assert drawn(11, 300) != drawn(12, 300)


def test_all_randomness_comes_from_the_given_generator() -> None:
    random.seed(1)
    first = drawn(3, 50)
    random.seed(2)
    before = random.getstate()
    assert drawn(3, 50) == first
    assert random.getstate() == before


def test_two_streams_of_one_generator_do_not_disturb_each_other() -> None:
    generator = RequestGenerator()
    one, other = generator.cases(random.Random(5)), generator.cases(random.Random(6))
    mixed = [next(stream) for _ in range(50) for stream in (one, other)]
    assert mixed[0::2] == drawn(5, 50)
    assert mixed[1::2] == drawn(6, 50)


def test_the_carrier_knows_every_shipment() -> None:
    assert {CARRIER.knows(truth) for truth in TRUTHS} == {None}


def test_most_requests_are_different() -> None:
    assert len({case.request for case in CASES}) > 0.95 * COUNT


@pytest.mark.parametrize(
    ("what", "low", "high", "holds"),
    [
        (
            "glued units",
            GLUED_SHARE * 0.85,
            GLUED_SHARE * 1.05,
            lambda request, _: bool(re.search(r"\d[a-z]", request, re.IGNORECASE)),
        ),
        (
            "number words",
            NUMBER_WORD_SHARE * 0.75,
            NUMBER_WORD_SHARE * 1.25,
            lambda request, _: not NUMBERS.keys().isdisjoint(words(request)),
        ),
        (
            "services",
            SERVICE_SHARE * 0.8,
            SERVICE_SHARE * 1.2,
            lambda _, truth: bool(truth.services),
        ),
        (
            "upper case",
            CASE_SHARE * 0.2,
            CASE_SHARE * 0.4,
            lambda request, _: request.isupper(),
        ),
        (
            "lower case",
            CASE_SHARE * 0.5,
            CASE_SHARE * 2,
            lambda request, _: request.islower(),
        ),
        (
            "typing errors in items",
            0.01,
            0.04,
            lambda request, truth: normalise(truth.item) not in normalise(request),
        ),
        (
            "refusals",
            0.03,
            0.3,
            lambda _, truth: bool(CARRIER.refusals(truth)),
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_variation_has_its_share(
    what: str, low: float, high: float, holds: Callable[[str, Shipment], bool]
) -> None:
    assert low <= share(holds) <= high, what


def test_typing_errors_are_small_enough_to_be_recognised() -> None:
    misspelt = [pair for pair in PAIRS if pair[1].item not in normalise(pair[0])]
    assert misspelt
    assert all(occurs(truth.item, request) for request, truth in misspelt)
    first = {truth.item[0] in normalise(request) for request, truth in misspelt}
    assert first == {True}


def test_destinations_are_misspelt_too() -> None:
    names = [normalise(row["alias"]) for row in rows("destinations")]
    lost = [
        request
        for request, _ in PAIRS
        if not any(name in words(request) or name in normalise(request) for name in names)
    ]
    assert 0.002 * COUNT < len(lost) < 0.04 * COUNT
    assert all(any(occurs(name, request) for name in names) for request in lost)


def test_a_service_is_asked_for_in_the_senders_words() -> None:
    for request, truth in PAIRS:
        asked = {SERVICES[word] for word in words(request) if word in SERVICES}
        assert asked == set(truth.services), request


def test_the_weight_in_the_truth_is_the_weight_in_the_request() -> None:
    for request, truth in PAIRS:
        tokens = words(request)
        places = [i for i, word in enumerate(tokens) if word in UNITS and i]
        written = [(tokens[i - 1], tokens[i]) for i in places]
        kilograms = [
            (NUMBERS[number] if number in NUMBERS else float(number)) * UNITS[unit]
            for number, unit in written
            if number in NUMBERS or number[0].isdigit()
        ]
        assert kilograms == [pytest.approx(truth.weight_kg, rel=1e-6, abs=1e-9)], request


def one_of(table: str, column: str) -> str:
    return f"(?:{'|'.join(re.escape(row[column]) for row in rows(table))})"


def test_every_phrasing_is_used() -> None:
    parts = {
        "weight": rf"(?:[\d.]+|{one_of('numbers', 'word')}) ?{one_of('units', 'unit')}",
        "item": one_of("items", "item"),
        "parcel": one_of("parcels", "parcel"),
        "destination": one_of("destinations", "alias"),
    }
    used = Counter[str]()
    for row in rows("phrasings"):
        pieces = re.split(r"\{(\w+)\}", row["phrasing"])
        source = "".join(parts[p] if i % 2 else re.escape(p) for i, p in enumerate(pieces))
        pattern = re.compile(source, re.IGNORECASE)
        used[row["phrasing"]] = sum(bool(pattern.fullmatch(request)) for request, _ in PAIRS)
    assert min(used.values()) > 0
    assert used["Ship {weight} {item} {parcel} to {destination}"] == max(used.values())
    assert 0.8 * COUNT < sum(used.values()) < COUNT


@pytest.mark.parametrize(
    ("table", "column", "field"),
    [
        ("items", "item", "item"),
        ("parcels", "parcel", "parcel"),
        ("destinations", "country", "country"),
    ],
)
def test_everything_occurs_and_the_common_more_than_the_rare(
    table: str, column: str, field: str
) -> None:
    counts = Counter(str(getattr(truth, field)) for truth in TRUTHS)
    assert set(counts) == {row[column] for row in rows(table)}
    assert max(counts.values()) > 5 * min(counts.values())


def test_every_unit_occurs() -> None:
    assert {word for request, _ in PAIRS for word in words(request)} >= UNITS.keys()


def test_weights_stay_in_what_people_send() -> None:
    assert min(truth.weight_kg for truth in TRUTHS) > 0
    assert max(truth.weight_kg for truth in TRUTHS) <= 20_000
