"""Odd but possible turns of events, each of which once gave a wrong figure or answer."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from patchlab_agent.errors import PromptError
from patchlab_agent.lab.opening import open_lab
from patchlab_agent.models.patch import agrees
from patchlab_agent.models.trace import Feedback
from patchlab_agent.prompts import Prompts, literal
from patchlab_agent.runs.runner import Runner
from patchlab_agent.settings import RunSettings
from patchlab_agent.statistics import paired_difference
from tests.support.make import WRONG, make_patch, make_trace
from tests.support.words_skill import Reader, WordFix, case, words_lab, words_store, write_templates


def test_stores_of_two_embedders_open_in_one_process(tmp_path: Path) -> None:
    pytest.importorskip("wordllama")
    words_store(tmp_path / "a").close()
    words_store(tmp_path / "b", embedder_name="wordllama").close()


def test_the_paired_interval_is_the_published_one() -> None:
    """Worked example of method 10: 59 both, 16 only before, 6 only after, 80 neither."""
    before = [True] * 75 + [False] * 86
    after = [True] * 59 + [False] * 16 + [True] * 6 + [False] * 80
    found = paired_difference(before, after)
    assert found.low is not None
    assert found.high is not None
    assert (round(found.low, 4), round(found.high, 4)) == (-0.1186, -0.0046)


def test_a_misspelt_field_in_a_template_is_a_prompt_error(tmp_path: Path) -> None:
    prompts = Prompts(write_templates(tmp_path, rule="{{ fix.colour | literal }}"))
    with pytest.raises(PromptError):
        prompts.rule(WordFix(word="a", meaning="b"))


@pytest.mark.parametrize("char", "\u034f\u115f\u3164\ufe0f\U000e0101\u17b4\u180b\uffa0")
def test_what_shows_as_nothing_is_escaped(char: str) -> None:
    assert char not in literal(f"a{char}b")


def test_ties_are_broken_alike_before_and_after_a_flush(tmp_path: Path) -> None:
    numbers = list(range(60))
    random.Random(0).shuffle(numbers)
    with words_store(tmp_path) as store:
        for number in numbers:
            store.traces.add(make_trace(f"t-{number:07d}", f"a zok for {'x' * (number + 1)}"))
        before = store.examples.similar("a zok", 2)
        store.traces.flush()
        assert store.examples.similar("a zok", 2) == before


def test_a_trace_judged_again_counts_once_and_is_no_example(tmp_path: Path) -> None:
    with words_store(tmp_path) as store:
        store.traces.add(make_trace("t-1"))
        store.traces.flush()
        store.traces.add(make_trace("t-1", feedback=WRONG))
        assert store.traces.count() == 1
        assert store.examples.similar("a zok", 1) == ()
        store.traces.flush()
        assert store.traces.count() == 1
        assert store.examples.similar("a zok", 1) == ()


def test_an_unwritten_trace_judged_again_is_no_example(tmp_path: Path) -> None:
    with words_store(tmp_path) as store:
        store.traces.add(make_trace("t-1"))
        store.traces.add(make_trace("t-1", feedback=WRONG))
        assert store.examples.similar("a zok", 1) == ()


def test_other_requests_are_found_behind_many_equal_ones(tmp_path: Path) -> None:
    for attempt in range(3):
        with words_store(tmp_path / str(attempt)) as store:
            for number in range(99):
                store.traces.add(make_trace(f"t-{number:04d}", "a zok"))
            store.traces.add(make_trace("t-9999", "a zok and something quite different"))
            store.traces.flush()
            found = store.examples.similar("a zok", 2)
            assert [example.id for example in found] == ["t-0000", "t-9999"]


def test_the_cost_is_that_of_one_run(tmp_path: Path) -> None:
    with words_lab(tmp_path) as lab:
        for _ in range(2):
            report = Runner(lab, RunSettings(golden=0), cases=[case("salt")]).run()
    calls = {cost.purpose: cost.calls + cost.cache_hits for cost in report.cost}
    assert calls["patched"] == 1


def test_a_patch_of_an_earlier_run_is_not_created_again(tmp_path: Path) -> None:
    def stubborn(request: str, draw: str, answer: dict[str, Any]) -> None:
        if "zok" in answer and answer.get("now") != "yes":
            answer["zok"] = "grey"

    with words_lab(tmp_path, Reader(stubborn)) as lab:
        request = case("zok now")
        first = Runner(lab, RunSettings(golden=0), cases=[request]).run()
        lab.store.patches.upsert(make_patch("now", "yes"))
        second = Runner(lab, RunSettings(golden=0), cases=[request]).run()
    assert first.patches.created == 1
    assert (second.patches.activated, second.patches.created) == (1, 0)


def test_true_is_no_number() -> None:
    assert not agrees(1, True)
    assert not agrees(True, 1)


def test_a_false_factor_is_denied_by_the_labels(tmp_path: Path) -> None:
    with open_lab(store=tmp_path / "s", noise=0) as lab:
        trace = lab.agent.answer("Ship 3 lbs books box to US")
        wrong = Feedback(label="unit_unknown", field="unit", value="lbs", detail="1 lbs is 5 kg")
        (event,) = lab.learn(trace, wrong).events
        assert event.kind == "quarantined"
        right = wrong.model_copy(update={"detail": "1 lbs is 0.45359237 kg"})
        event, *_ = lab.learn(trace, right).events
        assert event.kind == "activated"


def test_a_joined_emoji_is_no_binary(tmp_path: Path) -> None:
    with open_lab(store=tmp_path / "s", noise=0) as lab:
        trace = lab.agent.answer("Ship 2 kg books box to US 👩\u200d🔧")
        assert trace.output is not None
