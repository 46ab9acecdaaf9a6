"""Reports and records: what the parts of a decision add up to."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from patchlab_agent.models.base import digest
from patchlab_agent.models.evidence import (
    MAX_RECORD,
    WANTS_EVIDENCE,
    Claim,
    Count,
    EvidenceSource,
    GateReport,
    Pairs,
    Record,
    Standing,
    Use,
)
from tests.support.make import make_report, make_tested

pytestmark = pytest.mark.quick


def test_a_report_names_each_code_once_in_order() -> None:
    assert make_report("outweighed", "disobeyed", "outweighed").codes == ("outweighed", "disobeyed")


def test_a_gate_cannot_decide_to_retire() -> None:
    with pytest.raises(ValidationError):
        GateReport.model_validate({**make_report("mends").model_dump(), "decision": "retired"})


def test_an_unknown_reason_is_refused() -> None:
    with pytest.raises(ValidationError):
        make_report("because")


def test_requests_are_counted_and_not_their_draws() -> None:
    results = (
        make_tested("mended", draws=6, pairs=5),
        make_tested("broken", "the zok", source=EvidenceSource.LABELS, draws=5, pairs=5),
        make_tested("kept", "one zok", source=EvidenceSource.LABELS, pairs=0),
        make_tested("failed", "two zok", source=Claim.OBEDIENCE, draws=3, pairs=0),
        make_tested("open", "six zok"),
    )
    report = make_report("outweighed", results=results)
    assert (report.mended, report.broken) == (1, 1)
    assert report.counts() == (
        Count(source=EvidenceSource.REFEREE, requests=2, mended=1, broken=0, failed=0, answers=13),
        Count(source=EvidenceSource.LABELS, requests=2, mended=0, broken=1, failed=0, answers=11),
        Count(source=Claim.OBEDIENCE, requests=1, mended=0, broken=0, failed=1, answers=3),
    )
    assert make_report("contradicted").counts() == ()


@pytest.mark.parametrize("code", sorted(WANTS_EVIDENCE))
def test_some_are_kept_out_for_want_of_evidence_alone(code: str) -> None:
    assert make_report(code).wants_evidence


def test_what_something_spoke_against_does_not_want_evidence() -> None:
    assert not make_report("still_wrong").wants_evidence
    assert not make_report("no_evidence", "convicted").wants_evidence
    assert not make_report("mends").wants_evidence


def test_a_report_reads_back_as_it_was() -> None:
    results = (make_tested(), make_tested("failed", "one zok", source=Claim.OBEDIENCE))
    report = make_report("disobeyed", results=results)
    assert GateReport.model_validate_json(report.model_dump_json()) == report


def test_a_request_counts_once_whichever_way() -> None:
    record = Record().with_outcome(True, "a zok")
    assert record.with_outcome(True, "a zok") is record
    assert record.with_outcome(False, "a zok") is record
    more = record.with_outcome(False, "the zok").with_outcome(True, "one zok")
    assert (more.outcomes, more.mended, more.broken) == ("+-+", 2, 1)
    assert record.outcomes == "+"


def test_a_record_keeps_no_request_in_words() -> None:
    assert Record().with_outcome(True, "my secret zok").seen == (digest("my secret zok"),)


def test_a_record_keeps_the_latest_outcomes_and_its_standing() -> None:
    record = Record(standing=Standing.PROVEN)
    for number in range(MAX_RECORD + 3):
        record = record.with_outcome(number > 4, f"zok {number}")
    assert len(record.outcomes) == len(record.seen) == MAX_RECORD
    assert record.outcomes == "--" + "+" * (MAX_RECORD - 2)
    assert record.standing is Standing.PROVEN
    # Long forgotten, so it counts anew.
    assert record.with_outcome(True, "zok 0") != record


def test_outcomes_are_signs_and_nothing_else() -> None:
    with pytest.raises(ValidationError):
        Record(outcomes="+x")


def paired(*uses: str, share: float = 0.1) -> Pairs:
    """Pairs of uses given as `out right`, `in wrong` and so on, each of its own request."""
    pairs = Pairs()
    for number, told in enumerate(uses):
        arm, outcome = told.split()
        use = Use(
            request=str(number), held_out=arm == "out", score=float(outcome == "right"), share=share
        )
        pairs = pairs.with_use(use)
    return pairs


@pytest.mark.parametrize(
    ("first", "second", "sign"),
    [
        ("out wrong", "in right", "+"),
        ("in right", "out wrong", "+"),
        ("out right", "in wrong", "-"),
        ("in wrong", "out right", "-"),
        ("out right", "in right", ""),
        ("out wrong", "in wrong", ""),
        ("in wrong", "in right", ""),
        ("out wrong", "out right", ""),
    ],
)
def test_two_uses_tell_where_one_was_held_out_and_one_was_right(
    first: str, second: str, sign: str
) -> None:
    pairs = paired(first, second)
    assert (pairs.signs, pairs.gained, pairs.lost) == (sign, sign == "+", sign == "-")
    assert pairs.waiting is None
    assert pairs.seen == ("0", "1")


def test_a_use_is_part_of_one_pair_whether_or_not_that_tells() -> None:
    # Only the third and the fourth are a pair that tells: the second is used up by the first.
    pairs = paired("in right", "in right", "out wrong", "in right", "out wrong")
    assert pairs.signs == "+"
    assert pairs.waiting is not None
    assert pairs.waiting.request == "4"


def test_a_request_is_one_use_however_often_it_is_judged() -> None:
    pairs = paired("out wrong")
    again = Use(request="0", held_out=False, score=1.0, share=0.1)
    assert pairs.with_use(again) is pairs
    told = paired("out wrong", "in right")
    assert told.with_use(again) is told


def test_uses_under_different_shares_are_no_pair() -> None:
    # Which of them was held out would be no fair coin then.
    pairs = paired("out wrong").with_use(Use(request="x", held_out=False, score=1.0, share=0.5))
    assert pairs.signs == ""
    assert pairs.waiting is not None
    assert pairs.waiting.share == 0.5


def test_pairs_keep_the_latest_signs_and_count_all() -> None:
    pairs = paired(*["out wrong", "in right"] * (MAX_RECORD + 5), "out right", "in wrong")
    assert pairs.signs == "+" * (MAX_RECORD - 1) + "-"
    assert (pairs.gained, pairs.lost) == (MAX_RECORD + 5, 1)
    assert len(pairs.seen) == MAX_RECORD


def test_a_record_from_before_there_were_pairs_reads_as_one_without() -> None:
    older = {"outcomes": "+", "seen": ["x"], "standing": "on trial"}
    assert Record.model_validate(older).pairs == Pairs()
    pairs = paired("out wrong", "in right", "in right")
    assert Pairs.model_validate_json(pairs.model_dump_json()) == pairs


def test_worth_is_what_one_more_request_may_be_expected_to_gain() -> None:
    assert Record().worth == 0
    assert Record(outcomes="+++-").worth == (3 - 1) / (3 + 1 + 2)
    assert Record(outcomes="-", pairs=Pairs(gained=4, lost=1)).worth == (4 - 2) / (4 + 2 + 2)


def test_a_record_says_in_words_whether_some_answers_were_right_in_part() -> None:
    whole = Record().with_outcome(True, "a")
    assert (whole.in_part, whole.in_words) == (False, ("turned right", "wrong"))
    partly = whole.with_outcome(False, "b", in_part=True)
    assert (partly.in_part, partly.in_words) == (True, ("got better", "worse"))
    assert partly.with_outcome(True, "c").in_part


def test_pairs_say_whether_some_answers_were_right_in_part() -> None:
    def with_score(pairs: Pairs, name: str, score: float, *, held_out: bool) -> Pairs:
        return pairs.with_use(Use(request=name, held_out=held_out, score=score, share=0.1))

    assert not paired("out wrong", "in right").in_part
    first = with_score(Pairs(), "a", 0.5, held_out=True)
    told = with_score(first, "b", 1.0, held_out=False)
    assert (told.signs, told.in_part) == ("+", True)
    # Once it is so, it stays; a pair that does not tell changes nothing.
    assert with_score(with_score(told, "c", 0.0, held_out=True), "d", 1.0, held_out=False).in_part
    alike = with_score(first, "b", 0.5, held_out=False)
    assert (alike.signs, alike.in_part) == ("", False)
