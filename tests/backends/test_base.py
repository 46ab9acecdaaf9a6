"""The scripted backend, and that whatever wraps a backend is one."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from patchlab_agent.backends.base import (
    Answered,
    Backend,
    BatchBackend,
    ScriptedBackend,
    WrappedBackend,
    checked_backend,
    complete_batch,
)
from patchlab_agent.backends.cache import CachedBackend
from patchlab_agent.backends.meter import MeteredBackend
from patchlab_agent.errors import (
    BackendError,
    BackendUnavailable,
    BudgetReached,
    Interruption,
    UsageError,
)
from patchlab_agent.lab.opening import open_lab
from patchlab_agent.models.model import Structure
from patchlab_agent.models.prompt import Completion, Message, Prompt
from tests.support.words_skill import Reader

pytestmark = pytest.mark.quick


def prompt(text: str, draw: str = "0", system: str = "s") -> Prompt:
    messages = (Message(role="system", content=system), Message(role="user", content=text))
    return Prompt(messages=messages, answer_schema={}, draw=draw)


def test_replies_come_in_order_and_prompts_are_remembered() -> None:
    backend = ScriptedBackend(["one", "two"])
    prompts = [prompt("a"), prompt("b")]
    assert [backend.complete(p).text for p in prompts] == ["one", "two"]
    assert backend.history == prompts


def test_an_exception_in_the_script_is_raised_and_the_script_goes_on() -> None:
    backend = ScriptedBackend([BackendError("refused"), "two"])
    with pytest.raises(BackendError, match="refused"):
        backend.complete(prompt("a"))
    assert backend.complete(prompt("a")).text == "two"
    assert len(backend.history) == 2


def test_an_empty_script_is_an_outage() -> None:
    with pytest.raises(BackendUnavailable, match="no reply left"):
        ScriptedBackend().complete(prompt("a"))


@pytest.mark.parametrize("varies", [True, False])
def test_a_wrapped_backend_keeps_its_name_and_ways(varies: bool) -> None:
    inner = Reader(varies=varies, name="inner")
    wrapped: Backend = MeteredBackend(CachedBackend(inner))
    assert (wrapped.name, wrapped.varies) == ("inner", varies)
    wrapped.close()
    assert inner.closed


def test_closing_a_script_is_harmless() -> None:
    backend = ScriptedBackend(["one"])
    backend.close()
    assert (backend.name, backend.varies) == ("scripted", False)


class Echo(BatchBackend):
    """A backend that says a prompt's request back, or raises what `failures` has for it."""

    name = "echo"
    varies = False
    structure = Structure.JSON

    def __init__(self, **failures: BackendError) -> None:
        self.failures = failures
        self.batches: list[list[str]] = []

    def complete_batch(self, prompts: Sequence[Prompt]) -> list[Answered]:
        self.batches.append([prompt.user for prompt in prompts])
        return [self.failures.get(p.user) or Completion(text=p.user) for p in prompts]

    def close(self) -> None:
        """Nothing to let go of."""


class Plain(WrappedBackend):
    """A wrapper that adds nothing."""

    def complete_batch(self, prompts: Sequence[Prompt]) -> list[Answered]:
        return complete_batch(self.inner, prompts)


def said(answers: Sequence[Answered]) -> list[str | Interruption]:
    """Texts, and errors as they are."""
    return [each if isinstance(each, Interruption) else each.text for each in answers]


def test_a_batch_goes_to_a_backend_for_batches_as_a_whole() -> None:
    echo, refused = Echo(b=BackendError("refused")), BackendError("refused")
    echo.failures["b"] = refused
    answers = complete_batch(Plain(echo), [prompt("a"), prompt("b"), prompt("c")])
    assert said(answers) == ["a", refused, "c"]
    assert echo.batches == [["a", "b", "c"]]


def test_one_prompt_is_a_batch_of_one_whose_error_is_raised() -> None:
    echo = Echo(b=BudgetReached("enough"))
    assert echo.complete(prompt("a")).text == "a"
    with pytest.raises(BudgetReached, match="enough"):
        Plain(echo).complete(prompt("b"))
    assert echo.batches == [["a"], ["b"]]


def test_any_other_backend_gets_a_batch_one_by_one_and_a_refusal_costs_one_answer() -> None:
    refused = BackendError("refused")
    backend = ScriptedBackend(["one", refused, "two"])
    prompts = [prompt(text) for text in "abc"]
    assert said(complete_batch(backend, prompts)) == ["one", refused, "two"]
    assert backend.history == prompts
    assert complete_batch(backend, []) == []


def test_after_an_outage_the_rest_of_a_batch_is_not_tried() -> None:
    out = BackendUnavailable("out")
    backend = ScriptedBackend(["one", out, "two"])
    answers = complete_batch(backend, [prompt(text) for text in "abc"])
    assert said(answers) == ["one", out, out]
    assert len(backend.history) == 2


def test_a_bug_in_a_backend_is_no_answer() -> None:
    with pytest.raises(ZeroDivisionError):
        complete_batch(ScriptedBackend([ZeroDivisionError()]), [prompt("a")])


class Together:
    """A backend for batches that is a subclass of nothing."""

    name, varies = "together", False

    def __init__(self, *answers: object) -> None:
        self.answers = answers
        self.batches: list[int] = []

    def complete(self, prompt: Prompt) -> Completion:
        raise AssertionError("its prompts go together")

    def complete_batch(self, prompts: Sequence[Prompt]) -> Any:
        self.batches.append(len(prompts))
        return list(self.answers)

    def close(self) -> None:
        """Nothing to let go of."""


def test_whoever_has_the_method_gets_its_prompts_together() -> None:
    refused = BackendError("refused")
    backend = Together(Completion(text="a"), refused)
    assert said(complete_batch(Plain(backend), [prompt("a"), prompt("b")])) == ["a", refused]
    assert backend.batches == [2]


@pytest.mark.parametrize(
    ("answers", "wanted"),
    [
        (("a", "b"), r"returned a str, not a Completion; return Completion\(text=…\)"),
        ((Completion(text="a"), None), "returned a NoneType, not a Completion"),
        ((Completion(text="a"),), "returned 1 answers to 2 prompts; return one for each"),
    ],
)
def test_a_batch_of_something_else_is_an_error_in_place_of_each(
    answers: tuple[object, ...], wanted: str
) -> None:
    found = complete_batch(Together(*answers), [prompt("a"), prompt("b")])
    assert len(found) == 2
    for each in found:
        assert isinstance(each, BackendError)
        assert re.search(wanted, str(each))


def test_a_batch_that_fails_as_a_whole_fails_for_each() -> None:
    class Out(Together):
        def complete_batch(self, prompts: Sequence[Prompt]) -> Any:
            raise out

    out = BackendUnavailable("out")
    assert complete_batch(Out(), [prompt("a"), prompt("b")]) == [out, out]


@pytest.mark.parametrize("kind", ["str", "dict", "NoneType", "coroutine"])
def test_what_is_no_completion_is_told_what_is_wanted(kind: str) -> None:
    async def later() -> Completion:
        return Completion(text="a")

    returned: dict[str, Callable[[], object]] = {
        "str": lambda: "a",
        "dict": dict,
        "NoneType": lambda: None,
        "coroutine": later,
    }

    class Odd(ScriptedBackend):
        def complete(self, prompt: Prompt) -> Any:
            return returned[kind]()

    [found] = complete_batch(Odd(), [prompt("a")])
    assert isinstance(found, BackendError)
    assert str(found).startswith(f"Backend scripted returned a {kind}, not a Completion; return")


def lacking(member: str) -> object:
    return type("Mine", (), {n: v for n, v in vars(ScriptedBackend).items() if n != member})()


@pytest.mark.parametrize(
    ("member", "told"),
    [
        ("name", r"name \(a str\)"),
        ("varies", r"varies \(a bool\)"),
        ("complete", r"complete\(prompt\)"),
        ("close", r"close\(\)"),
    ],
)
def test_a_backend_without_a_member_is_told_which(member: str, told: str, tmp_path: Path) -> None:
    mine: Any = lacking(member)
    with pytest.raises(UsageError, match=f"^backend is a Mine without {told}; a backend has name"):
        open_lab(backend=mine, store=tmp_path / "store")
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("other", [None, object(), 7, print])
def test_what_is_no_backend_at_all_is_told_all(other: Any) -> None:
    with pytest.raises(UsageError, match=r"name .*varies .*complete.*close"):
        checked_backend(other)


def test_a_class_is_no_backend() -> None:
    kind: Any = ScriptedBackend
    with pytest.raises(UsageError, match="is the class ScriptedBackend; give an object of it"):
        checked_backend(kind)


@pytest.mark.parametrize("good", [ScriptedBackend(), Together(), Echo(), Plain(Echo())])
def test_a_good_backend_passes(good: Backend) -> None:
    assert checked_backend(good) is good


def test_how_answers_are_structured_is_told_by_the_innermost() -> None:
    assert MeteredBackend(CachedBackend(Echo())).structure is Structure.JSON
    assert MeteredBackend(CachedBackend(ScriptedBackend())).structure is None
