"""The same question is asked once."""

from __future__ import annotations

import pytest

from patchlab_agent.backends.base import ScriptedBackend
from patchlab_agent.backends.cache import CachedBackend
from patchlab_agent.errors import BackendError, BackendUnavailable
from patchlab_agent.models.prompt import Completion, Message, Prompt
from tests.backends.test_base import Echo, prompt, said

pytestmark = pytest.mark.quick


class Varying(ScriptedBackend):
    varies = True


def test_a_repeated_prompt_gets_its_answer_from_memory_and_says_so() -> None:
    inner = ScriptedBackend(["one"])
    backend = CachedBackend(inner)
    first, second = backend.complete(prompt("a")), backend.complete(prompt("a"))
    assert (first.text, second.text) == ("one", "one")
    assert (first.usage.cached, second.usage.cached) == (False, True)
    assert len(inner.history) == 1


@pytest.mark.parametrize("other", [prompt("b"), prompt("a", system="t")])
def test_any_other_message_is_another_prompt(other: Prompt) -> None:
    backend = CachedBackend(ScriptedBackend(["one", "two"]))
    assert backend.complete(prompt("a")).text == "one"
    assert backend.complete(other).text == "two"


def test_messages_are_not_run_together() -> None:
    backend = CachedBackend(ScriptedBackend(["one", "two"]))
    backend.complete(prompt("bc", system="a"))
    assert backend.complete(prompt("c", system="ab")).text == "two"


def test_the_draw_counts_only_where_answers_vary() -> None:
    steady, varying = ScriptedBackend(["one"]), Varying(["one", "two"])
    for inner, expected in ((steady, ["one", "one", "one"]), (varying, ["one", "two", "one"])):
        backend = CachedBackend(inner)
        answers = [backend.complete(prompt("a", draw)).text for draw in ("0", "1", "0")]
        assert answers == expected


def test_the_least_recently_used_answer_goes_first() -> None:
    inner = ScriptedBackend(["a1", "b1", "c1", "b2"])
    backend = CachedBackend(inner, capacity=2)
    for text in ("a", "b", "a", "c"):
        backend.complete(prompt(text))
    assert backend.complete(prompt("a")).usage.cached
    assert backend.complete(prompt("b")).text == "b2"
    assert len(inner.history) == 4


def test_a_failure_is_not_remembered() -> None:
    backend = CachedBackend(ScriptedBackend([BackendUnavailable("out"), "one"]))
    with pytest.raises(BackendUnavailable):
        backend.complete(prompt("a"))
    assert backend.complete(prompt("a")).text == "one"


def test_a_prompt_with_more_turns_is_another_prompt() -> None:
    backend = CachedBackend(ScriptedBackend(["one", "two"]))
    short = prompt("a")
    longer = short.model_copy(
        update={"messages": (*short.messages, Message(role="user", content="b"))}
    )
    assert backend.complete(short).text != backend.complete(longer).text


def test_equal_prompts_of_a_batch_are_asked_once() -> None:
    echo = Echo()
    backend = CachedBackend(echo)
    backend.complete(prompt("a"))
    answers = backend.complete_batch([prompt(text) for text in "babcb"])
    assert said(answers) == list("babcb")
    assert echo.batches == [["a"], ["b", "c"]]
    # Only what was asked for costs something.
    cached = [each.usage.cached for each in answers if isinstance(each, Completion)]
    assert cached == [False, True, True, False, True]


def test_a_batch_of_what_is_known_asks_nobody() -> None:
    echo = Echo()
    backend = CachedBackend(echo)
    backend.complete_batch([prompt("a"), prompt("b")])
    assert said(backend.complete_batch([prompt("b"), prompt("a")])) == ["b", "a"]
    assert backend.complete_batch([]) == []
    assert echo.batches == [["a", "b"]]


def test_a_failure_in_a_batch_is_not_remembered_and_costs_no_other_answer() -> None:
    refused = BackendError("refused")
    echo = Echo(b=refused)
    backend = CachedBackend(echo)
    batch = [prompt(text) for text in "abb"]
    assert said(backend.complete_batch(batch)) == ["a", refused, refused]
    echo.failures.clear()
    assert said(backend.complete_batch(batch)) == ["a", "b", "b"]
    assert echo.batches == [["a", "b"], ["b"]]


def test_a_batch_beyond_the_capacity_is_answered_all_the_same() -> None:
    backend = CachedBackend(Echo(), capacity=1)
    backend.complete(prompt("c"))
    assert said(backend.complete_batch([prompt(text) for text in "abcab"])) == list("abcab")


def test_draws_of_one_batch_are_told_apart_where_answers_vary() -> None:
    inner = Varying(["one", "two"])
    batch = [prompt("a", draw) for draw in ("0", "1", "0")]
    assert said(CachedBackend(inner).complete_batch(batch)) == ["one", "two", "one"]


def test_what_names_a_prompt_to_people_makes_no_other_prompt() -> None:
    backend = CachedBackend(ScriptedBackend(["one"]))
    one, other = (prompt("a").model_copy(update={"request": name}) for name in "xy")
    assert backend.complete(one).text == backend.complete(other).text == "one"


def expecting(inner: Echo, expected: str, width: int = 4) -> CachedBackend:
    backend = CachedBackend(inner, width=width)
    backend.expect(map(prompt, expected))
    return backend


def test_places_that_a_batch_leaves_empty_are_filled_with_what_is_expected() -> None:
    echo = Echo()
    backend = expecting(echo, "cdef")
    assert said(backend.complete_batch([prompt("a"), prompt("b")])) == ["a", "b"]
    assert echo.batches == [["a", "b", "c", "d"]]
    # Nobody has paid for it yet: it counts as a call once, as if it were asked for now.
    first, second = backend.complete(prompt("c")), backend.complete(prompt("c"))
    assert (first.text, first.usage.cached, second.usage.cached) == ("c", False, True)
    assert said(backend.complete_batch([prompt(text) for text in "dge"])) == ["d", "g", "e"]
    assert echo.batches[1:] == [["g", "e", "f"]]


@pytest.mark.parametrize("batch", ["", "abcd"])
def test_where_no_place_is_empty_nothing_is_taken_along(batch: str) -> None:
    echo = Echo()
    expecting(echo, "xyz").complete_batch([prompt(text) for text in batch])
    assert echo.batches == ([list(batch)] if batch else [])


def test_what_is_known_or_asked_for_is_not_taken_along() -> None:
    echo = Echo()
    backend = expecting(echo, "", width=2)
    backend.complete(prompt("a"))
    backend.expect(map(prompt, "abcde"))
    backend.complete(prompt("b"))
    assert echo.batches == [["a"], ["b", "c"]]
    backend.expect(map(prompt, "ce"))
    backend.complete(prompt("d"))
    assert echo.batches[2:] == [["d", "e"]]


def test_an_error_of_what_was_taken_along_is_met_by_who_asks_for_it() -> None:
    refused = BackendError("refused")
    echo = Echo(b=refused)
    backend = expecting(echo, "b", width=2)
    assert backend.complete(prompt("a")).text == "a"
    assert said(backend.complete_batch([prompt("b")])) == [refused]
    assert echo.batches == [["a", "b"], ["b"]]


def test_one_call_at_a_time_asks_nothing_early() -> None:
    echo = Echo()
    assert expecting(echo, "b", width=1).complete(prompt("a")).text == "a"
    assert echo.batches == [["a"]]
