"""What the uses of an active patch add up to."""

from __future__ import annotations

import pytest

from patchlab_agent.gate.standing import at_admission, in_words, verdict_on
from patchlab_agent.models.evidence import Claim, Record, Source, Standing
from tests.core.make import make_report, make_tested

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


def test_a_smaller_alpha_asks_for_more_both_ways() -> None:
    assert verdict_on(record("+" * 5), alpha=0.001) is None
    assert verdict_on(record("+" * 15), alpha=0.001) == "proven"
    proven = "+" * 15 + "-" * 5
    assert verdict_on(record(proven, Standing.PROVEN), alpha=0.001) is None
    assert verdict_on(record(proven + "-" * 10, Standing.PROVEN), alpha=0.001) == "convicted"


def test_a_patch_starts_with_the_requests_that_its_gate_decided_on() -> None:
    results = (
        make_tested("mended", "a zok", draws=9, pairs=5),
        make_tested("broken", "zok salt", source=Source.LABELS),
        make_tested("mended", "the zok", source=Source.LABELS),
        make_tested("kept", "one zok", source=Source.ACCEPTED),
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
