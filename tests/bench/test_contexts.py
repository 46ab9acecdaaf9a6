"""The bench that sets kinds of context side by side."""

from __future__ import annotations

from itertools import islice
from random import Random

import pytest

from bench.contexts import ARMS, PrefixCache, measure, table
from patchlab_agent.lab.lab import Lab
from patchlab_agent.lab.opening import open_lab
from patchlab_agent.models.prompt import Message
from patchlab_agent.runs.loop import Loop, SimulatedReferee
from patchlab_agent.skill.optional import cases_of


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    lab = open_lab(store=tmp_path_factory.mktemp("contexts") / "s", noise=0.0)
    referee = SimulatedReferee(lab.skill.simulator)
    loop = Loop(lab.evaluator, lab.learner, lab.store.traces, referee)
    cases = islice(cases_of(lab.skill.simulator, Random("contexts")), 80)
    assert len(list(loop.run(cases, "run-0001"))) == 80
    return lab


def test_every_arm_is_held_against_the_first_on_the_same_cases(taught: Lab) -> None:
    cases = list(taught.skill.simulator.regression())[::10]
    told: list[tuple[str, int]] = []
    found = measure(
        taught, cases, list(ARMS), lambda arm, total: told.append((arm, total)), concurrency=4
    )
    assert len(told) == len(ARMS) * len(cases) == told[-1][1]
    by_arm = {each["arm"]: each for each in found}
    assert list(by_arm) == list(ARMS)
    assert by_arm["bare"]["difference"]["mean"] == 0
    assert by_arm["lessons"]["right"]["rate"] > by_arm["bare"]["right"]["rate"]
    assert [by_arm[name]["examples"] for name in ("bare", "lessons", "nearest 5")] == [0, 0, 5]
    assert 0 < by_arm["covering 3"]["examples"] <= 3
    both = [by_arm[f"both, +{tokens} tokens"] for tokens in (200, 250, 400, 800)]
    assert [each["examples"] for each in both] == sorted(each["examples"] for each in both)
    assert by_arm["lessons"]["prompt_tokens"] <= both[-1]["prompt_tokens"]
    for each in found:
        assert len(each["wrong"]) == len(cases) - each["right"]["successes"]
    assert [column.header for column in table(found).columns][:2] == ["arm", "right"]


def test_what_an_earlier_prompt_began_with_is_reusable() -> None:
    def prompt(*texts: str) -> list[Message]:
        return [Message(role="user", content=text) for text in texts]

    cache = PrefixCache()
    assert cache.share == 0
    cache.take(prompt("a" * 94))
    cache.take(prompt("b" * 94))
    # Its role, and no more.
    assert cache.share == pytest.approx(0.06)
    cache.take(prompt("a" * 44 + "c" * 50))
    assert cache.share == pytest.approx((0.06 + 0.5) / 2)
    cache.take(prompt("a" * 94))
    assert cache.share == pytest.approx((0.06 + 0.5 + 1) / 3)


def test_only_the_named_arms_are_measured(taught: Lab) -> None:
    cases = list(taught.skill.simulator.regression())[:2]
    found = measure(taught, cases, ["lessons", "bare"], lambda *_: None)
    assert [each["arm"] for each in found] == ["lessons", "bare"]
