"""What the uses of an active patch add up to."""

from __future__ import annotations

import math
import random

import pytest

from patchlab_agent.gate.standing import (
    at_admission,
    in_words,
    is_outweighed,
    pairs_in_words,
    verdict_on,
    verdict_on_pairs,
)
from patchlab_agent.models.evidence import (
    MAX_RECORD,
    Claim,
    EvidenceSource,
    Pairs,
    Record,
    Standing,
)
from patchlab_agent.statistics import e_value
from tests.support.make import make_report, make_tested

ALPHA = 0.05


def record(outcomes: str, standing: Standing = Standing.TRIAL) -> Record:
    return Record(outcomes=outcomes, standing=standing)


@pytest.mark.parametrize(
    ("outcomes", "verdict"),
    [
        ("+", None),
        ("++++", None),
        ("+++++", "proven"),
        ("-", "convicted"),
        ("+-", "convicted"),
        ("++-", None),
        ("++--", "convicted"),
        ("-+", None),
        ("++-+", None),
        ("+++-+++++", None),
        ("+++-++++++", "proven"),
        ("", None),
    ],
)
def test_a_patch_on_trial_is_proven_at_the_bound_and_leaves_when_harm_catches_up(
    outcomes: str, verdict: str | None
) -> None:
    assert verdict_on(record(outcomes), alpha=ALPHA) == verdict


@pytest.mark.parametrize(
    ("outcomes", "verdict"),
    [
        ("+++++", None),
        ("+++++-", None),
        ("+++++----", None),
        ("+++++-----", "convicted"),
        # What it did for long does not hide what has changed.
        ("+" * 50 + "-----", "convicted"),
        ("+++++--+--", None),
        ("+" * 50 + "---+------", "convicted"),
    ],
)
def test_a_proven_patch_leaves_only_on_evidence_beyond_the_bound(
    outcomes: str, verdict: str | None
) -> None:
    assert verdict_on(record(outcomes, Standing.PROVEN), alpha=ALPHA) == verdict


def test_evidence_that_just_reaches_the_bound_is_enough() -> None:
    just = 1 / e_value(5, 0)
    assert verdict_on(record("+++++"), alpha=just) == "proven"
    assert verdict_on(record("+++++-----", Standing.PROVEN), alpha=just) == "convicted"
    assert verdict_on_pairs(of_pairs("+++++"), alpha=just) == "proven"
    assert verdict_on_pairs(of_pairs("-----"), alpha=just) == "convicted"
    assert verdict_on_pairs(of_pairs("-----", Standing.PROVEN), alpha=just) == "convicted"


@pytest.mark.parametrize(
    ("outcomes", "outweighed"),
    [("", False), ("+", False), ("-", True), ("+-", True), ("++-", False), ("+--", True)],
)
def test_an_example_is_outweighed_once_its_harms_catch_up(outcomes: str, outweighed: bool) -> None:
    assert is_outweighed(record(outcomes)) is outweighed


def test_a_smaller_alpha_asks_for_more_both_ways() -> None:
    assert verdict_on(record("+" * 5), alpha=0.001) is None
    assert verdict_on(record("+" * 15), alpha=0.001) == "proven"
    proven = "+" * 15 + "-" * 5
    assert verdict_on(record(proven, Standing.PROVEN), alpha=0.001) is None
    assert verdict_on(record(proven + "-" * 10, Standing.PROVEN), alpha=0.001) == "convicted"


def test_a_patch_starts_with_the_requests_that_its_gate_decided_on() -> None:
    results = (
        make_tested("mended", "a zok", draws=9, pairs=5),
        make_tested("broken", "zok salt", source=EvidenceSource.LABELS),
        make_tested("mended", "the zok", source=EvidenceSource.LABELS),
        make_tested("kept", "one zok", source=EvidenceSource.ACCEPTED),
        make_tested("kept", "two zok", source=Claim.OBEDIENCE),
        make_tested("open", "six zok"),
    )
    started = at_admission(make_report("mends", results=results), alpha=ALPHA)
    assert started.outcomes == "+-+"
    assert started.standing is Standing.TRIAL
    # Those requests are known: a use of one of them is no new evidence.
    assert started.with_outcome(True, "a zok") == started


def test_five_requests_let_a_patch_in_proven() -> None:
    results = tuple(make_tested("mended", f"zok {n}") for n in range(5))
    started = at_admission(make_report("mends", results=results), alpha=ALPHA)
    assert (started.outcomes, started.standing) == ("+++++", Standing.PROVEN)


def test_what_was_taken_on_trust_starts_with_nothing() -> None:
    assert at_admission(make_report("taken_on_trust"), alpha=ALPHA) == Record()


def test_a_record_is_told_in_words() -> None:
    assert in_words(record("++-"), alpha=ALPHA) == (
        "2 requests turned right and 1 wrong (bound 20 to 1)"
    )
    told = in_words(record("+++++-----", Standing.PROVEN), alpha=ALPHA)
    assert told.startswith("the latest 5 requests that tell turned wrong")
    assert told.endswith("(bound 20 to 1)")


# Pairs of uses, of which one was held out


def of_pairs(signs: str, standing: Standing = Standing.TRIAL, outcomes: str = "+") -> Record:
    pairs = Pairs(signs=signs[-MAX_RECORD:], gained=signs.count("+"), lost=signs.count("-"))
    return Record(outcomes=outcomes, pairs=pairs, standing=standing)


@pytest.mark.parametrize(
    ("signs", "verdict"),
    [
        ("++++", None),
        ("+++++", "proven"),
        # What would convict at once, had it been confirmed.
        ("-", None),
        ("+-", None),
        ("----", None),
        ("-----", "convicted"),
        ("+++-+++++", None),
        ("+++-++++++", "proven"),
    ],
)
def test_pairs_decide_about_a_patch_on_trial_at_the_bound_alone(
    signs: str, verdict: str | None
) -> None:
    assert verdict_on_pairs(of_pairs(signs), alpha=ALPHA) == verdict


def test_requests_that_the_gate_decided_on_prove_nothing_about_pairs() -> None:
    # They were chosen for having failed, and one that was confirmed is not undone by a pair.
    assert verdict_on_pairs(of_pairs("+", outcomes="++++"), alpha=ALPHA) is None
    assert verdict_on_pairs(of_pairs("-", outcomes=""), alpha=ALPHA) is None


@pytest.mark.parametrize(
    ("signs", "verdict"),
    [
        ("++++++", None),
        ("+++++----", None),
        ("+++++-----", "convicted"),
        ("+" * 90 + "-----", "convicted"),
        ("+++++--+--", None),
    ],
)
def test_a_proven_patch_is_convicted_by_pairs_of_late(signs: str, verdict: str | None) -> None:
    assert verdict_on_pairs(of_pairs(signs, Standing.PROVEN), alpha=ALPHA) == verdict


def test_pairs_are_told_in_words() -> None:
    assert pairs_in_words(of_pairs("-+---"), alpha=ALPHA) == (
        "held out of a share of its uses; of the pairs that tell, 1 are right only with it and 4 "
        "only without it (bound 20 to 1)"
    )
    told = pairs_in_words(of_pairs("+" * 20 + "-" * 5, Standing.PROVEN), alpha=ALPHA)
    assert "; the latest are +++++-----, evidence " in told


@pytest.mark.parametrize("alpha", [0.05, 0.2])
def test_a_patch_without_effect_is_seldom_proven_and_seldom_convicted_however_long_it_is_used(
    alpha: float,
) -> None:
    rng = random.Random(11)
    lives = 800
    ends = {"proven": 0, "convicted": 0}
    for _ in range(lives):
        signs = ""
        # Far more than the signs that a record keeps, so that a window over them would show.
        for _ in range(4 * MAX_RECORD):
            signs += rng.choice("+-")
            if verdict := verdict_on_pairs(of_pairs(signs), alpha=alpha):
                ends[verdict] += 1
                break
    most = lives * alpha + 3 * math.sqrt(lives * alpha * (1 - alpha))
    assert ends["proven"] <= most
    assert ends["convicted"] <= most
    # The test is not merely one that never ends.
    assert min(ends.values()) > 0


def test_a_record_tells_from_the_start_whether_answers_were_right_in_part() -> None:
    whole = make_tested("mended")
    in_part = make_tested("mended", "the zok").model_copy(update={"scores": (0.25, 0.5)})
    for results, told in (((whole,), False), ((in_part,), True), ((whole, in_part), True)):
        assert at_admission(make_report("mends", results=results), alpha=ALPHA).in_part is told
