"""One case answered three ways, and the choice of a balanced sample."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patchlab_agent.agent.agent import Ask, or_raise
from patchlab_agent.errors import BackendError, BackendUnavailable, Interruption, SkillError
from patchlab_agent.lab.lab import Lab
from patchlab_agent.models.base import JsonObject, Output
from patchlab_agent.models.case import Case
from patchlab_agent.models.prompt import Completion, Prompt
from patchlab_agent.models.trace import Feedback, Trace
from patchlab_agent.runs.evaluation import Evaluator, stratified
from patchlab_agent.skill.seam import Simulator
from tests.support.make import make_patch
from tests.support.words_skill import Reader, WordsSimulator, case, words_lab

STRATA = st.lists(st.sampled_from("aaaabbc"), max_size=60)


def compared(lab: Lab, case: Case, *, draw: str, trace_id: str, run: str, index: int) -> Trace:
    """One case alone; an error that stands in its place is raised."""
    ask = Ask(case.request, draw=draw, trace_id=trace_id, index=index)
    [found] = lab.evaluator.compare([case], [ask], run=run)
    return or_raise(found)


def cases(strata: list[str]) -> list[Case]:
    return [Case(request=f"r{n}", truth={}, stratum=name) for n, name in enumerate(strata)]


def test_a_case_is_answered_three_ways_under_one_draw(tmp_path: Path) -> None:
    backend = Reader()
    with words_lab(tmp_path, backend) as lab:
        lab.store.patches.upsert(make_patch("zok", "red"))
        trace = compared(lab, case("zok blim"), draw="d", trace_id="t-1", run="run-0001", index=4)
        booked = {purpose: spent.calls for purpose, spent in lab.meter.spent.items()}
    assert trace.baseline is not None
    assert trace.ceiling is not None
    assert trace.output == {"zok": "red", "blim": None, "length": 2}
    assert trace.baseline.attempt.output == {"zok": None, "blim": None, "length": 2}
    assert trace.ceiling.attempt.output == {"zok": "red", "blim": "green", "length": 2}
    blim = Feedback(label="word_unknown", field="blim", detail="green")
    assert trace.feedback == blim
    assert trace.baseline.feedback == Feedback(label="word_unknown", field="zok", detail="red")
    assert trace.ceiling.feedback.ok
    assert (trace.id, trace.run, trace.index) == ("t-1", "run-0001", 4)
    assert {prompt.draw for prompt in backend.prompts} == {"d"}
    assert len({prompt.system for prompt in backend.prompts}) == 1
    assert booked == {"patched": 1, "baseline": 1, "ceiling": 1}


def test_where_nothing_is_learned_the_baseline_costs_no_call(tmp_path: Path) -> None:
    backend = Reader()
    with words_lab(tmp_path, backend) as lab:
        trace = compared(lab, case("quil"), draw="d", trace_id="t", run="r", index=0)
        hits = lab.meter.spent["baseline"].cache_hits
    assert trace.baseline is not None
    assert trace.baseline.attempt.output == trace.output
    assert (len(backend.prompts), hits) == (2, 1)


def test_where_nothing_is_untaught_the_ceiling_costs_no_call(tmp_path: Path) -> None:
    backend = Reader()
    with words_lab(tmp_path, backend) as lab:
        trace = compared(lab, case("salt"), draw="d", trace_id="t", run="r", index=0)
        booked = {name: (spent.calls, spent.cache_hits) for name, spent in lab.meter.spent.items()}
    assert trace.baseline is not None
    assert trace.ceiling is not None
    # The rule for salt stands in the prompt from the start; it is not said twice.
    assert trace.ceiling.attempt.user_prompt == trace.baseline.attempt.user_prompt
    assert trace.ceiling.feedback.ok
    assert booked == {"patched": (1, 0), "baseline": (0, 1), "ceiling": (0, 1)}


def test_where_all_is_learned_the_ceiling_costs_no_call(tmp_path: Path) -> None:
    backend = Reader()
    with words_lab(tmp_path, backend) as lab:
        for word, meaning in (("zok", "red"), ("blim", "green")):
            lab.store.patches.upsert(make_patch(word, meaning))
        trace = compared(lab, case("zok blim"), draw="d", trace_id="t", run="r", index=0)
        hits = lab.meter.spent["ceiling"].cache_hits
    assert trace.ceiling is not None
    assert trace.ceiling.attempt.user_prompt == trace.attempt.user_prompt
    assert (len(backend.prompts), hits) == (2, 1)


def test_cases_beside_each_other_are_compared_as_one_after_the_other(tmp_path: Path) -> None:
    cases = [case("zok"), case("salt"), case("zok blim")]
    asks = [Ask(each.request, draw=f"d{n}", trace_id=f"t-{n}") for n, each in enumerate(cases)]
    with words_lab(tmp_path) as lab:
        lab.store.patches.upsert(make_patch("zok", "red"))
        together = lab.evaluator.compare(cases, asks, run="r")
    with words_lab(tmp_path / "again") as lab:
        lab.store.patches.upsert(make_patch("zok", "red"))
        alone = [
            compared(lab, each, draw=ask.draw, trace_id=ask.trace_id or "", run="r", index=0)
            for each, ask in zip(cases, asks, strict=True)
        ]
    assert [trace.ok for trace in alone] == [True, True, False]
    assert [without_usage(trace) for trace in together] == list(map(without_usage, alone))


def without_usage(trace: Trace | Interruption) -> dict[str, Any]:
    assert isinstance(trace, Trace)
    data = trace.model_dump(mode="json", exclude={"attempt": {"usage"}})
    for name in ("baseline", "ceiling"):
        del data[name]["attempt"]["usage"]
    return data


def test_a_failure_in_any_of_the_three_takes_the_place_of_that_case_alone(tmp_path: Path) -> None:
    # Only the ceiling's prompt for the second case holds a rule, so only that one is refused.
    def refuse(request: str, draw: str, answer: JsonObject) -> None:
        if answer.get("blim") == "green":
            raise BackendError("refused")

    cases = [case("zok"), case("blim"), case("salt")]
    with words_lab(tmp_path, Reader(refuse)) as lab:
        asks = [Ask(each.request) for each in cases]
        one, two, six = lab.evaluator.compare(cases, asks, run="r")
    assert isinstance(one, Trace)
    assert isinstance(two, BackendError)
    assert isinstance(six, Trace)


def test_an_answer_of_no_use_is_judged_as_such(tmp_path: Path) -> None:
    class Mumbling(Reader):
        def complete(self, prompt: Prompt) -> Completion:
            return Completion(text="hm")

    with words_lab(tmp_path, Mumbling()) as lab:
        trace = compared(lab, case("zok"), draw="d", trace_id="t", run="r", index=0)
    assert trace.feedback == Feedback(label="invalid_response")


@pytest.mark.parametrize("calls", [0, 1, 2])
def test_an_outage_at_any_of_the_three_gives_no_trace(tmp_path: Path, calls: int) -> None:
    with words_lab(tmp_path, Reader(outage_at=calls)) as lab:
        lab.store.patches.upsert(make_patch("zok", "wrong"))
        with pytest.raises(BackendUnavailable):
            compared(lab, case("zok"), draw="d", trace_id="t", run="r", index=0)


class Blind:
    """A judge that can tell a right answer and no rules."""

    def judge(self, case: Case, output: Output | None) -> Feedback:
        return WordsSimulator().judge(case, output)


def test_where_nobody_knows_the_rules_there_is_no_ceiling(tmp_path: Path) -> None:
    backend = Reader()
    with words_lab(tmp_path, backend) as lab:
        evaluator = Evaluator(lab.agent, cast("Simulator", Blind()))
        [trace] = evaluator.compare([case("zok")], [Ask("zok")], run="r")
        assert isinstance(trace, Trace)
        assert trace.ceiling is None
        assert trace.baseline is not None
        assert (trace.ok, trace.baseline.feedback.ok, len(backend.prompts)) == (False, False, 1)


@pytest.mark.parametrize("oracle", [True, False])
def test_what_is_expected_is_asked_along_once_a_batch_has_room(
    tmp_path: Path, oracle: bool
) -> None:
    backend = Reader(varies=True)
    with words_lab(tmp_path, backend, width=8) as lab:
        simulator: Any = lab.skill.simulator if oracle else Blind()
        evaluator = Evaluator(lab.agent, simulator)
        evaluator.expect([case("zok"), case("blim")], [Ask("zok", draw="1"), Ask("blim", draw="2")])
        evaluator.compare([case("salt")], [Ask("salt", draw="0")], run="r")
        asked = Counter(prompt.draw for prompt in backend.prompts)
        # What the patched answers are is not known yet, and whether there are others.
        assert asked == {"0": 1, "1": 1 + oracle, "2": 1 + oracle}
        evaluator.compare([case("zok")], [Ask("zok", draw="1")], run="r")
        assert len(backend.prompts) == asked.total()


def test_a_case_that_cannot_be_asked_is_the_skills_fault(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        for request in (" ", "zok \x07", "z" * 2001):
            with pytest.raises(SkillError, match=r"^A case of the skill cannot be asked\. The req"):
                lab.evaluator.compare([case(request)], [Ask(request)], run="r")


def test_a_sample_in_proportion_keeps_the_order() -> None:
    everything = cases(list("aaaaaabbbc"))
    for n, expected in ((0, ""), (1, "a"), (5, "aaabb"), (6, "aaabbc"), (10, "aaaaaabbbc")):
        chosen = stratified(everything, n)
        assert "".join(c.stratum for c in chosen) == expected
        assert [c.request for c in chosen] == sorted(c.request for c in chosen)


@given(STRATA, st.integers(0, 80))
@settings(derandomize=True, max_examples=200)
def test_a_sample_has_its_size_its_order_and_its_proportions(strata: list[str], n: int) -> None:
    everything = cases(strata)
    chosen = stratified(everything, n)
    assert len(chosen) == min(n, len(everything))
    positions = [everything.index(c) for c in chosen]
    assert positions == sorted(set(positions))
    if n >= len(everything):
        assert chosen == everything
        return
    whole, part = Counter(strata), Counter(c.stratum for c in chosen)
    for stratum, size in whole.items():
        share = n * size / len(everything)
        assert abs(part[stratum] - share) <= 1


@given(STRATA)
@settings(derandomize=True, max_examples=60)
def test_a_larger_sample_holds_every_smaller_one(strata: list[str]) -> None:
    everything = cases(strata)
    samples = [{c.request for c in stratified(everything, n)} for n in range(len(strata) + 1)]
    assert all(small < large for small, large in pairwise(samples))
