"""Figures from traces, by tables of values."""

from __future__ import annotations

import gc
import weakref
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from statistics import median
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchlab_agent.metrics.failures import Clusters
from patchlab_agent.metrics.golden import golden_report, mistakes
from patchlab_agent.metrics.labels import score, with_seen
from patchlab_agent.metrics.outcomes import GoldenOutcome, Outcome, Scores
from patchlab_agent.metrics.run import RunFigures, Sum
from patchlab_agent.metrics.success import (
    CURVE_POINTS,
    RECENT,
    Curve,
    Drift,
    Highlights,
    PromptLengths,
    arm_rates,
)
from patchlab_agent.metrics.usage import ExampleUses, Proposals, evidence_path, patch_uses
from patchlab_agent.models.event import PatchEvent
from patchlab_agent.models.evidence import Record
from patchlab_agent.models.example import StoredExample
from patchlab_agent.models.patch import Status
from patchlab_agent.models.prompt import Usage
from patchlab_agent.models.report import (
    CurvePoint,
    DriftReport,
    FailureCluster,
    PatchCounts,
    PromptTokens,
)
from patchlab_agent.models.trace import OK, Judged, Trace
from patchlab_agent.skill.seam import Confusion
from patchlab_agent.statistics import proportion
from tests.support.make import WRONG, make_attempt, make_trace

pytestmark = pytest.mark.quick

ACTIVATED = PatchEvent(kind="activated", patch_id="p", trigger="zok")
SUPERSEDED = PatchEvent(kind="superseded", patch_id="o", trigger="zok")
QUARANTINED = PatchEvent(kind="quarantined", patch_id="q", trigger="zok")


def event(kind: str, patch_id: str | None, *, created: bool = False) -> PatchEvent:
    return PatchEvent.model_validate({"kind": kind, "patch_id": patch_id, "created": created})


def outcome(
    number: int = 1,
    baseline: str | None = None,
    patched: str | None = None,
    ceiling: str | None = None,
    *,
    applied: tuple[str, ...] = (),
    events: tuple[PatchEvent, ...] = (),
) -> Outcome:
    return Outcome(
        number=number,
        request=f"request {number}",
        baseline=baseline,
        patched=patched,
        ceiling=ceiling,
        applied=applied,
        triggers=tuple(f"trigger of {name}" for name in applied),
        events=events,
    )


Added = TypeVar("Added", bound=Sum)


def added(total: Added, outcomes: Iterable[Outcome]) -> Added:
    for each in outcomes:
        total.add(each)
    return total


def curve(outcomes: Iterable[Outcome], at_start: Mapping[str, Status]) -> tuple[CurvePoint, ...]:
    return added(Curve(at_start), outcomes).points()


def drift_report(
    outcomes: Iterable[Outcome], at: int, changes: Sequence[str], teaches: Mapping[str, str]
) -> DriftReport:
    return added(Drift(at), outcomes).report(changes, teaches)


def prompt_tokens(outcomes: Iterable[Outcome]) -> PromptTokens | None:
    return added(PromptLengths(), outcomes).medians()


def clusters(outcomes: Iterable[Outcome], labels: Sequence[str]) -> tuple[FailureCluster, ...]:
    return added(Clusters(), outcomes).found(labels)


def stored(name: str, signs: str = "", withdrawn: str = "") -> StoredExample:
    record = Record(outcomes=signs, seen=tuple(f"{name} {n}" for n in range(len(signs))))
    about = {"id": name, "request": f"a {name}", "answer": {}, "record": record}
    return StoredExample.model_validate({**about, "withdrawn": withdrawn})


def test_examples_are_counted_and_those_that_tell_most_are_named() -> None:
    shown = [("a", "b"), ("a", "c"), ("a", "c", "x"), ()]
    gone = PatchEvent(kind="withdrawn", example_id="x")
    outcomes = [
        replace(outcome(n), examples=names, events=(gone,) if "x" in names else ())
        for n, names in enumerate(shown, start=1)
    ]
    kept = [stored("a", "+"), stored("b"), stored("c", "+++-"), stored("d", "++++")]
    kept += [stored("w", "-", "long ago"), stored("x", "+-", "harm")]
    found = added(ExampleUses(), outcomes).summary(kept)
    assert (found.stored, found.shown, found.withdrawn, found.withdrawn_in_store) == (4, 1.75, 1, 2)
    # Not one that the run did not show.
    assert [(use.id, use.uses, use.gains, use.harms) for use in found.most_useful] == [
        ("c", 2, 3, 1),
        ("a", 3, 1, 0),
    ]
    assert [(use.id, use.uses, use.withdrawn) for use in found.harmful] == [
        ("w", 0, "long ago"),
        ("x", 1, "harm"),
    ]


def test_the_five_examples_that_tell_most_are_named_for_either_reason() -> None:
    names = "abcdefg"
    shown = replace(outcome(), examples=tuple(names))
    good = [stored(name, "+" * n) for n, name in enumerate(names, start=1)]
    bad = [stored(f"{name} bad", "-", "harm") for name in names]
    found = added(ExampleUses(), [shown]).summary([*good, *bad])
    assert [use.id for use in found.most_useful] == ["g", "f", "e", "d", "c"]
    assert [use.id for use in found.harmful] == [f"{name} bad" for name in "cdefg"]


def test_no_examples_and_no_requests_are_summed_up_too() -> None:
    found = ExampleUses().summary([])
    assert (found.stored, found.shown, found.most_useful, found.harmful) == (0, 0.0, (), ())


def run(*labels: str) -> list[Outcome]:
    """Outcomes by one letter for each of baseline, patched, ceiling; a dot is OK."""
    return [
        outcome(number, *(None if letter == "." else letter for letter in triple))
        for number, triple in enumerate(labels, start=1)
    ]


def test_an_outcome_is_what_figures_need_of_a_trace() -> None:
    trace = make_trace(
        feedback=WRONG, baseline=OK, ceiling=OK, applied=("p1", "p2"), events=(ACTIVATED,)
    )
    found = Outcome.of(trace)
    assert (found.number, found.request, found.events) == (trace.index, trace.request, (ACTIVATED,))
    assert (found.baseline, found.patched, found.ceiling) == (None, "word_unknown", None)
    assert found.applied == ("p1", "p2")
    assert found.triggers == ("trigger of p1", "trigger of p2")


@pytest.mark.parametrize(
    "trace",
    [
        make_trace(feedback=None, baseline=OK, ceiling=OK),
        make_trace(baseline=None, ceiling=OK),
    ],
)
def test_a_trace_that_was_not_compared_gives_no_outcome(trace: Trace) -> None:
    with pytest.raises(ValueError, match=f"{trace.id} was not compared"):
        Outcome.of(trace)


def test_without_an_oracle_there_is_no_ceiling_and_no_gap() -> None:
    found = Outcome.of(make_trace(feedback=WRONG, baseline=OK, ceiling=None))
    assert not found.has_ceiling
    rates = arm_rates([found])
    assert (rates.ceiling.total, rates.ceiling.rate, rates.gap_closed) == (0, None, None)
    assert (rates.baseline.rate, rates.patched.rate) == (1.0, 0.0)
    (point,) = curve([found], {})
    assert point.ceiling.total == 0


@pytest.mark.parametrize(
    ("labels", "saved", "harmed"),
    [("x..", True, False), (".x.", False, True), ("xx.", False, False), ("...", False, False)],
)
def test_saved_and_harmed(labels: str, saved: bool, harmed: bool) -> None:
    (found,) = run(labels)
    assert (found.saved, found.harmed) == (saved, harmed)


@pytest.mark.parametrize(
    ("labels", "rates", "gap_closed"),
    [
        (("x..", "x..", "xx.", "..."), (0.25, 0.75, 1.0), 2 / 3),
        (("x..", "x.."), (0.0, 1.0, 1.0), 1.0),
        (("xx.", ".x."), (0.5, 0.0, 1.0), -1.0),
        (("x.x", "x.x", "..."), (1 / 3, 1.0, 1 / 3), None),
        ((".xx", "..."), (1.0, 0.5, 0.5), None),
        (("...",), (1.0, 1.0, 1.0), None),
    ],
)
def test_baseline_patched_and_ceiling_are_compared(
    labels: tuple[str, ...], rates: tuple[float, float, float], gap_closed: float | None
) -> None:
    found = arm_rates(run(*labels))
    assert found.cases == len(labels)
    assert (found.baseline.rate, found.patched.rate, found.ceiling.rate) == pytest.approx(rates)
    assert found.difference.mean == pytest.approx(rates[1] - rates[0])
    assert found.gap_closed == (None if gap_closed is None else pytest.approx(gap_closed))


def test_nothing_compared_is_nothing() -> None:
    found = arm_rates([])
    assert (found.cases, found.baseline.rate, found.gap_closed) == (0, None, None)
    assert found.difference.mean is None


@pytest.mark.parametrize(
    ("runs", "stretches"),
    [
        (0, []),
        (1, [(1, 1)]),
        (10, [(n, n) for n in range(1, 11)]),
        (11, [(1, 2), (3, 4), (5, 6), (7, 8), (9, 10), (11, 11)]),
        (20, [(n, n + 1) for n in range(1, 20, 2)]),
    ],
)
def test_the_curve_has_equal_stretches(runs: int, stretches: list[tuple[int, int]]) -> None:
    points = curve(run(*["..."] * runs), {})
    assert [(point.first, point.last) for point in points] == stretches
    assert len(points) <= CURVE_POINTS


def test_the_curve_counts_rates_and_active_patches_by_stretch() -> None:
    outcomes = run(*["xx.", "x.x"] * 10)
    outcomes[0] = outcome(1, "x", "x", events=(ACTIVATED, QUARANTINED))
    outcomes[5] = outcome(6, "x", None, "x", events=(ACTIVATED, SUPERSEDED))
    outcomes[19] = outcome(20, events=(event("activated", "t", created=True),))
    points = curve(outcomes, {"o": Status.ACTIVE, "r": Status.ACTIVE, "s": Status.DISABLED})
    assert [point.patches.active for point in points] == [3, 3, *[2] * 7, 3]
    assert points[0].patches == PatchCounts(active=3, quarantined=1, disabled=1)
    assert points[9].patches == PatchCounts(active=3, quarantined=1, retired=1, disabled=1)
    for point, expected in ((points[0], (0.0, 0.5, 0.5)), (points[9], (0.5, 0.5, 1.0))):
        assert (point.baseline.rate, point.patched.rate, point.ceiling.rate) == expected


def test_the_curve_has_wilson_intervals() -> None:
    (*_, last) = curve(run(*["xx.", "x.."] * 10), {})
    assert (last.patched.successes, last.patched.total) == (1, 2)
    assert last.patched == proportion([False, True])
    assert last.patched.low is not None
    assert last.patched.high is not None
    assert 0 < last.patched.low < 0.5 < last.patched.high < 1


@pytest.mark.parametrize(
    ("before", "events", "after"),
    [
        ({}, [event("quarantined", "q", created=True)], {"quarantined": 1}),
        ({"q": "quarantined"}, [event("regated", "q")], {"quarantined": 1}),
        ({"q": "active"}, [event("regated", "q")], {"quarantined": 1}),
        ({"q": "quarantined"}, [event("activated", "q")], {"active": 1}),
        ({"q": "retired"}, [event("activated", "q")], {"active": 1}),
        ({"q": "active"}, [event("known", "q"), event("active_already", "q")], {"active": 1}),
        ({"q": "active"}, [event("disabled", "q")], {"disabled": 1}),
        ({"q": "active"}, [event("proven", "q")], {"active": 1}),
        ({"q": "active"}, [event("convicted", "q")], {"quarantined": 1}),
        (
            {"q": "active", "o": "retired"},
            [event("convicted", "q"), event("activated", "o")],
            {"active": 1, "quarantined": 1},
        ),
        ({"q": "active"}, [event("retired", "q")], {"retired": 1}),
        ({"q": "active"}, [event("none", None)], {"active": 1}),
        (
            {"o": "active"},
            [event("activated", "q", created=True), event("superseded", "o")],
            {"active": 1, "retired": 1},
        ),
        (
            {},
            [event("quarantined", "q", created=True), event("activated", "q")],
            {"active": 1},
        ),
    ],
)
def test_the_curve_follows_each_patch_from_status_to_status(
    before: dict[str, str], events: list[PatchEvent], after: dict[str, int]
) -> None:
    (point,) = curve(
        [outcome(events=tuple(events))], {name: Status(status) for name, status in before.items()}
    )
    assert point.patches == PatchCounts(**after)


def test_failures_are_clustered_by_label_the_most_frequent_first() -> None:
    outcomes = run("bb.", "a..", "...", "aa.", "bb.", "b..", ".c.")
    found = {cluster.label: cluster for cluster in clusters(outcomes, ("a", "b", "c", "d"))}
    assert list(found) == ["b", "a", "c"]
    assert [(c.label, c.baseline, c.patched) for c in found.values()] == [
        ("b", 3, 2),
        ("a", 2, 1),
        ("c", 0, 1),
    ]
    assert [c.share for c in found.values()] == [0.5, 0.25, 0.25]
    assert [(c.first_seen, c.last_seen, c.runs_to_last) for c in found.values()] == [
        (1, 5, 4),
        (2, 4, 2),
        (7, 7, 0),
    ]
    assert found["a"].example == "request 2"


def test_the_time_to_a_fix_runs_from_the_first_failure_to_the_first_active_patch() -> None:
    outcomes = run("a..", "...", "aa.", "aa.", "aa.", "bb.")
    outcomes[2] = outcome(3, "a", "a", events=(QUARANTINED,))
    outcomes[3] = outcome(4, "a", "a", events=(ACTIVATED,))
    outcomes[4] = outcome(5, "a", "a", events=(ACTIVATED,))
    fixed, never = clusters(outcomes, ("a", "b"))
    assert (fixed.runs_to_patch, fixed.runs_to_last) == (3, 4)
    assert (never.runs_to_patch, never.runs_to_last) == (None, 0)


def test_without_failures_there_are_no_clusters() -> None:
    assert clusters(run("...", "..a"), ("a",)) == ()
    (only,) = clusters(run("a..", "a.."), ("a",))
    assert (only.patched, only.share, only.last_seen, only.runs_to_last) == (0, 0.0, 2, 1)


def test_each_applied_patch_has_its_uses_saves_and_harms() -> None:
    outcomes = [
        outcome(1, "x", None, applied=("p", "q")),
        outcome(2, None, "x", applied=("q",)),
        outcome(3, applied=("q", "r")),
        outcome(4, "x", None, applied=("s",)),
        outcome(5, "x", "x", applied=("s",)),
    ]
    uses = patch_uses(outcomes, {"q": "what q teaches"})
    assert [(use.id, use.uses, use.saves, use.harms) for use in uses] == [
        ("s", 2, 1, 0),
        ("p", 1, 1, 0),
        ("q", 3, 1, 1),
        ("r", 1, 0, 0),
    ]
    assert [use.teaches for use in uses] == ["", "", "what q teaches", ""]
    assert uses[0].trigger == "trigger of s"
    assert patch_uses([], {}) == ()


@pytest.mark.parametrize(
    ("n", "runs"), [(0, []), (1, [4]), (2, [3, 4]), (3, [1, 3, 4]), (9, [1, 3, 4])]
)
def test_highlights_are_the_latest_requests_that_patches_turned(n: int, runs: list[int]) -> None:
    outcomes = [*run("x..", "xx.", ".y."), outcome(4, "z", None, applied=("p",)), outcome(5)]
    found = added(Highlights(n), outcomes).latest()
    assert [highlight.trace for highlight in found] == runs
    if n == 9:
        assert [(h.baseline, h.patched) for h in found] == [("x", "OK"), ("OK", "y"), ("z", "OK")]
        assert found[-1].applied == ("trigger of p",)


@pytest.mark.parametrize(
    ("counts", "precision", "recall", "f1"),
    [
        ([], None, None, None),
        ([Confusion()], None, None, None),
        ([Confusion(3, 1, 2), Confusion(1, 0, 0)], 4 / 5, 4 / 6, 8 / 11),
        ([Confusion(0, 2, 0)], 0.0, None, 0.0),
        ([Confusion(0, 0, 2)], None, 0.0, 0.0),
        ([Confusion(2, 0, 0)], 1.0, 1.0, 1.0),
    ],
)
def test_precision_recall_and_f1(
    counts: list[Confusion], precision: float | None, recall: float | None, f1: float | None
) -> None:
    found = score(counts)
    assert (found.precision, found.recall) == (precision, recall)
    assert found.f1 == (None if f1 is None else pytest.approx(f1))


def test_the_golden_set_is_split_by_what_was_taught() -> None:
    hit, miss = {"a": Confusion(1, 0, 0)}, {"a": Confusion(0, 0, 1)}
    wrong = {"a": Confusion(0, 1, 1)}
    golden = [
        GoldenOutcome(outcome(1, "a", None, applied=("p",)), True, miss, hit),
        GoldenOutcome(outcome(2, applied=("p",)), False, {}, {}),
        GoldenOutcome(outcome(3), False, {}, {}),
        GoldenOutcome(outcome(4, "a", "a"), True, miss, miss),
        GoldenOutcome(outcome(5, "a", "a"), True, wrong, wrong),
    ]
    report = golden_report(golden, ("a", "b"))
    parts = (report.all, report.covered, report.known, report.uncovered)
    assert [part.cases for part in parts] == [5, 2, 1, 2]
    assert [part.patched.successes for part in parts] == [3, 2, 1, 0]
    assert [part.baseline.successes for part in parts] == [2, 1, 1, 0]
    a, b = report.labels
    assert (a.label, a.support) == ("a", 3)
    assert (a.baseline.recall, a.baseline.precision) == (0.0, 0.0)
    assert (a.patched.recall, a.patched.precision) == (1 / 3, 0.5)
    assert (b.support, b.patched.f1) == (0, None)


@pytest.mark.parametrize(
    ("baseline", "patched", "told"),
    [
        (Confusion(1, 0, 0), Confusion(1, 0, 0), None),
        (Confusion(), Confusion(), None),
        (Confusion(0, 0, 1), Confusion(1, 0, 0), ("missed", "right")),
        (Confusion(), Confusion(0, 1, 0), ("right", "uncalled for")),
        (Confusion(0, 1, 1), Confusion(0, 0, 2), ("another value", "missed")),
        (Confusion(2, 1, 0), Confusion(2, 0, 1), ("uncalled for", "missed")),
    ],
)
def test_a_case_names_the_labels_that_an_answer_got_wrong(
    baseline: Confusion, patched: Confusion, told: tuple[str, str] | None
) -> None:
    arms = ({"b": baseline}, {"b": patched})
    found = mistakes(GoldenOutcome(outcome(1), False, *arms), ("a", "b"))
    assert [(each.label, each.baseline, each.patched) for each in found] == (
        [("b", *told)] if told else []
    )


def asked_with(
    plain: int | None, learned: int | None, *, repairs: tuple[int, int] = (0, 0)
) -> Outcome:
    """The outcome of prompts of these lengths, answered after so many repairs."""
    one, other = (
        make_attempt().model_copy(update={"usage": Usage(prompt_tokens=n), "repairs": again})
        for n, again in zip((plain, learned), repairs, strict=True)
    )
    judged = Judged(attempt=one, feedback=OK)
    trace = make_trace(baseline=OK, ceiling=OK)
    return Outcome.of(trace.model_copy(update={"attempt": other, "baseline": judged}))


def test_prompts_are_compared_by_their_medians() -> None:
    outcomes = [asked_with(100, 100), asked_with(104, 160), asked_with(900, 2000)]
    assert prompt_tokens(outcomes) == PromptTokens(baseline=104, patched=160, growth=56 / 104)
    assert prompt_tokens(outcomes[:2]) == PromptTokens(baseline=102, patched=130, growth=28 / 102)


@pytest.mark.parametrize(
    "uncounted",
    [
        asked_with(None, 160),
        asked_with(104, None),
        # A repair's turns say the prompt again, which is no growth.
        asked_with(104, 320, repairs=(0, 1)),
        asked_with(208, 160, repairs=(1, 0)),
    ],
)
def test_what_says_nothing_about_a_prompts_growth_is_left_out(uncounted: Outcome) -> None:
    assert prompt_tokens([uncounted]) is None
    assert prompt_tokens([uncounted, asked_with(10, 15)]) == PromptTokens(
        baseline=10, patched=15, growth=0.5
    )


def test_no_prompt_has_no_median() -> None:
    assert prompt_tokens([]) is None


def drifting(*stretches: tuple[int, bool]) -> list[Outcome]:
    """Outcomes in stretches of so many, right or wrong."""
    right = [is_right for length, is_right in stretches for _ in range(length)]
    return [outcome(n, patched=None if ok else "wrong") for n, ok in enumerate(right, start=1)]


def test_a_drift_is_told_by_the_latest_runs_before_it_and_the_windows_after() -> None:
    # Ten wrong ones are too long ago to count; of the 200 that do, 20 are wrong.
    outcomes = drifting((10, False), (20, False), (180, True), (30, False), (80, True))
    found = drift_report(outcomes, 211, ["a rule is gone"], {})
    assert (found.at, found.changes) == (211, ("a rule is gone",))
    assert (found.before.successes, found.before.total) == (180, 200)
    assert found.lowest == 0.4
    # Windows of 50: the one that ends at the 75th run after the change has five wrong ones left.
    assert found.recovered == 75
    assert found.gone == ()


def test_a_drift_that_success_does_not_come_back_from_has_no_recovery() -> None:
    found = drift_report(drifting((60, True), (60, False)), 61, [], {})
    assert (found.lowest, found.recovered) == (0.0, None)


@pytest.mark.parametrize(("after", "lowest"), [(49, None), (50, 1.0)])
def test_a_drift_needs_a_whole_window_to_be_judged(after: int, lowest: float | None) -> None:
    found = drift_report(drifting((20, True), (after, True)), 21, [], {})
    assert found.lowest == lowest
    assert found.recovered == (None if lowest is None else 50)


def test_a_drift_names_the_lessons_that_went_after_it_once_each() -> None:
    outcomes = drifting((60, True), (60, True))
    early = replace(outcomes[10], events=(event("convicted", "early"),))
    gone = (event("convicted", "p"), event("superseded", "q"), event("retired", "r"))
    outcomes[10] = early
    outcomes[60] = replace(outcomes[60], events=gone)
    outcomes[70] = replace(outcomes[70], events=(event("convicted", "p"),))
    drift = added(Drift(61), outcomes)
    assert drift.gone == ("p", "q")
    assert drift.report([], {"p": "lb is half a kilo"}).gone == ("lb is half a kilo", "q")


def test_mean_scores_count_answers_in_part_where_the_report_has_such() -> None:
    scores = (Scores(0.0, 0.5), Scores(0.5, 1.0, 1.0), Scores(0.0, 0.0, 1.0))
    given = [replace(outcome(n), scores=each) for n, each in enumerate(scores)]
    assert [each.is_graded for each in given] == [True, True, False]
    assert not outcome().is_graded
    assert arm_rates(given).scores is None
    found = arm_rates(given, is_graded=True).scores
    assert found is not None
    assert (found.baseline, found.patched) == pytest.approx((1 / 6, 1 / 2))
    assert found.ceiling == 1.0
    assert found.difference.mean == pytest.approx(1 / 3)
    empty = arm_rates([], is_graded=True).scores
    assert empty is not None
    assert (empty.baseline, empty.difference.mean) == (None, None)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1))
def test_medians_are_those_of_all_lengths(lengths: list[tuple[int, int]]) -> None:
    outcomes = [replace(outcome(n), prompt_tokens=each) for n, each in enumerate(lengths)]
    found = prompt_tokens(outcomes)
    assert found is not None
    assert found.baseline == median(plain for plain, _ in lengths)
    assert found.patched == median(learned for _, learned in lengths)


KINDS = ("activated", "quarantined", "superseded", "convicted", "known")


@given(
    st.lists(st.lists(st.tuples(st.sampled_from(KINDS), st.sampled_from("pqr")), max_size=3)),
    st.dictionaries(st.sampled_from("pq"), st.sampled_from(Status)),
)
def test_each_point_of_a_curve_counts_the_patches_at_its_end(
    told: list[list[tuple[str, str]]], at_start: dict[str, Status]
) -> None:
    outcomes = [
        outcome(n, events=tuple(event(kind, name) for kind, name in each))
        for n, each in enumerate(told, start=1)
    ]
    points = curve(outcomes, at_start)
    assert [point.first for point in points[1:]] == [point.last + 1 for point in points[:-1]]
    for point in points:
        status = dict(at_start)
        for each in outcomes[: point.last]:
            for seen in each.events:
                if seen.patch_id and seen.kind.becomes:
                    status[seen.patch_id] = seen.kind.becomes
        assert point.patches == PatchCounts(**Counter(map(str, status.values())))


class Watched(Outcome):
    """An outcome that can be seen to go: it has no slots."""


def test_a_long_run_keeps_no_outcome_but_the_latest() -> None:
    figures = RunFigures({}, show=1)
    kept = []
    for number in range(2 * RECENT):
        each = Watched(number, f"request {number}", "x", None, None, ("p",), ("zok",), ())
        kept.append(weakref.ref(each))
        figures.add(each)
        del each
    gc.collect()
    assert sum(found() is not None for found in kept) == RECENT
    assert (figures.runs, figures.arms.rates().cases) == (2 * RECENT, 2 * RECENT)
    assert figures.recent(is_graded=False).cases == RECENT


def test_scores_are_reported_only_where_some_answer_of_the_run_was_right_in_part() -> None:
    whole = replace(outcome(1), scores=Scores(0.0, 1.0))
    in_part = replace(outcome(2), scores=Scores(0.25, 0.5, 1.0))
    figures = RunFigures({})
    assert not figures.is_graded
    figures.add(whole)
    assert not figures.is_graded
    figures.add(in_part)
    figures.add(whole)
    assert figures.is_graded
    assert arm_rates([in_part]).scores is None
    assert figures.arms.rates().scores is None
    golden = [GoldenOutcome(each, False, {}, {}) for each in (in_part, outcome(3))]
    plain, graded = golden_report(golden, []), golden_report(golden, [], is_graded=True)
    assert [case.scores for case in plain.cases] == [None, None]
    [told, nothing] = graded.cases
    assert told.scores is not None
    assert (told.scores.baseline, told.scores.patched, told.scores.ceiling) == (0.25, 0.5, 1.0)
    assert nothing.scores is None
    assert (plain.all.scores, graded.all.scores is None) == (None, False)


def test_a_label_that_no_skill_lists_is_put_after_those_that_it_does() -> None:
    seen = ["wrong_team", None, "odd", "late", "odd"]
    assert with_seen(["late", "early"], seen) == ("late", "early", "odd", "wrong_team")


def test_each_request_counts_once_in_the_median_prompt() -> None:
    lengths = [(100, 110), (100, 110), (400, 500)]
    found = prompt_tokens(replace(outcome(), prompt_tokens=each) for each in lengths)
    assert found is not None
    assert (found.baseline, found.patched) == (100, 110)


def test_patches_that_a_run_made_are_counted_over_all_its_requests() -> None:
    made = [("activated", "p", True), ("activated", "q", False), ("quarantined", "r", True)]
    outcomes = [outcome(events=(event(kind, name, created=new),)) for kind, name, new in made]
    assert added(Proposals(), [*outcomes, outcome()]).created == 2


def test_events_are_counted_by_kind_and_proposals_by_how_their_request_left_them() -> None:
    again = (event("quarantined", "p"), event("activated", "q"), event("activated", "p"))
    outcomes = [
        outcome(events=again),
        outcome(events=(event("quarantined", "r"),)),
        outcome(events=(event("quarantined", "r"), event("none", None))),
    ]
    found = added(Proposals(), outcomes)
    assert found.kinds == {"quarantined": 3, "activated": 2, "none": 1}
    assert found.ends == {"activated": 2, "quarantined": 2}


def test_fixes_that_were_let_in_are_counted_by_their_kind() -> None:
    def let_in(name: str, kind: str) -> Outcome:
        told = {"kind": "activated", "patch_id": name, "fix": {"kind": kind}}
        return outcome(events=(PatchEvent.model_validate(told),))

    found = added(Proposals(), [let_in("p", "word"), let_in("q", "word"), let_in("r", "limit")])
    assert found.fixes == {"word": 2, "limit": 1}


def test_the_evidence_for_a_patch_is_told_after_each_outcome() -> None:
    found = evidence_path(Record(outcomes="+++"))
    assert found == tuple(evidence_path(Record(outcomes="+" * n))[-1] for n in (1, 2, 3))
    assert evidence_path(Record()) == ()
