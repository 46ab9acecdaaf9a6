"""What stands between the core and what others write."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import pytest

from patchlab_agent.errors import BackendError, InvalidAnswer, SkillError
from patchlab_agent.models.case import Case
from patchlab_agent.skill.guard import Promise, guarded, guarded_call, on_request

ASKED = Case(request="a zok", truth={})


class Odd(Exception):
    """A message that no terminal should see as it is."""

    def __str__(self) -> str:
        return "red\x1b[31m\n  and " + "long " * 100


@runtime_checkable
class Judging(Protocol):
    def judge(self, case: Case, quote: object) -> str: ...


@runtime_checkable
class Drifting(Protocol):
    def drift(self) -> str: ...


@dataclass
class Part:
    """Fails with an exception wherever it is called."""

    error: Exception
    labels: tuple[str, ...] = ("one",)

    @property
    def broken(self) -> str:
        raise self.error

    def judge(self, case: Case, quote: object) -> str:
        raise self.error

    def read(self, text: str) -> str:
        raise self.error

    def golden(self) -> list[Case]:
        raise self.error

    def stream(self, n: int) -> Iterator[Case]:
        for _ in range(n):
            yield ASKED
        raise self.error


def part(error: Exception, **promises: Promise) -> Part:
    return guarded(Part(error), "Simulator", promises, skill="words")


def message(call: Callable[[], object]) -> str:
    with pytest.raises(SkillError) as caught:
        call()
    return str(caught.value)


def test_an_error_names_part_skill_request_exception_and_line() -> None:
    line = Part.judge.__code__.co_firstlineno + 1
    assert message(lambda: part(KeyError("zok")).judge(ASKED, None)) == (
        "Simulator.judge of skill 'words' failed on 'a zok' with KeyError: 'zok'; "
        f"correct test_guard.py, line {line}."
    )


def test_the_exception_itself_is_the_cause() -> None:
    error = KeyError("zok")
    with pytest.raises(SkillError) as caught:
        part(error).judge(ASKED, None)
    assert caught.value.__cause__ is error


def test_a_call_about_nothing_and_an_exception_without_a_message_are_named_in_short() -> None:
    found = message(lambda: part(KeyError()).golden())
    assert found.startswith("Simulator.golden of skill 'words' failed with KeyError; correct test_")


def test_what_is_of_no_skill_is_named_alone() -> None:
    referee = guarded(Part(KeyError()), "Referee")
    assert message(lambda: referee.judge(ASKED, None)).startswith("Referee.judge failed on 'a zok'")


def test_a_message_is_one_short_line_of_plain_text() -> None:
    found = message(lambda: part(Odd()).read("say " * 100))
    assert found.isprintable()
    assert "red\\x1b[31m and long" in found
    assert len(found) < 400


@pytest.mark.parametrize("error", [BackendError("out"), SkillError("ours")])
def test_what_is_raised_on_purpose_goes_through(error: Exception) -> None:
    with pytest.raises(type(error)) as caught:
        part(error).judge(ASKED, None)
    assert caught.value is error


def test_what_a_contract_names_goes_through_for_that_member_alone() -> None:
    promised = part(InvalidAnswer("no"), read=Promise(raises=(InvalidAnswer,)))
    with pytest.raises(InvalidAnswer):
        promised.read("{}")
    assert "InvalidAnswer: no" in message(lambda: promised.judge(ASKED, None))


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_what_ends_the_program_goes_through(stop: type[BaseException]) -> None:
    def end() -> None:
        raise stop

    with pytest.raises(stop):
        guarded_call(end, "Simulator.golden")()


def test_a_stream_keeps_what_came_before_and_says_which_item_failed() -> None:
    stream = part(ValueError("odd")).stream(2)
    assert [next(stream), next(stream)] == [ASKED, ASKED]
    found = message(lambda: next(stream))
    assert found.startswith(
        "Simulator.stream of skill 'words' failed on item 3 with ValueError: odd;"
    )


def test_a_stream_that_ends_just_ends() -> None:
    def two() -> Iterator[int]:
        yield from (1, 2)

    assert list(guarded_call(two, "Simulator.stream")()) == [1, 2]


def test_a_return_value_of_the_wrong_type_is_the_members_fault() -> None:
    def forgets(case: Case) -> object:
        return None

    promise = Promise(gives=(str, int))
    judge = guarded_call(forgets, "Simulator.judge", promise, skill="words")
    assert message(lambda: judge(ASKED)) == (
        "Simulator.judge of skill 'words' returned NoneType on 'a zok'; make it return str or int."
    )
    items = guarded_call(lambda: iter([1, None]), "Simulator.requests", promise, skill="words")()
    assert next(items) == 1
    assert "returned NoneType on item 2" in message(lambda: next(items))


def test_a_failing_property_is_told_of_and_a_missing_member_is_just_missing() -> None:
    found = message(lambda: part(AttributeError("oops")).broken)
    assert found.startswith("Simulator.broken of skill 'words' failed with AttributeError: oops")
    assert not hasattr(part(KeyError()), "drift")


def test_a_guarded_part_passes_for_what_it_is() -> None:
    found = part(KeyError())
    assert isinstance(found, Part)
    assert isinstance(found, Judging)
    assert not isinstance(found, Drifting)
    assert found.labels == ("one",)


def test_an_error_can_be_headed_by_the_request() -> None:
    found = str(on_request(SkillError("Task.read failed; correct it."), "say " * 100))
    assert re.fullmatch(r"On the request '(say )+…': Task\.read failed; correct it\.", found)
    assert len(found) < 200


def test_the_line_is_one_of_the_part_and_not_of_a_library_that_it_calls() -> None:
    def judge(text: str) -> object:
        return json.loads(text)

    line = judge.__code__.co_firstlineno + 1
    for function in (judge, functools.partial(judge)):
        found = message(functools.partial(guarded_call(function, "Simulator.judge"), "{"))
        assert found.endswith(f"; correct test_guard.py, line {line}.")


def test_an_error_of_a_builtin_has_no_line_to_name() -> None:
    assert message(lambda: guarded_call(int, "backend")("x")).endswith("'x'; correct it.")
