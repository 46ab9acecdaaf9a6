"""Lessons left out of a share of their uses: the draw, the trace, and what feedback makes of it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest

from patchlab_agent.agent.holdout import Holdout
from patchlab_agent.gate.base import Candidate
from patchlab_agent.lab.lab import Lab
from patchlab_agent.models.evidence import Pairs, Record, Standing, Use
from patchlab_agent.models.patch import Patch, Role, Status
from patchlab_agent.models.trace import OK, Feedback, Judged, Trace
from patchlab_agent.runs.loop import Loop, SimulatedReferee
from patchlab_agent.runs.runner import Runner
from patchlab_agent.settings import RunSettings
from tests.support.make import make_patch
from tests.support.words_skill import Reader, WordsReferee, WordsSimulator, case, words_lab

WRONG = Feedback(label="word_unknown")
"""A complaint that names no word, so that it teaches nothing."""


# The draw


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9])
def test_each_lesson_is_left_out_of_its_share(share: float) -> None:
    holdout = Holdout(share, seed=3)
    for patch in ("a", "b", "c"):
        drawn = sum(holdout.leaves_out(f"t-{n}", patch) for n in range(4000))
        assert drawn / 4000 == pytest.approx(share, abs=0.025)


def test_lessons_are_left_out_independently_of_each_other() -> None:
    # If leaving one out kept the others in, those would look harmful wherever it is needed.
    holdout = Holdout(0.3, seed=3)
    drawn = Counter(
        (holdout.leaves_out(f"t-{n}", "a"), holdout.leaves_out(f"t-{n}", "b")) for n in range(8000)
    )
    for one, other in product((True, False), repeat=2):
        expected = (0.3 if one else 0.7) * (0.3 if other else 0.7)
        assert drawn[one, other] / 8000 == pytest.approx(expected, abs=0.02)


def test_a_draw_can_be_repeated_and_another_seed_makes_another_one() -> None:
    def drawn(seed: int) -> list[bool]:
        return [Holdout(0.5, seed).leaves_out(f"t-{n}", "a") for n in range(200)]

    assert drawn(1) == drawn(1)
    assert 60 < sum(one != other for one, other in zip(drawn(1), drawn(2), strict=True)) < 140


# Answers


def test_unless_a_share_is_given_nothing_is_left_out_and_the_seed_is_zero() -> None:
    assert not any(Holdout().leaves_out(f"t-{n}", "a") for n in range(50))
    assert Holdout(0.5) == Holdout(0.5, seed=0)


def test_an_answer_does_without_what_the_draw_leaves_out_and_its_trace_says_so(
    tmp_path: Path,
) -> None:
    with words_lab(tmp_path, holdout=0.5) as lab:
        zok, blim = make_patch("zok", "red"), make_patch("blim", "green")
        for patch in (zok, blim):
            lab.store.patches.upsert(patch)
        traces = [lab.agent.answer("zok blim", trace_id=f"t-{n}") for n in range(40)]
        again = [lab.agent.answer("zok blim", trace_id=f"t-{n}") for n in range(40)]
    assert [trace.retrieved for trace in traces] == [trace.retrieved for trace in again]
    assert len({trace.held_out for trace in traces}) == 4
    for trace in traces:
        assert trace.holdout == 0.5
        assert {*trace.applied, *trace.held_out} == {zok.id, blim.id}
        assert not set(trace.applied) & set(trace.held_out)
        assert trace.output is not None
        assert (trace.output["zok"] == "red") == (zok.id in trace.applied)
        assert (trace.output["blim"] == "green") == (blim.id in trace.applied)
        assert Trace.model_validate_json(trace.model_dump_json()) == trace


def test_a_lesson_that_is_left_out_makes_room_for_the_next(tmp_path: Path) -> None:
    with words_lab(tmp_path, top_k=1, holdout=0.5) as lab:
        for word in ("zok", "blim"):
            lab.store.patches.upsert(make_patch(word))
        traces = [lab.agent.answer("zok blim", trace_id=f"t-{n}") for n in range(20)]
    without = [trace for trace in traces if trace.held_out]
    assert 0 < len(without) < len(traces)
    assert all(len(trace.applied) == 1 for trace in traces)


def test_an_answer_with_an_id_of_its_own_draws_by_it(tmp_path: Path) -> None:
    with words_lab(tmp_path, holdout=0.5) as lab:
        zok = make_patch("zok", "red")
        lab.store.patches.upsert(zok)
        traces = [lab.agent.answer("a zok") for _ in range(20)]
    for trace in traces:
        assert Holdout(0.5, 7).leaves_out(trace.id, zok.id) == (zok.id in trace.held_out)
    assert len({trace.held_out for trace in traces}) == 2


def test_what_only_looks_alike_is_not_drawn(tmp_path: Path) -> None:
    with words_lab(tmp_path, holdout=0.9) as lab:
        lab.store.patches.upsert(make_patch("zok"))
        traces = [lab.agent.answer("a blim") for _ in range(10)]
    assert {trace.held_out for trace in traces} == {()}


def test_without_a_holdout_nothing_is_left_out(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        lab.store.patches.upsert(make_patch("zok"))
        traces = [lab.agent.answer("a zok") for _ in range(20)]
    assert {(len(trace.applied), trace.held_out, trace.holdout) for trace in traces} == {(1, (), 0)}


def test_a_trace_from_before_there_was_a_holdout_reads_as_one_without(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        lab.store.patches.upsert(make_patch("zok"))
        trace = lab.agent.answer("a zok")
    older = trace.model_dump(mode="json")
    del older["holdout"]
    for ref in older["retrieved"]:
        del ref["held_out"]
    assert Trace.model_validate(older) == trace


def test_golden_cases_are_answered_with_every_lesson(tmp_path: Path) -> None:
    backend = Reader()
    cases = [case(f"{n} zok") for n in ("one", "two", "six", "ten")]
    with words_lab(tmp_path, backend, holdout=0.9) as lab:
        lab.store.patches.upsert(make_patch("zok", "red"))
        runner = Runner(lab, RunSettings(golden=3), cases=cases)
        traces: list[Trace] = []
        runner.on_trace = lambda trace, number: traces.append(trace)
        report = runner.run()
    assert any(trace.held_out for trace in traces)
    assert report.golden is not None
    assert report.golden.covered.cases > 0
    assert report.golden.covered.patched == report.golden.covered.ceiling


def test_the_gate_asks_with_every_lesson(tmp_path: Path) -> None:
    backend = Reader(varies=True)
    with words_lab(tmp_path, backend, holdout=0.9) as lab:
        lab.store.patches.upsert(make_patch("zok", "red"))
        blim = make_patch("blim", "green").with_failing("zok blim")
        report = lab.gate.examine(Candidate(blim, WordsReferee())).report
    assert report.codes == ("mends",)
    assert len(backend.prompts) > 6
    assert all('"zok" means' in prompt.user for prompt in backend.prompts)


# What feedback makes of it


class Uses:
    """Judged uses of one active patch, whose draws are chosen."""

    def __init__(self, lab: Lab, patch: Patch) -> None:
        self.lab = lab
        self.id = patch.id
        self.count = 0
        lab.store.patches.upsert(patch)

    @property
    def patch(self) -> Patch:
        found = self.lab.store.patches.get(self.id)
        assert found is not None
        return found

    def use(self, arm: str, feedback: Feedback) -> list[str]:
        """One use, `in` or `out` of the answer; the kinds of what it led to."""
        while True:
            self.count += 1
            request = f"zok {self.count}"
            trace = self.lab.agent.answer(request, trace_id=f"t-{self.count}")
            if (self.id in trace.held_out) == (arm == "out"):
                break
        return [
            event.kind for event in self.lab.learn(trace, feedback).events if event.kind != "none"
        ]


def on_trial(word: str, meaning: str) -> Patch:
    return make_patch(word, meaning).model_copy(update={"record": Record(outcomes="+")})


def test_uses_with_a_lesson_and_without_it_prove_it(tmp_path: Path) -> None:
    with words_lab(tmp_path, holdout=0.5) as lab:
        uses = Uses(lab, on_trial("zok", "red"))
        for _ in range(4):
            assert uses.use("out", WRONG) == []
            assert uses.use("in", OK) == []
        assert uses.patch.record.pairs.signs == "++++"
        assert uses.use("in", OK) == []
        assert uses.use("out", WRONG) == ["proven"]
        patch = uses.patch
    assert patch.record.standing is Standing.PROVEN
    assert "5 are right only with it and 0 only without it" in patch.history[-1].cause
    # The requests that it was let in on stay what they were.
    assert patch.record.outcomes == "+"


def test_uses_convict_a_lesson_that_does_harm_though_no_single_one_is_checked(
    tmp_path: Path,
) -> None:
    backend = Reader()
    with words_lab(tmp_path, backend, holdout=0.5) as lab:
        uses = Uses(lab, on_trial("zok", "grey"))
        for _ in range(4):
            uses.use("out", OK)
            assert uses.use("in", WRONG) == []
        uses.use("out", OK)
        before = len([prompt for prompt in backend.prompts if prompt.purpose == "gate"])
        assert uses.use("in", WRONG) == ["convicted"]
        assert before == 0
        patch = uses.patch
    assert patch.status is Status.QUARANTINED
    assert patch.record == Record(pairs=patch.record.pairs)
    assert (patch.record.pairs.gained, patch.record.pairs.lost) == (0, 5)
    assert "0 are right only with it and 5 only without it" in patch.history[-1].cause
    # The last request is not known to be its doing.
    assert all(test.role is not Role.SPOILED for test in patch.tests)


def test_a_lesson_that_comes_back_gets_no_second_trial_on_the_same_pairs(tmp_path: Path) -> None:
    with words_lab(tmp_path, holdout=0.5) as lab:
        uses = Uses(lab, on_trial("zok", "grey"))
        for _ in range(5):
            uses.use("out", OK)
            uses.use("in", WRONG)
        assert uses.patch.status is Status.QUARANTINED
        lab.lifecycle.enable(uses.patch)
        uses.use("out", OK)
        assert uses.use("in", WRONG) == ["convicted"]


def test_a_convicted_lesson_s_rival_comes_before_the_gate_again(tmp_path: Path) -> None:
    with words_lab(tmp_path, holdout=0.5) as lab:
        uses = Uses(lab, on_trial("zok", "grey"))
        rival = make_patch("zok", "red").with_failing("a zok")
        beaten = rival.moved(Status.RETIRED, f"superseded by {uses.id}", "t", "2026")
        lab.store.patches.upsert(beaten)
        kinds: list[str] = []
        while "convicted" not in kinds:
            uses.use("out", OK)
            kinds = uses.use("in", WRONG)
        # Nobody can judge its failing request again, so it stays out.
        assert kinds == ["convicted", "regated"]


def test_a_use_counts_for_none_but_the_lesson_that_was_left_out(tmp_path: Path) -> None:
    with words_lab(tmp_path, holdout=0.5) as lab:
        zok, blim = on_trial("zok", "red"), on_trial("blim", "green")
        for patch in (zok, blim):
            lab.store.patches.upsert(patch)
        traces = (lab.agent.answer("zok blim", trace_id=f"t-{n}") for n in range(100))
        by_arm = {trace.held_out: trace for trace in traces}
        assert len(by_arm) == 4

        def counted(trace: Trace) -> tuple[bool, bool]:
            before = [lab.store.patches.get(each.id) for each in (zok, blim)]
            lab.learner.learn(trace, OK)
            after = [lab.store.patches.get(each.id) for each in (zok, blim)]
            for patch in (zok, blim):
                lab.store.patches.upsert(patch)
            one, other = (a != b for a, b in zip(before, after, strict=True))
            return one, other

        assert counted(by_arm[()]) == (True, True)
        assert counted(by_arm[zok.id,]) == (True, False)
        assert counted(by_arm[blim.id,]) == (False, True)
        both = next(trace for out, trace in by_arm.items() if len(out) == 2)
        assert counted(both) == (False, False)


def test_a_lesson_that_left_meanwhile_is_not_counted(tmp_path: Path) -> None:
    with words_lab(tmp_path, holdout=0.5) as lab:
        uses = Uses(lab, on_trial("zok", "red"))
        trace = lab.agent.answer("a zok")
        lab.lifecycle.disable(uses.patch)
        lab.learn(trace, OK)
        assert uses.patch.record.pairs == Pairs()


def test_a_request_that_is_judged_twice_counts_once(tmp_path: Path) -> None:
    with words_lab(tmp_path, holdout=0.5) as lab:
        uses = Uses(lab, on_trial("zok", "red"))
        trace = lab.agent.answer("a zok")
        lab.learn(trace, OK)
        first = uses.patch
        lab.learn(trace, WRONG)
        assert uses.patch == first


def test_under_a_holdout_the_baseline_has_no_say(tmp_path: Path) -> None:
    with words_lab(tmp_path, holdout=0.5) as lab:
        uses = Uses(lab, on_trial("zok", "red"))
        trace = lab.agent.answer("a zok")
        compared = Judged(attempt=trace.attempt, feedback=WRONG)
        lab.learner.learn(trace.model_copy(update={"baseline": compared}), OK, WordsReferee())
        record = uses.patch.record
    assert record.outcomes == "+"
    assert isinstance(record.pairs.waiting, Use)


@pytest.mark.parametrize("trigger", ["zok", "a zok"])
def test_a_failure_without_a_lesson_does_not_teach_it_again(tmp_path: Path, trigger: str) -> None:
    backend = Reader()
    red = Feedback(label="word_unknown", field="zok", detail="red")
    with words_lab(tmp_path, backend, holdout=0.5) as lab:
        patch = make_patch("zok", "red", trigger=trigger)
        lab.store.patches.upsert(patch)
        traces = (lab.agent.answer("a zok", trace_id=f"t-{n}") for n in range(50))
        trace = next(each for each in traces if each.held_out)
        calls = len(backend.prompts)
        (event,) = lab.learner.learn(trace, red, WordsReferee()).events
        stored = list(lab.store.patches.all())
        assert len(backend.prompts) == calls
    assert (event.kind, event.patch_id) == ("active_already", patch.id)
    assert event.text == "an active patch says so already; it was held out of this answer"
    assert [each.id for each in stored] == [patch.id]
    assert stored[0].failing == patch.failing
    assert stored[0].recurrences == 0


def test_another_lesson_is_learned_from_an_answer_that_did_without_one(tmp_path: Path) -> None:
    with words_lab(tmp_path, holdout=0.5) as lab:
        lab.store.patches.upsert(make_patch("zok", "red"))
        traces = (lab.agent.answer("zok blim", trace_id=f"t-{n}") for n in range(50))
        trace = next(each for each in traces if each.held_out)
        green = Feedback(label="word_unknown", field="blim", detail="green")
        events = lab.learner.learn(trace, green, WordsReferee()).events
    assert [(event.kind, event.trigger) for event in events] == [("activated", "blim")]


# In the long run


def lives(lab: Lab, patch: Patch, right: Callable[[bool], float], uses: int) -> tuple[int, Patch]:
    """Uses of a patch until its standing changes; `right` gives the chance of a right answer."""
    rng, now = random.Random(5), patch
    lab.store.patches.upsert(patch)
    for number in range(1, uses + 1):
        trace = lab.agent.answer(f"zok {number}", trace_id=f"t-{number}")
        judged = OK if rng.random() < right(patch.id in trace.applied) else WRONG
        lab.learner.learn(trace, judged)
        stored = lab.store.patches.get(patch.id)
        assert stored is not None
        now = stored
        if now.history != patch.history:
            return number, now
    return uses, now


def test_where_nobody_runs_a_baseline_a_true_lesson_is_proven(tmp_path: Path) -> None:
    with words_lab(tmp_path, holdout=0.2) as lab:
        number, patch = lives(lab, on_trial("zok", "red"), lambda applied: 0.9 * applied, 150)
    assert patch.standing is Standing.PROVEN
    assert number < 100


def test_where_nobody_runs_a_baseline_a_false_lesson_is_convicted(tmp_path: Path) -> None:
    with words_lab(tmp_path, holdout=0.2) as lab:
        chance = {True: 0.1, False: 0.9}
        number, patch = lives(lab, on_trial("zok", "grey"), lambda applied: chance[applied], 150)
    assert patch.status is Status.QUARANTINED
    assert number < 120


def test_a_simulator_that_gets_better_does_not_prove_a_lesson_without_effect() -> None:
    # Were a use held out always paired with a later one, every lesson would look good here.
    rng = random.Random(3)
    gained = lost = 0
    for _ in range(300):
        pairs = Pairs()
        for number in range(60):
            out, right = rng.random() < 0.3, rng.random() < number / 60
            use = Use(request=str(number), held_out=out, score=float(right), share=0.3)
            pairs = pairs.with_use(use)
        gained, lost = gained + pairs.gained, lost + pairs.lost
    assert abs(gained - lost) < 3 * (gained + lost) ** 0.5


def test_a_run_is_the_same_again_and_another_seed_holds_out_others(tmp_path: Path) -> None:
    def held_out(name: str, seed: int) -> list[int]:
        with words_lab(tmp_path / name, holdout=0.3, seed=seed) as lab:
            lab.store.patches.upsert(make_patch("zok", "red"))
            stream = [case(f"zok {n}") for n in range(40)]
            loop = Loop(
                lab.evaluator,
                lab.learner,
                lab.store.traces,
                SimulatedReferee(WordsSimulator()),
                window=4,
            )
            return [trace.index for trace in loop.run(stream, "run-0001") if trace.held_out]

    first = held_out("a", 1)
    assert 4 <= len(first) <= 20
    assert held_out("b", 1) == first
    assert held_out("c", 2) != first
