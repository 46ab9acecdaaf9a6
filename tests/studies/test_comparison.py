"""From run reports to a comparison, and from `--vary` to settings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest

from patchlab_agent.errors import (
    BackendError,
    BackendUnavailable,
    BudgetReached,
    CassetteMiss,
    InputError,
    Interruption,
    SkillError,
    UsageError,
)
from patchlab_agent.lab.comparing import compare_stored
from patchlab_agent.lab.opening import lab_of
from patchlab_agent.lab.preflight import check_settings
from patchlab_agent.models.comparison import Harms, Lessons
from patchlab_agent.models.patch import Patch, Status
from patchlab_agent.models.report import CaseOutcome, PatchCounts, RunReport, Stop
from patchlab_agent.runs.runner import Runner
from patchlab_agent.settings import RunSettings
from patchlab_agent.statistics import paired_difference, proportion
from patchlab_agent.studies.comparison import Entrant, Rules, compare_runs, lessons
from patchlab_agent.studies.sweep import NOT_TRIED, PlannedRun, axes_of, plan, run_all
from patchlab_agent.studies.variation import MAX_SETTINGS, variations
from tests.report.make import full_report
from tests.support.make import make_patch
from tests.support.words_skill import WordFix

WRONG = "word_unknown"


def outcome(request: str, *right: str, applied: tuple[str, ...] = ()) -> CaseOutcome:
    """A case in which those of baseline, patched and ceiling that are named were right."""
    labels = {name: None if name in right else WRONG for name in ("baseline", "patched", "ceiling")}
    return CaseOutcome(request=request, applied=applied, **labels)


def report(*cases: CaseOutcome, **settings: object) -> RunReport:
    full = full_report()
    assert full.golden is not None
    return full.model_copy(
        update={
            "golden": full.golden.model_copy(update={"cases": cases}),
            "settings": {**full.settings, **settings},
        }
    )


ALL = ("baseline", "patched", "ceiling")
ONE = report(outcome("a", *ALL), outcome("b", "ceiling"), outcome("c", "patched"), top_k=1)
TWO = report(outcome("c", "baseline"), outcome("b", *ALL), outcome("a", *ALL), top_k=5)


def test_each_is_held_against_the_first_case_by_case() -> None:
    found = compare_runs([Entrant("one", ONE), Entrant("two", TWO)], Rules())
    first, second = found.sides
    assert found.cases == 3
    assert [side.label for side in found.sides] == ["one", "two"]
    assert first.patched == proportion([True, False, True])
    assert first.baseline == proportion([True, False, False])
    assert second.ceiling == proportion([True, True, False])
    assert first.difference is None
    # By request, though the second has them in another order.
    assert second.difference == paired_difference([True, False, True], [True, True, False])
    assert (second.difference.gained, second.difference.lost) == (1, 1)


def test_only_cases_that_all_have_are_compared() -> None:
    three = report(outcome("b", *ALL), outcome("d", *ALL))
    found = compare_runs(
        [Entrant("one", ONE), Entrant("two", TWO), Entrant("three", three)], Rules()
    )
    assert found.cases == 1
    assert [side.patched.successes for side in found.sides] == [0, 1, 1]


def test_harms_are_right_without_and_wrong_with_patches() -> None:
    [side] = compare_runs([Entrant("two", TWO)], Rules()).sides
    assert side.harms == Harms(golden=1, stream=TWO.overall.difference.lost)


def test_the_other_figures_are_those_of_the_report() -> None:
    [side] = compare_runs([Entrant("one", ONE)], Rules()).sides
    assert side.stream == ONE.overall.patched
    assert (side.run, side.backend, side.runs) == (ONE.run, ONE.backend, ONE.runs)
    assert side.active == ONE.patches.in_store.active
    assert side.quarantined == ONE.curve[-1].patches.quarantined
    assert side.calls == sum(cost.calls for cost in ONE.cost) > 0
    assert ONE.prompt_tokens is not None
    assert side.prompt_tokens == ONE.prompt_tokens.patched
    assert side.lessons is None


def test_settings_are_shown_where_they_differ() -> None:
    other = ONE.model_copy(update={"settings": {**ONE.settings, "top_k": 9, "extra": "x"}})
    found = compare_runs([Entrant("one", ONE), Entrant("other", other)], Rules())
    assert [side.settings for side in found.sides] == [
        {"extra": None, "top_k": 1},
        {"extra": "x", "top_k": 9},
    ]


def test_runs_without_a_golden_case_in_common_are_refused() -> None:
    with pytest.raises(InputError, match=r"one, other have no golden case in common"):
        compare_runs([Entrant("one", ONE), Entrant("other", report(outcome("z")))], Rules())


def test_a_run_without_golden_answers_is_refused() -> None:
    bare = ONE.model_copy(update={"golden": None})
    with pytest.raises(InputError, match="bare has no golden answers"):
        compare_runs([Entrant("one", ONE), Entrant("bare", bare)], Rules())


RED, GREEN, GREY = (make_patch("zok", m) for m in ("red", "green", "grey"))
SALT = make_patch("salt", "white")
TAUGHT = Rules(
    known=(WordFix(word="salt", meaning="white"),),
    needed={"zok a": (WordFix(word="zok", meaning="red"),), "zok b": ()},
)


def held(*cases: CaseOutcome, patches: tuple[Patch, ...] = (RED, GREEN, SALT)) -> Lessons:
    return lessons(cases, {patch.id: patch for patch in patches}, TAUGHT)


def test_a_lesson_that_a_case_needs_is_no_false_one() -> None:
    found = held(outcome("zok a", applied=(RED.id,)), outcome("zok b", applied=(RED.id,)))
    assert found == Lessons(
        shown=1,
        never_needed=0,
        false=0,
        needless_prompts=1,
        false_prompts=0,
        refused_needed=0,
    )


def test_a_lesson_that_says_otherwise_is_false_and_one_known_already_only_needless() -> None:
    found = held(outcome("zok a", applied=(GREEN.id, RED.id)), outcome("zok b", applied=(SALT.id,)))
    assert (found.shown, found.never_needed, found.false) == (3, 2, 1)
    assert (found.needless_prompts, found.false_prompts) == (2, 1)


def test_patches_that_nobody_knows_any_more_count_for_nothing() -> None:
    assert held(outcome("zok a", applied=("gone",))).shown == 0


def test_a_needed_lesson_in_quarantine_is_wrongly_refused() -> None:
    refused = tuple(
        patch.model_copy(update={"status": Status.QUARANTINED}) for patch in (RED, GREEN)
    )
    assert held(outcome("zok a"), outcome("zok b"), patches=refused).refused_needed == 1
    assert held(outcome("zok b"), patches=refused).refused_needed == 0


def test_what_was_wrongly_refused_is_told_only_while_the_store_stands_as_the_run_left_it() -> None:
    refused = RED.model_copy(update={"status": Status.QUARANTINED})
    run = report(outcome("zok a", applied=(GREEN.id,)))
    left = run.curve[-1].model_copy(update={"patches": PatchCounts(active=1, quarantined=1)})
    run = run.model_copy(update={"curve": (*run.curve[:-1], left)})

    def told(*patches: Patch) -> Lessons:
        entrant = Entrant("run", run, {patch.id: patch for patch in patches})
        [side] = compare_runs([entrant], TAUGHT).sides
        assert (side.quarantined, side.lessons is not None) == (1, True)
        return side.lessons  # type: ignore[return-value]

    assert told(GREEN, refused).refused_needed == 1
    # A later run, or a person, let it in: nobody knows any more what was in quarantine then.
    moved_on = told(GREEN, RED)
    assert moved_on.refused_needed is None
    assert moved_on.false == 1


BASE = RunSettings(runs=9, noise=0.1)


def test_several_names_make_the_product_and_the_rest_stays() -> None:
    found = variations(BASE, ["top-k=1,5", "gate=on,off"])
    assert [each.label for each in found] == [
        *("top-k=1, gate=on", "top-k=1, gate=off"),
        *("top-k=5, gate=on", "top-k=5, gate=off"),
    ]
    made = [each.settings for each in found]
    assert [(s.top_k, s.gate) for s in made] == [(1, "on"), (1, "off"), (5, "on"), (5, "off")]
    assert {(s.runs, s.noise) for s in made} == {(9, 0.1)}
    assert found[1].varied == {"top-k": "1", "gate": "off"}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["topk=1,2"], "did you mean top-k"),
        (["wrong=1,2"], "choose one of: backend, "),
        (["golden=1,2"], "names no setting"),
        (["store=a,b"], "names no setting"),
        (["top-k"], "lacks a value"),
        (["top-k=1,,2"], "lacks a value"),
        (["top-k=1,many"], "top_k='many' cannot be used: .*integer"),
        (["noise=0.1,2"], "noise='2' cannot be used: .*less than or equal to 1"),
        (["gate=on,of"], "gate='of' cannot be used: .*'on' or 'off'"),
        (["top-k=5"], "makes 1 settings; give values for 2 to 24"),
        (["top-k=1,2,3,4,5", "examples=1,2,3,4,5"], "makes 25 settings"),
        (["noise=0.1,0.10"], "gives noise=0.10 twice"),
        (["top-k=1,2", "top-k=3,4"], "top-k is given twice"),
    ],
)
def test_names_and_values_are_checked_at_once(given: list[str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        variations(BASE, given)


def test_as_many_settings_as_allowed_are_taken() -> None:
    assert len(variations(BASE, [f"seed={','.join(map(str, range(MAX_SETTINGS)))}"])) == 24


def test_a_plan_gives_each_setting_a_store_of_its_own(tmp_path: Path) -> None:
    runs = plan(BASE, ["embedder=hashing", "gate=on,off"], tmp_path, check_settings)
    stores = [planned.settings.store for planned in runs]
    assert [Path(store).name for store in stores] == [
        "01-embedder=hashing_gate=on",
        "02-embedder=hashing_gate=off",
    ]
    assert list(tmp_path.iterdir()) == []


def test_a_plan_knows_what_was_varied_in_the_order_given(tmp_path: Path) -> None:
    runs = plan(BASE, ["top-k=5,1,9", "gate=off,on"], tmp_path, check_settings)
    axes = axes_of(runs)
    assert list(axes.items()) == [("top-k", ("5", "1", "9")), ("gate", ("off", "on"))]
    assert runs[3].varied == {"top-k": "1", "gate": "on"}


def test_a_comparison_says_where_each_side_belongs() -> None:
    entrants = [
        Entrant("top-k=1", ONE, varied={"top-k": "1"}),
        Entrant("top-k=5", TWO, varied={"top-k": "5"}),
    ]
    found = compare_runs(entrants, Rules(), axes={"top-k": ("1", "5")})
    assert found.axes == {"top-k": ("1", "5")}
    assert [side.varied for side in found.sides] == [{"top-k": "1"}, {"top-k": "5"}]
    stored = compare_runs([Entrant("one", ONE), Entrant("two", TWO)], Rules())
    assert (stored.axes, stored.sides[0].varied) == ({}, {})


def test_a_plan_that_cannot_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no embedder 'none'"):
        plan(BASE, ["embedder=hashing,none"], tmp_path, check_settings)
    with pytest.raises(UsageError, match="--backend litellm --model"):
        plan(BASE, ["model=a/b,c/d"], tmp_path, check_settings)


@pytest.fixture
def runs(tmp_path: Path) -> list[PlannedRun]:
    base = RunSettings(runs=3, golden=2)
    return plan(base, ["top-k=1,5,9"], tmp_path / "stores", check_settings)


Failing = Callable[[dict[str, Interruption]], Callable[[PlannedRun, Runner], None]]


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Failing:
    """Makes the runs of some labels fail."""

    def set_up(errors: dict[str, Interruption]) -> Callable[[PlannedRun, Runner], None]:
        def watch(planned: PlannedRun, runner: Runner) -> None:
            if planned.label in errors:

                def fail(show: int = 0) -> RunReport:
                    raise errors[planned.label]

                monkeypatch.setattr(runner, "run", fail)

        return watch

    return set_up


def unwatched(planned: PlannedRun, runner: Runner) -> None:
    """Nobody looks on."""


def test_runs_start_with_nothing_learned_and_can_be_repeated(
    runs: list[PlannedRun], tmp_path: Path
) -> None:
    entrants, failures = run_all(runs, lab_of, unwatched)
    assert failures == []
    assert [entrant.label for entrant in entrants] == ["top-k=1", "top-k=5", "top-k=9"]
    for entrant, planned in zip(entrants, runs, strict=True):
        assert (entrant.report.continued_from, entrant.report.runs) == (0, 3)
        assert entrant.patches is not None
        assert len(entrant.patches) == entrant.report.patches.in_store.total
        # What is kept can be compared again.
        kept = compare_stored(["run-0001", "1"], planned.settings.store).sides[0]
        assert kept.patched == compare_runs([entrant], Rules()).sides[0].patched
    again, _ = run_all(
        plan(runs[0].settings, ["top-k=1,5"], tmp_path / "more", check_settings),
        lab_of,
        unwatched,
    )
    assert again[0].report.golden == entrants[0].report.golden


def test_a_refusal_loses_no_other_setting(runs: list[PlannedRun], failing: Failing) -> None:
    miss = CassetteMiss("The cassette has no answer; record it.")
    entrants, failures = run_all(runs, lab_of, failing({"top-k=1": miss}))
    assert [entrant.label for entrant in entrants] == ["top-k=5", "top-k=9"]
    assert [(f.label, f.stop.kind, f.stop.reason) for f in failures] == [
        ("top-k=1", "refused", str(miss))
    ]


def test_after_an_outage_the_others_are_not_tried(runs: list[PlannedRun], failing: Failing) -> None:
    outage = BackendUnavailable("The model is out; call later.")
    entrants, failures = run_all(runs, lab_of, failing({"top-k=5": outage}))
    assert [entrant.label for entrant in entrants] == ["top-k=1"]
    assert [(f.label, f.stop.reason) for f in failures] == [
        ("top-k=5", str(outage)),
        ("top-k=9", NOT_TRIED),
    ]
    assert [failure.varied for failure in failures] == [{"top-k": "5"}, {"top-k": "9"}]


def test_where_every_setting_fails_the_first_failure_comes_through(
    runs: list[PlannedRun], failing: Failing
) -> None:
    misses: dict[str, Interruption] = {
        planned.label: CassetteMiss(f"No answer for {planned.label}.") for planned in runs
    }
    with pytest.raises(CassetteMiss, match="No answer for top-k=1"):
        run_all(runs, lab_of, failing(misses))


def test_a_mistake_of_the_skill_loses_no_other_setting(
    runs: list[PlannedRun], failing: Failing
) -> None:
    mistake = SkillError("Simulator.judge of skill 'shipping' failed; correct it.")
    entrants, failures = run_all(runs, lab_of, failing({"top-k=1": mistake}))
    assert len(entrants) == 2
    assert [(f.stop.kind, f.stop.reason) for f in failures] == [("skill", str(mistake))]


@pytest.mark.parametrize(("kind", "raised"), [("skill", SkillError), ("refused", BackendError)])
def test_where_every_run_ends_early_the_first_reason_comes_through(
    runs: list[PlannedRun],
    monkeypatch: pytest.MonkeyPatch,
    kind: Literal["skill", "refused"],
    raised: type[Interruption],
) -> None:
    def watch(planned: PlannedRun, runner: Runner) -> None:
        stop = Stop(kind=kind, reason=f"It ended at {planned.label}.")
        report = runner.run().model_copy(update={"stopped": stop})
        monkeypatch.setattr(runner, "run", lambda: report)

    with pytest.raises(raised, match=r"ended at top-k=1\."):
        run_all(runs[:2], lab_of, watch)


def test_a_budget_that_ends_a_run_leaves_its_setting_out(
    runs: list[PlannedRun], failing: Failing
) -> None:
    spent = BudgetReached("The limit is reached; raise it.")
    entrants, failures = run_all(runs, lab_of, failing({"top-k=9": spent}))
    assert len(entrants) == 2
    assert [failure.stop.kind for failure in failures] == ["budget"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"{}", "damaged"),
        (b"[", "damaged"),
        (b"\xff", "damaged"),
        (b'{"schema_version":0}', "run "),
    ],
)
def test_a_file_that_is_no_report_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "odd.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=words):
        compare_stored([str(path), str(path)], tmp_path / "none")
