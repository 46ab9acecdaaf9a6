"""What calls cost, by what they were for."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from patchlab_agent.backends.base import ScriptedBackend
from patchlab_agent.backends.cache import CachedBackend
from patchlab_agent.backends.meter import MeteredBackend, Spent
from patchlab_agent.errors import BackendUnavailable
from patchlab_agent.models.prompt import Completion, Prompt, Usage
from tests.backends.test_base import prompt
from tests.support.words_skill import Reader

pytestmark = pytest.mark.quick


def ticks() -> Iterator[float]:
    """A clock that goes on by two seconds whenever it is looked at."""
    return (2.0 * n for n in count())


def request(text: str) -> str:
    return f'Request: "{text}"'


def test_calls_are_booked_under_their_purpose() -> None:
    clock = ticks()
    meter = MeteredBackend(Reader(), clock=lambda: next(clock))
    for text, purpose in (("a", "patched"), ("b", "gate"), ("c", "patched")):
        meter.complete(prompt(request(text)).model_copy(update={"purpose": purpose}))
    meter.complete(prompt(request("d")))
    assert {name: spent.calls for name, spent in meter.spent.items()} == {
        "patched": 2,
        "gate": 1,
        "answer": 1,
    }
    assert sum(spent.calls for spent in meter.spent.values()) == 4
    assert meter.spent["patched"] == Spent(
        calls=2, prompt_tokens=20, completion_tokens=4, cost_usd=1.0, seconds=4.0
    )
    meter.reset()
    assert dict(meter.spent) == {}


def test_a_failure_is_booked_nowhere() -> None:
    meter = MeteredBackend(ScriptedBackend([BackendUnavailable("out"), "one"]))
    with pytest.raises(BackendUnavailable):
        meter.complete(prompt("a").model_copy(update={"purpose": "gate"}))
    meter.complete(prompt("a"))
    assert {name: spent.calls for name, spent in meter.spent.items()} == {"answer": 1}


def test_an_answer_from_the_cache_is_a_hit_and_costs_nothing() -> None:
    meter = MeteredBackend(CachedBackend(Reader()))
    for _ in range(3):
        meter.complete(prompt(request("a")))
    spent = meter.spent["answer"]
    assert (spent.calls, spent.cache_hits) == (1, 2)
    assert (spent.prompt_tokens, spent.completion_tokens, spent.cost_usd) == (10, 2, 0.5)


def test_without_a_price_there_is_no_cost() -> None:
    spent = Spent()
    spent.add(Completion(text="x"), 1.5)
    assert (spent.cost_usd, spent.prompt_tokens, spent.seconds) == (None, 0, 1.5)
    spent.add(Completion(text="x", usage=Usage(cost_usd=0.0)), 0.5)
    assert spent.cost_usd == 0.0
    spent.add(Completion(text="x", usage=Usage(cost_usd=0.25)), 0.5)
    assert (spent.cost_usd, spent.seconds) == (0.25, 2.5)


def test_a_batch_is_booked_answer_by_answer() -> None:
    clock = ticks()
    reader = Reader(outage_at=2)
    meter = MeteredBackend(CachedBackend(reader), clock=lambda: next(clock))
    batch = [
        prompt(request(text)).model_copy(update={"purpose": purpose})
        for text, purpose in (("a", "patched"), ("a", "baseline"), ("b", "gate"), ("c", "gate"))
    ]
    answers = meter.complete_batch(batch)
    assert [isinstance(each, Completion) for each in answers] == [True, True, True, False]
    # The time is shared out over the calls that were answered; nothing else took any.
    one = Spent(calls=1, prompt_tokens=10, completion_tokens=2, cost_usd=0.5, seconds=1.0)
    assert meter.spent == {"patched": one, "baseline": Spent(cache_hits=1), "gate": one}


def test_an_empty_batch_is_booked_nowhere() -> None:
    meter = MeteredBackend(Reader())
    assert meter.complete_batch([]) == []
    assert not meter.spent


def test_a_backend_that_times_its_own_calls_is_believed() -> None:
    clock = ticks()

    class Timed(Reader):
        def complete(self, prompt: Prompt) -> Completion:
            return Completion(text="{}", usage=Usage(seconds=0.25))

    meter = MeteredBackend(Timed(), clock=lambda: next(clock))
    meter.complete_batch([prompt("a"), prompt("b")])
    assert meter.spent["answer"].seconds == 0.5


def test_prefix_hits_are_a_share_of_the_tokens_whose_server_told() -> None:
    spent = Spent()
    spent.add(Completion(text="a", usage=Usage(prompt_tokens=100)), 1.0)
    assert spent.prefix_hits is None
    spent.add(Completion(text="b", usage=Usage(prompt_tokens=40, cached_prompt_tokens=30)), 1.0)
    spent.add(Completion(text="c", usage=Usage(prompt_tokens=60, cached_prompt_tokens=0)), 1.0)
    assert spent.prompt_tokens == 200
    assert spent.prefix_hits == pytest.approx(0.3)
