"""A whole run: stream, golden set, report."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from patchlab_agent.errors import BackendError, BackendUnavailable, BudgetReached, CassetteMiss
from patchlab_agent.lab.lab import Lab
from patchlab_agent.lab.opening import open_lab
from patchlab_agent.models.patch import Status
from patchlab_agent.models.prompt import Completion, Prompt
from patchlab_agent.models.report import GateCalls, PromptTokens, RunReport, Stop
from patchlab_agent.models.trace import Trace
from patchlab_agent.runs.runner import Runner
from patchlab_agent.settings import DEFAULT_RUNS, MODEL, PATHS, SIMULATION, RunSettings
from tests.support.make import Nearest, make_patch
from tests.support.words_skill import CLOCK, Reader, case, words_lab

USER_CASES = [case(text) for text in ("a zok", "one zok", "a blim", "zok blim", "salt")]
ONE_RUN = """
import sys
from patchlab_agent.runs.runner import Runner
from patchlab_agent.settings import RunSettings
from patchlab_agent.lab.opening import open_lab
settings = RunSettings(runs=10, golden=4, noise=0.05)
with open_lab(store=sys.argv[1], noise=0.05) as lab:
    print(Runner(lab, settings).run(show=3).model_dump_json(exclude={"timing", "store"}))
"""


def shipping_run(store: Path, **changes: Any) -> RunReport:
    """A short run of the shipping skill with the toy, on a store that is opened for it."""
    settings = RunSettings.model_validate(
        {"store": store, "runs": 10, "golden": 4, "noise": 0.05, **changes}
    )
    with open_lab(store=store, noise=settings.noise, seed=settings.seed) as lab:
        return Runner(lab, settings).run(show=3)


def content(report: RunReport) -> dict[str, Any]:
    """All of a report that two equal runs share."""
    return report.model_dump(mode="json", exclude={"timing", "store"})


def runner(lab: Lab, **settings: Any) -> Runner:
    return Runner(lab, RunSettings.model_validate({"golden": 0, **settings}), cases=USER_CASES)


class Misled(Reader):
    """Shown what a bad number is, it no longer knows what salt is."""

    def complete(self, prompt: Prompt) -> Completion:
        told = super().complete(prompt)
        answer = json.loads(told.text)
        if "salt" in answer and any(" bad " in m.content for m in prompt.messages[1:-1]):
            answer["salt"] = None
        return told.model_copy(update={"text": json.dumps(answer)})


def test_a_run_withdraws_an_example_that_does_harm_and_says_so(tmp_path: Path) -> None:
    with words_lab(tmp_path, Misled(), examples=2) as lab:
        lab.agent.examples = Nearest(lab.store.examples)
        cases = [case(text) for text in ("a bad number", "a salt", "one salt", "two salt")]
        traces: list[Trace] = []
        settings = RunSettings(golden=0, examples=2)
        told = Runner(lab, settings, cases=cases, on_trace=lambda t, _: traces.append(t))
        report = told.run()
        shown = [sorted(trace.examples) for trace in traces]
    assert shown == [[], ["t-0000000"], [], ["t-0000002"]]
    assert [[e.kind for e in trace.events if e.example_id] for trace in traces] == [
        [],
        ["withdrawn"],
        [],
        [],
    ]
    assert report.examples is not None
    assert (report.examples.shown, report.examples.withdrawn) == (0.5, 1)
    assert (report.examples.stored, report.examples.withdrawn_in_store) == (2, 1)
    [harmful] = report.examples.harmful
    assert (harmful.id, harmful.uses, harmful.harms) == ("t-0000000", 1, 1)


def test_a_run_without_examples_says_nothing_of_them(tmp_path: Path) -> None:
    assert shipping_run(tmp_path, examples=0).examples is None


def test_a_run_can_be_repeated_exactly(tmp_path: Path) -> None:
    first, again = shipping_run(tmp_path / "a"), shipping_run(tmp_path / "b")
    assert content(first) == content(again)
    assert first.patches.created > 0
    other = shipping_run(tmp_path / "c", seed=8)
    assert other.overall != first.overall or other.clusters != first.clusters


def test_a_run_in_windows_can_be_repeated_exactly_and_asks_for_the_same(tmp_path: Path) -> None:
    first, again = (shipping_run(tmp_path / name, concurrency=4) for name in "ab")
    assert content(first) == content(again)
    strict = shipping_run(tmp_path / "c")
    # The same requests under the same noise; what was learned in time for them differs.
    assert first.overall.baseline == strict.overall.baseline
    assert first.overall.ceiling == strict.overall.ceiling
    assert first.patches.created > 0


def test_another_process_with_another_hash_seed_makes_the_same_run(tmp_path: Path) -> None:
    there = subprocess.run(
        [sys.executable, "-c", ONE_RUN, str(tmp_path / "there")],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONHASHSEED": "1"},
        check=True,
    )
    assert json.loads(there.stdout) == content(shipping_run(tmp_path / "here"))


def test_a_second_run_goes_on_where_the_first_one_ended(tmp_path: Path) -> None:
    def run(traces: list[Trace]) -> RunReport:
        settings = RunSettings(store=tmp_path, runs=12, golden=0)
        with open_lab(store=tmp_path) as lab:
            return Runner(lab, settings, on_trace=lambda trace, _: traces.append(trace)).run()

    seen: tuple[list[Trace], list[Trace]] = ([], [])
    first, second = map(run, seen)
    assert (first.run, second.run) == ("run-0001", "run-0002")
    assert first.continued_from == 0
    assert second.continued_from == first.patches.in_store.active > 0
    assert second.patches.in_store.total > first.patches.in_store.total
    assert [trace.id for trace in seen[1]] == [f"t-{number:07d}" for number in range(12, 24)]
    requests = [{trace.request for trace in traces} for traces in seen]
    assert len(requests[0] & requests[1]) < 3
    assert second.curve[0].patches.active >= first.curve[-1].patches.active


def test_a_report_is_kept_as_it_was_given(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        report = runner(lab, golden=3).run()
    kept = (tmp_path / "store" / "runs" / "run-0001.json").read_text("utf-8")
    assert RunReport.model_validate_json(kept) == report
    assert report.timing.started_at == CLOCK
    assert report.store == str(tmp_path / "store")


def test_a_users_cases_are_run_in_their_order(tmp_path: Path) -> None:
    seen: list[tuple[int, str]] = []
    with words_lab(tmp_path) as lab:
        run = runner(lab)
        run.on_trace = lambda trace, number: seen.append((number, trace.request))
        report = run.run(show=9)
    assert seen == list(enumerate([c.request for c in USER_CASES], start=1))
    assert report.runs == 5
    assert report.settings["runs"] == 5
    assert report.settings["embedder"] == "hashing"
    assert [report.overall.baseline.successes, report.overall.patched.successes] == [1, 3]
    assert report.overall.ceiling.rate == 1.0
    assert report.overall.gap_closed == pytest.approx(0.5)
    assert [(h.trace, h.request, h.baseline, h.patched) for h in report.highlights] == [
        (1, "one zok", "word_unknown", "OK"),
        (3, "zok blim", "word_unknown", "OK"),
    ]
    assert report.highlights[1].applied in (("zok", "blim"), ("blim", "zok"))


@pytest.mark.parametrize(("runs", "total"), [(None, 5), (3, 3), (99, 5)])
def test_a_file_is_run_up_to_its_end(tmp_path: Path, runs: int | None, total: int) -> None:
    with words_lab(tmp_path) as lab:
        run = runner(lab, runs=runs)
        assert run.total == total
        assert run.run().runs == total


def test_without_a_file_the_number_of_runs_decides(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        assert Runner(lab, RunSettings()).total == DEFAULT_RUNS
        assert Runner(lab, RunSettings(runs=4)).total == 4
        assert Runner(lab, RunSettings(runs=4, golden=0)).run().runs == 4


def test_the_summary_counts_what_became_of_the_failures(tmp_path: Path) -> None:
    def stubborn(request: str, draw: str, answer: dict[str, Any]) -> None:
        if "blim" in answer:
            answer["blim"] = "grey"

    again = [*USER_CASES[:3], *USER_CASES[2:]]
    with words_lab(tmp_path, Reader(stubborn)) as lab:
        patches = Runner(lab, RunSettings(golden=0), cases=again).run().patches
        kept = {patch.trigger: patch.status for patch in lab.store.patches.all()}
    assert kept == {"zok": Status.ACTIVE, "blim": Status.QUARANTINED}
    # zok is learned; blim is refused, and twice more unasked, on the same request and another.
    assert (patches.proposed, patches.created, patches.known) == (4, 2, 2)
    assert (patches.activated, patches.quarantined, patches.superseded) == (1, 1, 0)
    assert (patches.in_store.active, patches.in_store.total) == (1, 2)
    assert patches.quarantine_reasons == {"still_wrong": 1}
    assert patches.kinds == {"word": 1}
    (use,) = patches.most_useful
    assert (use.trigger, use.uses, use.saves, use.harms) == ("zok", 2, 1, 0)
    assert use.teaches == "zok → word: word=zok, meaning=red"


def test_what_the_summary_shows_together_adds_up(tmp_path: Path) -> None:
    with open_lab(store=tmp_path, noise=0.1) as lab:
        settings = RunSettings(store=tmp_path, runs=150, golden=0, false_feedback=0.2)
        patches = Runner(lab, settings).run().patches
    ends = (patches.activated, patches.quarantined, patches.known, patches.active_already)
    assert sum(ends) == patches.proposed
    assert min(ends[:2]) > 0
    assert sum(patches.kinds.values()) == patches.activated
    assert sum(patches.quarantine_reasons.values()) == patches.in_store.quarantined > 0
    assert patches.proven_in_store + patches.on_trial_in_store == patches.in_store.active
    assert patches.created == patches.in_store.total


def test_what_a_new_lesson_supersedes_is_counted(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        lab.store.patches.upsert(make_patch("zok", "blue"))
        report = runner(lab, runs=2).run(show=9)
    patches = report.patches
    assert (patches.proposed, patches.activated, patches.superseded) == (1, 1, 1)
    assert patches.in_store.retired == 1
    assert (patches.in_store.active, patches.in_store.total) == (1, 2)
    assert [point.patches.active for point in report.curve] == [1, 1]
    assert [point.patches.retired for point in report.curve] == [1, 1]


def test_the_golden_set_is_measured_after_the_run_and_teaches_nothing(tmp_path: Path) -> None:
    done: list[int] = []
    with words_lab(tmp_path) as lab:
        run = runner(lab, golden=3, runs=1)
        run.on_golden = done.append
        assert run.golden_total == 3
        golden = run.run().golden
        assert lab.store.traces.count() == 1
        assert lab.store.patches.count() == 1
        assert Runner(lab, RunSettings(golden=99)).golden_total == 3
    assert done == [1, 2, 3]
    assert golden is not None
    assert [
        part.cases for part in (golden.all, golden.covered, golden.known, golden.uncovered)
    ] == [
        3,
        1,
        1,
        1,
    ]
    assert golden.covered.patched.rate == 1.0
    assert golden.covered.baseline.rate == 0.0
    (score, invalid) = golden.labels
    assert (score.label, score.support, score.patched.recall) == ("word_unknown", 4, 0.5)
    assert (invalid.label, invalid.support) == ("invalid_response", 0)


def test_calls_are_booked_by_purpose(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        report = runner(lab, golden=3).run()
    asked = {cost.purpose: cost.calls + cost.cache_hits for cost in report.cost}
    assert asked == {"patched": 8, "baseline": 8, "ceiling": 8, "gate": 4}
    assert all(cost.prompt_tokens == 10 * cost.calls for cost in report.cost)
    assert sum(cost.cost_usd or 0 for cost in report.cost) == 0.5 * sum(
        cost.calls for cost in report.cost
    )
    assert report.timing.seconds_per_call.keys() <= asked.keys()


OUT = Stop(kind="outage", reason="The reader is out; call again later.")


@pytest.mark.parametrize("outage_at", [2, 5])
def test_an_outage_in_mid_run_is_reported_as_such(tmp_path: Path, outage_at: int) -> None:
    backend = Reader(outage_at=outage_at)
    with words_lab(tmp_path, backend) as lab:
        report = runner(lab, golden=3).run()
        kept = list(lab.store.traces.newest(9))
    assert report.stopped == OUT
    assert report.golden is None
    assert report.runs == len(kept) < 5
    assert report.overall.cases == report.runs
    assert all(trace.feedback and trace.feedback.label != "invalid_response" for trace in kept)
    assert (tmp_path / "store" / "runs" / "run-0001.json").exists()


def test_a_run_that_was_stopped_is_not_measured(tmp_path: Path) -> None:
    def out_for_a_moment(request: str, draw: str, answer: dict[str, Any]) -> None:
        if request == "a blim":
            raise BackendUnavailable("busy")

    with words_lab(tmp_path, Reader(out_for_a_moment)) as lab:
        report = runner(lab, golden=3).run()
    assert (report.runs, report.stopped, report.golden) == (
        2,
        Stop(kind="outage", reason="busy"),
        None,
    )


def test_an_outage_in_the_golden_set_costs_the_golden_set_only(tmp_path: Path) -> None:
    backend = Reader()
    with words_lab(tmp_path, backend) as lab:
        runner(lab).run()
    backend = Reader(outage_at=len(backend.prompts))
    with words_lab(tmp_path / "again", backend) as lab:
        report = runner(lab, golden=3).run()
    assert (report.runs, report.golden) == (5, None)
    assert report.stopped == OUT


def test_without_a_golden_set_nothing_stopped_the_run(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        report = runner(lab).run()
    assert (report.golden, report.stopped, report.highlights) == (None, None, ())


@pytest.mark.parametrize("kind", [BackendError, BackendUnavailable, CassetteMiss])
def test_where_nothing_was_run_the_failure_itself_is_raised(
    tmp_path: Path, kind: type[BackendError]
) -> None:
    def fail(request: str, draw: str, answer: dict[str, Any]) -> None:
        raise kind("not today")

    with words_lab(tmp_path, Reader(fail)) as lab, pytest.raises(kind, match="not today"):
        runner(lab, golden=3).run()
    assert not (tmp_path / "store" / "runs" / "run-0001.json").exists()


@pytest.mark.parametrize("calls", [0, 3])
def test_a_budget_that_is_spent_is_a_reported_end_even_at_once(tmp_path: Path, calls: int) -> None:
    done: list[str] = []

    def spend(request: str, draw: str, answer: dict[str, Any]) -> None:
        if len(done) >= calls:
            raise BudgetReached("enough")
        done.append(request)

    with words_lab(tmp_path, Reader(spend)) as lab:
        report = runner(lab, golden=3).run()
    assert report.stopped == Stop(kind="budget", reason="enough")
    assert (report.golden, bool(report.runs)) == (None, bool(calls))


def test_any_other_failure_is_a_refusal(tmp_path: Path) -> None:
    def refuse(request: str, draw: str, answer: dict[str, Any]) -> None:
        if request == "a blim":
            raise CassetteMiss("no such answer")

    with words_lab(tmp_path, Reader(refuse)) as lab:
        report = runner(lab).run()
    assert report.stopped == Stop(kind="refused", reason="no such answer")
    assert report.runs == 2


def test_a_window_of_requests_is_measured_like_any_other(tmp_path: Path) -> None:
    with words_lab(tmp_path / "one") as lab:
        strict = runner(lab, golden=3).run()
    with words_lab(tmp_path / "all") as lab:
        wide = runner(lab, golden=3, concurrency=5).run()
    # Nothing was learned in time for the stream, and just as much for the golden set.
    assert strict.overall.patched.successes > wide.overall.patched.successes
    assert wide.overall.patched == wide.overall.baseline == strict.overall.baseline
    assert wide.overall.ceiling == strict.overall.ceiling
    assert wide.golden == strict.golden


def test_a_report_says_how_long_prompts_became_and_what_the_gate_asked(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        first, second = runner(lab).run(), runner(lab).run()
    assert first.prompt_tokens == PromptTokens(baseline=10, patched=10, growth=0)
    # Two lessons with one test each, which no labeled case touches: two answers for either, and
    # all of them known from answer, baseline and ceiling.
    assert (first.gate_calls.full, first.gate_calls.asked) == (4, 0)
    assert second.gate_calls == GateCalls(asked=0, full=0)
    assert first.structure is None


def test_settings_that_had_no_say_and_paths_are_not_reported(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        shown = runner(lab, store=tmp_path).run().settings
        real = runner(lab, backend="litellm", model="ollama_chat/x", record=tmp_path / "r").run()
    assert not shown.keys() & {*PATHS, *MODEL}
    assert shown.keys() >= {"seed", "noise", "top_k", "concurrency", "patcher"}
    assert not real.settings.keys() & {*PATHS, *SIMULATION}
    assert real.settings["model"] == "ollama_chat/x"
    assert str(tmp_path) not in real.model_dump_json(include={"settings"})
