"""What a finished run comes to: its report, from outcomes, store and meter."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from patchlab_agent.backends.meter import Spent
from patchlab_agent.errors import (
    BackendError,
    BackendUnavailable,
    BudgetReached,
    CassetteMiss,
    Interruption,
    PromptError,
    SkillError,
    StoreError,
)
from patchlab_agent.lab.lab import Lab
from patchlab_agent.metrics.outcomes import GoldenOutcome, Outcome, Scores
from patchlab_agent.metrics.run import RunFigures
from patchlab_agent.models.event import EventKind, PatchEvent
from patchlab_agent.models.evidence import Record, Standing
from patchlab_agent.models.patch import Status
from patchlab_agent.models.report import (
    Cost,
    GateCalls,
    PatchCounts,
    PromptTokens,
    RunReport,
    Stop,
    Timing,
)
from patchlab_agent.runs.summary import FinishedRun, run_report, stop_of
from patchlab_agent.settings import MODEL, PATHS, SIMULATION, RunSettings
from tests.support.make import make_patch, make_report, make_trace
from tests.support.words_skill import CLOCK, words_lab


def outcome(number: int = 0, *, applied: Sequence[str] = (), **changes: Any) -> Outcome:
    """That of one request, right in all three ways unless it is told otherwise."""
    told: dict[str, Any] = {"baseline": None, "patched": None, "ceiling": None, "events": ()}
    triggers = tuple(f"trigger of {name}" for name in applied)
    told |= {"applied": tuple(applied), "triggers": triggers, **changes}
    return Outcome(number=number, request=f"zok {number}", **told)


def event(kind: EventKind, patch_id: str | None = None, **told: Any) -> PatchEvent:
    return PatchEvent(kind=kind, patch_id=patch_id, **told)


def reported(
    lab: Lab,
    outcomes: Sequence[Outcome] = (),
    golden: Sequence[Outcome] = (),
    *,
    drift: int | None = None,
    settings: dict[str, Any] | None = None,
    **changes: Any,
) -> RunReport:
    """The report of a run that came to these outcomes."""
    figures = RunFigures({}, show=3, drift=drift)
    for each in outcomes:
        figures.add(each)
    told: dict[str, Any] = {
        "name": "run-0001",
        "settings": RunSettings.model_validate(settings or {}),
        "requests": 7,
        "figures": figures,
        "golden": [GoldenOutcome(each, True, {}, {}) for each in golden],
        "continued_from": 2,
        "error": None,
        "changes": (),
        "full_calls": 40,
        "started_at": CLOCK,
        "seconds": 1.5,
    }
    return run_report(lab, FinishedRun(**{**told, **changes}))


@pytest.fixture
def lab(tmp_path: Path) -> Any:
    with words_lab(tmp_path) as made:
        yield made


def test_a_report_says_what_the_run_was_and_what_it_came_to(lab: Lab) -> None:
    outcomes = [
        outcome(0, baseline="odd", patched="odd", prompt_tokens=(10, 14)),
        outcome(1, baseline="odd", applied=("ab",), prompt_tokens=(10, 16)),
    ]
    report = reported(lab, outcomes, [outcome(2, prompt_tokens=(16, 16))])
    assert (report.run, report.runs, report.continued_from) == ("run-0001", 2, 2)
    assert (report.backend, report.structure, report.stopped) == (
        lab.agent.backend.name,
        None,
        None,
    )
    assert (report.overall.cases, report.overall.baseline.successes) == (2, 0)
    assert (report.overall.patched.successes, report.overall.ceiling.successes) == (1, 2)
    assert report.recent == report.overall
    assert len(report.curve) == 2
    assert [(each.trace, each.applied) for each in report.highlights] == [(1, ("trigger of ab",))]
    assert [(each.label, each.patched) for each in report.clusters] == [("odd", 1)]
    assert report.golden is not None
    assert (report.golden.all.cases, report.golden.uncovered.cases) == (1, 1)
    # Prompts of the golden set are as long as any others.
    assert report.prompt_tokens == PromptTokens(baseline=10, patched=16, growth=0.6)
    assert report.gate_calls == GateCalls(asked=0, full=40)
    assert report.store == str(lab.store.path)
    assert report.timing == Timing(started_at=CLOCK, seconds=1.5, seconds_per_call={})
    assert report.drift is None
    stopped = reported(lab, error=BudgetReached("enough"))
    assert (stopped.golden, stopped.stopped) == (None, Stop(kind="budget", reason="enough"))


@pytest.mark.parametrize("place", ["stream", "golden"])
def test_where_an_answer_was_right_in_part_all_rates_have_scores(lab: Lab, place: str) -> None:
    whole = outcome(0, scores=Scores(1.0, 1.0, 1.0))
    partly = outcome(1, baseline="odd", scores=Scores(0.5, 1.0, 1.0))
    plain = reported(lab, [whole], [whole])
    assert plain.golden is not None
    assert plain.overall.scores is plain.recent.scores is plain.golden.all.scores is None
    graded = (
        reported(lab, [partly], [whole]) if place == "stream" else reported(lab, [whole], [partly])
    )
    assert graded.golden is not None
    assert None not in (graded.overall.scores, graded.recent.scores, graded.golden.all.scores)


def test_usage_is_told_by_purpose_and_its_time_where_something_was_asked(lab: Lab) -> None:
    lab.meter.spent |= {
        "patched": Spent(calls=4, cache_hits=1, prompt_tokens=40, completion_tokens=8, seconds=1.0),
        "gate": Spent(calls=3, cost_usd=0.5, seconds=0.00001, prompt_tokens=9),
        "ceiling": Spent(cache_hits=2),
    }
    lab.meter.spent["gate"].told_prompt_tokens, lab.meter.spent["gate"].cached_prompt_tokens = 8, 4
    report = reported(lab)
    usual = {"cache_hits": 0, "prompt_tokens": 0, "completion_tokens": 0}
    nothing = {"prefix_hits": None, "cost_usd": None}
    assert report.cost == (
        Cost(purpose="ceiling", calls=0, **{**usual, **nothing, "cache_hits": 2}),
        Cost(
            purpose="gate", calls=3, prefix_hits=0.5, cost_usd=0.5, **{**usual, "prompt_tokens": 9}
        ),
        Cost(
            purpose="patched",
            calls=4,
            **{**nothing, "cache_hits": 1, "prompt_tokens": 40, "completion_tokens": 8},
        ),
    )
    assert report.timing.seconds_per_call == {"gate": 0.000003, "patched": 0.25}
    assert report.gate_calls == GateCalls(asked=3, full=40)


def test_what_became_of_proposals_is_counted_beside_what_the_store_holds(lab: Lab) -> None:
    fix = {"kind": "word"}
    events = (
        event(EventKind.ACTIVATED, "a", created=True, fix=fix),
        event(EventKind.ACTIVATED, "b", fix={"kind": "shown"}),
        event(EventKind.ACTIVATED, "c", fix={"kind": "shown"}),
        event(EventKind.QUARANTINED, "d", created=True),
        event(EventKind.REGATED, "e"),
        event(EventKind.REGATED, "f"),
        event(EventKind.KNOWN, "g"),
        event(EventKind.ACTIVE_ALREADY, "h"),
        event(EventKind.ACTIVE_ALREADY, "i"),
        event(EventKind.NONE),
        event(EventKind.SUPERSEDED, "a"),
        event(EventKind.PROVEN, "b"),
        event(EventKind.PROVEN, "c"),
        event(EventKind.CONVICTED, "b"),
    )
    proven = Record(standing=Standing.PROVEN)
    lab.store.patches.upsert(make_patch("zok").model_copy(update={"record": proven}))
    for word in ("blim", "tarn"):
        lab.store.patches.upsert(make_patch(word))
    lab.store.patches.upsert(make_patch("gone", status=Status.RETIRED))
    codes: dict[str, tuple[str, ...]] = {
        "one": ("still_wrong", "no_evidence"),
        "two": ("no_evidence",),
        "three": ("no_evidence", "still_wrong"),
        "four": (),
    }
    for word, reasons in codes.items():
        kept_out = make_patch(word, status=Status.QUARANTINED)
        lab.store.patches.upsert(kept_out.model_copy(update={"gate": make_report(*reasons)}))
    lab.store.patches.upsert(make_patch("five", status=Status.QUARANTINED))
    found = reported(lab, [outcome(events=events)]).patches
    assert (found.proposed, found.created) == (9, 2)
    assert (found.activated, found.quarantined) == (3, 3)
    assert (found.known, found.active_already) == (1, 2)
    assert (found.without_lesson, found.superseded, found.proven, found.convicted) == (1, 1, 2, 1)
    assert found.in_store == PatchCounts(active=3, quarantined=5, retired=1)
    assert (found.proven_in_store, found.on_trial_in_store) == (1, 2)
    # The most frequent first.
    assert list(found.quarantine_reasons.items()) == [
        ("no_evidence", 2),
        ("none_given", 2),
        ("still_wrong", 1),
    ]
    assert list(found.kinds.items()) == [("shown", 2), ("word", 1)]


def test_the_ten_most_useful_patches_are_named_with_what_they_teach(lab: Lab) -> None:
    patches = [make_patch(f"zok{number}") for number in range(12)]
    outcomes: list[Outcome] = []
    for saves, patch in enumerate(patches, start=1):
        lab.store.patches.upsert(patch)
        outcomes += [outcome(baseline="odd", applied=(patch.id,))] * saves
    # One that was deleted meanwhile teaches nothing any more.
    gone = outcome(baseline="odd", applied=("gone",))
    found = reported(lab, [*outcomes, *[gone] * 50]).patches.most_useful
    wanted = patches[::-1][:9]
    assert [use.id for use in found] == [patch.id for patch in wanted]
    assert found[0].teaches == f"{wanted[0].trigger} → word: word={wanted[0].trigger}, meaning=red"
    assert (found[0].uses, found[0].saves, found[0].harms) == (12, 12, 0)


def test_a_drift_is_told_with_what_it_undid(lab: Lab) -> None:
    zok = make_patch("zok")
    lab.store.patches.upsert(zok)
    undone = (event(EventKind.SUPERSEDED, zok.id), event(EventKind.CONVICTED, "gone"))
    outcomes = [outcome(0), outcome(1, patched="odd", events=undone)]
    found = reported(lab, outcomes, drift=2, changes=("Zok is blue.",)).drift
    assert found is not None
    assert (found.at, found.changes) == (2, ("Zok is blue.",))
    assert found.gone == ("zok → word: word=zok, meaning=red", "gone")
    assert (found.before.successes, found.before.total) == (1, 1)
    # A run that ended before the drift had none, nor had one under rules that do not drift.
    assert reported(lab, outcomes, drift=2).drift is None
    assert reported(lab, outcomes, changes=("Zok is blue.",)).drift is None


def test_examples_are_reported_where_prompts_show_some(lab: Lab) -> None:
    lab.store.traces.add(make_trace("t-0000001"))
    lab.store.traces.flush()
    shown = outcome(examples=("t-0000001",))
    found = reported(lab, [shown, outcome()], settings={"examples": 2}).examples
    assert found is not None
    assert (found.stored, found.shown) == (1, 0.5)
    assert reported(lab, [shown], settings={"examples": 0}).examples is None


@pytest.mark.parametrize("backend", ["toy", "replay", "litellm"])
def test_settings_are_told_as_far_as_they_had_a_say(lab: Lab, backend: str) -> None:
    told = {"backend": backend, "model": "openai/m", "api_base": "http://me:secret@host/v1"}
    shown = reported(lab, settings=told).settings
    assert not shown.keys() & {*PATHS, *(MODEL if backend == "toy" else SIMULATION)}
    assert (shown["skill"], shown["embedder"], shown["runs"]) == ("words", "hashing", 7)
    if backend != "toy":
        assert shown["model"] == "openai/m"
        assert shown["api_base"] == "http://***@host/v1"
        assert reported(lab, settings={"backend": backend}).settings["api_base"] is None


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (StoreError("why"), "store"),
        (SkillError("why"), "skill"),
        (PromptError("why"), "skill"),
        (BudgetReached("why"), "budget"),
        (BackendUnavailable("why"), "outage"),
        (BackendError("why"), "refused"),
        (CassetteMiss("why"), "refused"),
    ],
)
def test_why_a_run_ended_early_is_of_one_kind(error: Interruption | StoreError, kind: str) -> None:
    assert stop_of(error) == Stop.model_validate({"kind": kind, "reason": "why"})
