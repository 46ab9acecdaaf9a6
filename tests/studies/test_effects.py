"""Leaving out one patch at a time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from patchlab_agent.errors import BackendUnavailable
from patchlab_agent.lab.lab import Lab
from patchlab_agent.lab.opening import open_lab
from patchlab_agent.models.base import JsonObject, Output
from patchlab_agent.models.effect import Effect, EffectReport, PatchEffect
from patchlab_agent.models.patch import Patch, Status
from patchlab_agent.models.prompt import Completion, Prompt
from patchlab_agent.models.trace import OK, Trace
from patchlab_agent.runs.evaluation import stratified
from patchlab_agent.runs.runner import Runner
from patchlab_agent.settings import RunSettings
from patchlab_agent.studies.effects import (
    LeaveOneOut,
    Order,
    counted,
    effect_of,
    golden_probes,
    says_the_same,
    taken_output,
    trace_probes,
    with_p_values,
)
from tests.support.make import WRONG, Nearest, make_patch, make_trace
from tests.support.words_skill import Reader, WordFix, WordsSimulator, words_lab

GOLDEN = ("salt only", "zok only", "blim tarn only")
RED = WordFix(word="zok", meaning="red")


class Led(Reader):
    """Does what the words of the examples that it is shown make it do."""

    def complete(self, prompt: Prompt) -> Completion:
        told = super().complete(prompt)
        answer: JsonObject = json.loads(told.text)
        shown = " ".join(message.content for message in prompt.messages[1:-1])
        if "salt" in answer and " bad " in shown:
            answer["salt"] = None
        if "zok" in answer and " hint " in shown:
            answer["zok"] = "red"
        return told.model_copy(update={"text": json.dumps(answer)})


def store_patches(lab: Lab, *patches: Patch) -> None:
    for patch in patches:
        lab.store.patches.upsert(patch)


def measured(lab: Lab, *, golden: int = 3, traces: int = 0, order: Order = "net") -> EffectReport:
    active = list(lab.store.patches.all(Status.ACTIVE))
    return LeaveOneOut(lab, active).report(golden, traces, order)


def by_trigger(report: EffectReport) -> dict[str, PatchEffect]:
    return {effect.trigger: effect for effect in report.patches}


def answered(lab: Lab, request: str, trace_id: str = "t-0000001", draw: str = "d") -> Trace:
    """A trace of what the lab answers now, which the carrier took."""
    trace = lab.agent.answer(request, draw=draw, trace_id=trace_id, run="run-0001")
    return trace.model_copy(update={"feedback": OK})


def test_a_patch_saves_what_is_right_only_with_it(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        store_patches(lab, make_patch("zok", "red"), make_patch("blim", "green"))
        found = by_trigger(measured(lab))
    assert found["zok"].golden == Effect(cases=1, saves=1, spoils=0)
    # Without what tarn means, the case with blim is wrong either way.
    assert found["blim"].golden == Effect(cases=1, saves=0, spoils=0)
    assert (found["zok"].net, found["zok"].p_value) == (1, 1.0)
    assert (found["blim"].net, found["blim"].p_value) == (0, None)


def test_p_values_are_of_golden_cases_alone_and_adjusted_for_how_many_there_are() -> None:
    def effect(name: str, saves: int, spoils: int, traced: int) -> PatchEffect:
        golden = [(0, 1)] * saves + [(1, 0)] * spoils + [(1, 1)]
        return effect_of(make_patch(name), counted(golden), counted([(0, 1)] * traced))

    unused = effect_of(make_patch("quil"), counted([]), counted([(0, 1)] * 9))
    effects = [effect("zok", 8, 0, 0), effect("blim", 5, 0, 90), effect("tarn", 0, 0, 9), unused]
    assert [effect.net for effect in effects] == [8, 95, 9, 9]
    # Each alone: 2 / 2**8 and 2 / 2**5. Two of three that were tested are as good or better.
    raw = [2 / 2**8, 2 / 2**5]
    found = [effect.p_value for effect in with_p_values(effects)]
    assert found == [pytest.approx(raw[0] * 3), pytest.approx(raw[1] * 3 / 2), None, None]


def test_patches_that_need_each_other_each_save_the_case(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        store_patches(lab, make_patch("tarn", "blue"), make_patch("blim", "green"))
        found = by_trigger(measured(lab))
    assert [found[word].golden.saves for word in ("blim", "tarn")] == [1, 1]


def test_two_patches_that_do_the_same_job_each_look_useless(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        store_patches(
            lab, make_patch("zok", fix=RED), make_patch("zok", trigger="zok only", fix=RED)
        )
        report = measured(lab)
    assert [(effect.cases, effect.net) for effect in report.patches] == [(1, 0), (1, 0)]


def test_a_patch_spoils_what_is_wrong_only_with_it(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        store_patches(lab, make_patch("salt", "grey"), make_patch("zok", "red"))
        report = measured(lab)
    assert by_trigger(report)["salt"].golden == Effect(cases=1, saves=0, spoils=1)
    assert [(effect.trigger, effect.net) for effect in report.patches] == [("zok", 1), ("salt", -1)]


@pytest.mark.parametrize(
    ("order", "triggers"),
    [
        ("net", ["blim", "tarn", "zok", "quil", "salt"]),
        ("saves", ["blim", "tarn", "zok", "quil", "salt"]),
        ("spoils", ["salt", "blim", "quil", "tarn", "zok"]),
    ],
)
def test_patches_are_sorted_by_a_figure_then_by_trigger(
    tmp_path: Path, order: Order, triggers: list[str]
) -> None:
    meanings = {"zok": "red", "quil": "black", "salt": "grey", "tarn": "blue", "blim": "green"}
    with words_lab(tmp_path) as lab:
        store_patches(lab, *(make_patch(*pair) for pair in meanings.items()))
        report = measured(lab, order=order)
    assert [effect.trigger for effect in report.patches] == triggers


def test_each_pair_costs_one_call_and_the_whole_is_asked_once(tmp_path: Path) -> None:
    backend = Reader()
    with words_lab(tmp_path, backend) as lab:
        store_patches(lab, make_patch("tarn", "blue"), make_patch("blim", "green"))
        report = measured(lab)
        booked = {purpose: spent.calls for purpose, spent in lab.meter.spent.items()}
    # One golden case is touched: all patches, without tarn, without blim.
    assert len(backend.prompts) == report.calls == 3
    assert booked == {"effect": 3}
    assert report.full_calls == 2 * 3


def test_answers_that_a_run_has_asked_for_cost_nothing(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        store_patches(lab, make_patch("zok", "red"))
        Runner(lab, RunSettings(runs=1, golden=3), cases=[]).run()
        report = measured(lab)
    # The baseline is the answer without the only patch.
    assert report.calls == 0
    assert by_trigger(report)["zok"].golden.saves == 1


def test_only_the_chosen_patches_are_left_out(tmp_path: Path) -> None:
    backend = Reader()
    with words_lab(tmp_path, backend) as lab:
        blim = make_patch("blim", "green")
        store_patches(lab, make_patch("tarn", "blue"), make_patch("zok", "red"), blim)
        report = LeaveOneOut(lab, [blim]).report(3, 0)
    assert [effect.id for effect in report.patches] == [blim.id]
    assert (report.calls, report.full_calls) == (2, 3)


def test_a_patch_that_applies_nowhere_is_said_to(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        store_patches(lab, make_patch("quil", "black"))
        [effect] = measured(lab).patches
    assert (effect.cases, effect.net, effect.p_value) == (0, 0, None)


def test_the_place_of_a_patch_left_out_is_taken_by_the_next(tmp_path: Path) -> None:
    backend = Reader()
    with words_lab(tmp_path, backend, top_k=1) as lab:
        store_patches(lab, make_patch("tarn", "blue"), make_patch("blim", "green"))
        measured(lab)
    told = [("means" in p.user, "green" in p.user, "blue" in p.user) for p in backend.prompts]
    assert sorted(told) == [(True, False, True), (True, True, False)]


def test_traces_are_judged_by_the_answer_that_the_carrier_took(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        store_patches(lab, make_patch("zok", "red"), make_patch("quil", "black"))
        for number, request in enumerate(("a zok", "zok quil", "salt")):
            lab.store.traces.add(answered(lab, request, f"t-000000{number}"))
        lab.store.traces.flush()
        report = measured(lab, golden=0, traces=9)
    found = by_trigger(report)
    assert (report.golden_cases, report.traces, report.traces_unknown) == (0, 3, 0)
    assert found["zok"].traces == Effect(cases=2, saves=2, spoils=0)
    assert found["quil"].traces == Effect(cases=1, saves=1, spoils=0)
    assert found["zok"].golden == Effect(cases=0, saves=0, spoils=0)


def test_only_the_latest_traces_count_and_those_nobody_was_right_on_are_left_out(
    tmp_path: Path,
) -> None:
    with words_lab(tmp_path) as lab:
        store_patches(lab, make_patch("zok", "red"))
        for number in range(4):
            trace = answered(lab, f"zok number {number}", f"t-000000{number}")
            judged = {"feedback": WRONG} if number == 2 else {}
            lab.store.traces.add(trace.model_copy(update=judged))
        lab.store.traces.flush()
        report = measured(lab, golden=0, traces=3)
    assert (report.traces, report.traces_unknown) == (2, 1)
    assert report.patches[0].traces.cases == 2


def test_both_answers_to_a_trace_have_the_noise_of_its_draw(tmp_path: Path) -> None:
    def forgets(request: str, draw: str, answer: JsonObject) -> None:
        if draw == "bad":
            answer["a"] = "noise"

    backend = Reader(disturb=forgets, varies=True)
    with words_lab(tmp_path, backend) as lab:
        store_patches(lab, make_patch("zok", "red"))
        lab.store.traces.add(answered(lab, "a zok", draw="bad"))
        lab.store.traces.flush()
        report = measured(lab, golden=0, traces=1)
    # A quote under other noise would not say the same, and the patch would look useless.
    assert report.patches[0].traces == Effect(cases=1, saves=1, spoils=0)
    assert {prompt.draw for prompt in backend.prompts} == {"bad"}


def test_a_trace_does_not_show_its_own_answer(tmp_path: Path) -> None:
    backend = Reader()
    with words_lab(tmp_path, backend, examples=3) as lab:
        store_patches(lab, make_patch("zok", "red"))
        lab.agent.examples = Nearest(lab.store.examples)
        for number, request in enumerate(("a zok", "one zok")):
            lab.store.traces.add(answered(lab, request, f"t-000000{number}"))
        lab.store.traces.flush()
        backend.prompts.clear()
        measured(lab, golden=0, traces=2)
    for prompt in backend.prompts:
        asked, *shown = (m.content for m in reversed(prompt.messages) if m.role == "user")
        # Both answers to it have the one example that is another request's.
        assert len(shown) == 1
        assert ("a zok" in asked) == ("one zok" in shown[0])


def led(lab: Lab) -> None:
    """Two examples, which go with every request."""
    for trace_id, word in (("t-0000001", "bad"), ("t-0000002", "hint")):
        lab.store.traces.add(make_trace(trace_id, f"a {word} number", answer={"number": None}))
    lab.store.traces.flush()
    lab.agent.examples = Nearest(lab.store.examples)


def measured_with_examples(lab: Lab, golden: int = 3, traces: int = 0) -> EffectReport:
    active = list(lab.store.patches.all(Status.ACTIVE))
    return LeaveOneOut(lab, active, examples=True).report(golden, traces)


def test_an_example_saves_or_spoils_what_is_right_or_wrong_only_with_it(tmp_path: Path) -> None:
    with words_lab(tmp_path, Led(), examples=2) as lab:
        led(lab)
        report = measured_with_examples(lab)
    hint, bad = report.examples
    assert (hint.id, hint.request) == ("t-0000002", "a hint number")
    # A hint tells what zok is, and a bad one makes salt forgotten.
    assert hint.golden == Effect(cases=3, saves=1, spoils=0)
    assert bad.golden == Effect(cases=3, saves=0, spoils=1)
    assert [(each.net, each.uses) for each in (hint, bad)] == [(1, 3), (-1, 3)]
    assert report.patches == ()


def test_an_example_left_out_leaves_all_else_as_it_is(tmp_path: Path) -> None:
    backend = Led()
    with words_lab(tmp_path, backend, examples=2) as lab:
        led(lab)
        lab.store.traces.add(make_trace("t-0000003", "far off", answer={"off": None}))
        lab.store.traces.flush()
        store_patches(lab, make_patch("zok", "red"))
        report = measured_with_examples(lab)
    # Per case the whole, and each of two examples left out; one case without its patch as well.
    assert report.calls == len(backend.prompts) == 3 * 3 + 1
    shown = sorted(len(prompt.messages) for prompt in backend.prompts)
    assert shown == [4] * 6 + [6] * 4
    assert report.full_calls == (1 + len(report.examples)) * 3
    assert by_trigger(report)["zok"].cases == 1


def test_examples_are_left_out_only_where_that_is_asked_for(tmp_path: Path) -> None:
    with words_lab(tmp_path, Led(), examples=2) as lab:
        led(lab)
        store_patches(lab, make_patch("zok", "red"))
        assert measured(lab).examples == ()
        assert measured(lab).full_calls == 3
    with words_lab(tmp_path, Led(), examples=0) as lab:
        assert measured_with_examples(lab).examples == ()


def test_traces_tell_of_examples_too(tmp_path: Path) -> None:
    # One of the three that it shows would be its own answer.
    with words_lab(tmp_path, Led(), examples=3) as lab:
        led(lab)
        lab.store.traces.add(answered(lab, "one salt", "t-0000009"))
        lab.store.traces.flush()
        report = measured_with_examples(lab, golden=0, traces=1)
    assert {each.id: each.traces.cases for each in report.examples} == {
        "t-0000001": 1,
        "t-0000002": 1,
    }


def test_nothing_is_stored(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        store_patches(lab, make_patch("zok", "red"))
        lab.store.traces.add(answered(lab, "a zok"))
        lab.store.traces.flush()
        before = [*lab.store.patches.all(), *lab.store.traces.newest(9)]
        measured(lab, traces=9)
        assert [*lab.store.patches.all(), *lab.store.traces.newest(9)] == before


def test_a_failure_of_the_models_side_comes_through(tmp_path: Path) -> None:
    with words_lab(tmp_path, Reader(outage_at=1)) as lab:
        store_patches(lab, make_patch("tarn", "blue"), make_patch("zok", "red"))
        with pytest.raises(BackendUnavailable, match="call again later"):
            measured(lab)


def test_the_listener_is_told_how_far_it_is(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    with words_lab(tmp_path) as lab:
        store_patches(lab, make_patch("zok", "red"))
        active = list(lab.store.patches.all(Status.ACTIVE))
        LeaveOneOut(lab, active, lambda done, total: told.append((done, total))).report(3, 0)
    assert told == [(2, 2)]


def test_golden_cases_are_those_of_a_run_under_its_noise(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        probes = golden_probes(lab.skill.simulator, 2)
        chosen = stratified(lab.skill.simulator.golden(), 2)
    assert [probe.request for probe in probes] == [case.request for case in chosen]
    assert {probe.draw for probe in probes} == {"golden"}
    assert [probe.score({"salt": "white"}) for probe in probes] == [1.0, 0.0]


@pytest.mark.parametrize(
    ("patched", "baseline", "ceiling", "taken"),
    [
        (OK, OK, OK, "patched"),
        (WRONG, OK, OK, "baseline"),
        (WRONG, WRONG, OK, "ceiling"),
        (WRONG, WRONG, WRONG, None),
        (None, None, None, None),
    ],
)
def test_the_first_right_answer_of_a_trace_is_the_reference(
    patched: object, baseline: object, ceiling: object, taken: str | None
) -> None:
    trace = make_trace(feedback=patched, baseline=baseline, ceiling=ceiling)  # type: ignore[arg-type]
    named: dict[str, object] = {"attempt": _quoting(trace, "patched")}
    for name in ("baseline", "ceiling"):
        if (judged := getattr(trace, name)) is not None:
            named[name] = judged.model_copy(update={"attempt": _quoting(trace, name)})
    quote = taken_output(trace.model_copy(update=named))
    assert quote == (None if taken is None else {"from": taken})
    probes = trace_probes([trace], WordsSimulator())
    assert len(probes) == (taken is not None)


def _quoting(trace: Trace, name: str) -> object:
    return trace.attempt.model_copy(update={"output": {"from": name}})


@pytest.mark.parametrize(
    ("right", "quote", "same"),
    [
        ({"kg": 2.0, "item": "Tea"}, {"kg": 2.01, "item": "tea"}, True),
        ({"kg": 2.0}, {"kg": 2.5}, False),
        ({"declared": ["a", "b"]}, {"declared": ["b", "a"]}, True),
        ({"declared": ["a"]}, {"declared": ["a", "b"]}, False),
        ({"declared": ["a", "b"]}, {"declared": ["a"]}, False),
        ({"kg": 2.0}, {"kg": 2.0, "refusal": "overweight"}, False),
        ({"kg": 2.0, "refusal": "overweight"}, {"kg": 2.0}, False),
        ({"kg": 2.0, "refusal": None}, {"kg": 2.0}, True),
        ({"kg": 2.0}, None, False),
    ],
)
def test_quotes_say_the_same_if_every_field_agrees_both_ways(
    right: Output, quote: Output | None, same: bool
) -> None:
    assert says_the_same(right, quote) is same


def test_it_takes_a_small_part_of_a_full_rerun_and_can_be_repeated(tmp_path: Path) -> None:
    with open_lab(store=tmp_path) as lab:
        Runner(lab, RunSettings(store=tmp_path, runs=120, golden=0)).run()
    with open_lab(store=tmp_path) as lab:
        report = measured(lab, golden=40, traces=40)
    with open_lab(store=tmp_path) as lab:
        assert measured(lab, golden=40, traces=40) == report
    assert len(report.patches) > 25
    assert sum(effect.saves for effect in report.patches) > 10
    assert 0 < report.calls < 0.1 * report.full_calls
