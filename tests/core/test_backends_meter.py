"""What calls cost, by what they were for."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from patchlab_agent.backends.base import ScriptedBackend
from patchlab_agent.backends.cache import CachedBackend
from patchlab_agent.backends.meter import MeteredBackend, Spent
from patchlab_agent.errors import BackendUnavailable
from patchlab_agent.models.trace import Completion, Usage
from tests.core.test_backends_base import prompt
from tests.core.words_skill import Reader


def ticks() -> Iterator[float]:
    """A clock that goes on by two seconds whenever it is looked at."""
    return (2.0 * n for n in count())


def request(text: str) -> str:
    return f'Request: "{text}"'


def test_calls_are_booked_under_their_purpose() -> None:
    clock = ticks()
    meter = MeteredBackend(Reader(), clock=lambda: next(clock))
    with meter.purpose("patched"):
        meter.complete(prompt(request("a")))
        with meter.purpose("gate"):
            meter.complete(prompt(request("b")))
        meter.complete(prompt(request("c")))
    meter.complete(prompt(request("d")))
    assert {name: spent.calls for name, spent in meter.spent.items()} == {
        "patched": 2,
        "gate": 1,
        "answer": 1,
    }
    assert meter.calls == 4
    assert meter.spent["patched"] == Spent(
        calls=2, prompt_tokens=20, completion_tokens=4, cost_usd=1.0, seconds=4.0
    )


def test_the_purpose_is_put_back_after_an_error() -> None:
    meter = MeteredBackend(ScriptedBackend([BackendUnavailable("out"), "one"]))
    with pytest.raises(BackendUnavailable), meter.purpose("gate"):
        meter.complete(prompt("a"))
    meter.complete(prompt("a"))
    assert meter.spent["answer"].calls == 1
    assert meter.spent.get("gate", Spent()).calls == 0


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
