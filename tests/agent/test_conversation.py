"""Asking until an answer can be used."""

from __future__ import annotations

import pytest

from patchlab_agent.agent.conversation import Conversation, Reply
from patchlab_agent.backends.base import ScriptedBackend
from patchlab_agent.errors import (
    BackendError,
    BackendUnavailable,
    Interruption,
    InvalidAnswer,
    PromptTooLong,
    SkillError,
)
from patchlab_agent.models.prompt import Completion, Message, Prompt, Usage

pytestmark = pytest.mark.quick


def number(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise InvalidAnswer(f"{text!r} is no number") from error


def prompt(text: str) -> Prompt:
    asked = (Message(role="system", content="count"), Message(role="user", content=text))
    return Prompt(messages=asked, answer_schema={}, draw="0", request=text)


def ask(backend: ScriptedBackend, *texts: str, repairs: int = 2) -> list[Reply[int] | Interruption]:
    conversation = Conversation(backend, number, lambda problem: f"no: {problem}", repairs)
    return conversation.ask([prompt(text) for text in texts])


def test_a_usable_answer_needs_no_repair() -> None:
    assert ask(ScriptedBackend(["7"]), "a") == [Reply("7", 7, "", 0, Usage())]


def test_a_repair_shows_the_answer_and_what_is_wrong_with_it() -> None:
    backend = ScriptedBackend(["x", "8"])
    assert ask(backend, "a") == [Reply("8", 8, "", 1, Usage())]
    turns = [(turn.role, turn.content) for turn in backend.history[1].messages[2:]]
    assert turns == [("assistant", "x"), ("user", "no: 'x' is no number")]
    assert backend.history[1].stable == backend.history[0].stable


def test_a_control_string_that_an_answer_copied_is_not_sent_back_as_one() -> None:
    backend = ScriptedBackend(['{"item": "<|im_end|>"', "8"])
    ask(backend, "a")
    said = backend.history[1].messages[2].content
    assert said == r'{"item": "\u003c\u007cim_end\u007c\u003e"'


def test_an_empty_answer_is_repaired_too() -> None:
    backend = ScriptedBackend(["", "8"])
    ask(backend, "a")
    assert backend.history[1].messages[2].content == "(no text)"


@pytest.mark.parametrize("repairs", [0, 1, 2])
def test_after_the_last_repair_the_problem_stands(repairs: int) -> None:
    backend = ScriptedBackend(["x", "y", "z", "5"])
    [reply] = ask(backend, "a", repairs=repairs)
    assert isinstance(reply, Reply)
    said = "xyz"[repairs]
    assert (reply.raw, reply.value, reply.repairs) == (said, None, repairs)
    assert reply.problem == f"{said!r} is no number"
    assert len(backend.history) == 1 + repairs


def test_only_the_broken_ones_of_a_batch_are_asked_again() -> None:
    backend = ScriptedBackend(["1", "x", "3", "2"])
    replies = ask(backend, "a", "b", "c")
    assert [reply.value for reply in replies if isinstance(reply, Reply)] == [1, 2, 3]
    assert [seen.request for seen in backend.history] == ["a", "b", "c", "b"]


def test_a_failure_of_the_backend_stands_in_the_answers_place() -> None:
    refusal = BackendError("no")
    assert ask(ScriptedBackend([refusal, "2"]), "a", "b")[0] is refusal


def test_an_outage_during_a_repair_replaces_the_reply() -> None:
    outage = BackendUnavailable("out")
    assert ask(ScriptedBackend(["x", outage]), "a") == [outage]


def test_a_repair_that_the_context_has_no_room_for_leaves_the_answer_unusable() -> None:
    backend = ScriptedBackend(["x", PromptTooLong("too long"), "8"])
    [reply] = ask(backend, "a")
    assert reply == Reply("x", None, "'x' is no number", 0, Usage(), final=True)
    assert len(backend.history) == 2


def test_a_first_prompt_that_is_too_long_is_a_failure_of_the_call() -> None:
    failure = PromptTooLong("too long")
    assert ask(ScriptedBackend([failure]), "a") == [failure]


def test_what_is_filtered_out_is_an_unusable_answer_and_not_asked_again() -> None:
    backend = ScriptedBackend([Completion(text="8 and", filtered=True), "7"])
    filtered, other = ask(backend, "a", "b")
    assert isinstance(filtered, Reply)
    assert (filtered.raw, filtered.value, filtered.repairs) == ("8 and", None, 0)
    assert "filters the request or its answer out" in filtered.problem
    assert isinstance(other, Reply)
    assert other.value == 7


def test_an_answer_that_is_whole_in_spite_of_the_filter_counts() -> None:
    assert ask(ScriptedBackend([Completion(text="8", filtered=True)]), "a") == [
        Reply("8", 8, "", 0, Usage())
    ]


def test_a_problem_without_words_is_a_problem() -> None:
    def refuse(_: str) -> int:
        raise InvalidAnswer

    backend = ScriptedBackend(["x", "y"])
    [reply] = Conversation(backend, refuse, str, 1).ask([prompt("a")])
    assert isinstance(reply, Reply)
    assert (reply.repairs, reply.problem) == (1, "it has not the form asked for")


def test_a_reader_that_fails_is_an_error_that_names_the_request() -> None:
    def read(text: str) -> int:
        if text == "x":
            raise SkillError("the task failed")
        return int(text)

    failed, other = Conversation(ScriptedBackend(["x", "7"]), read, str, 1).ask(
        [prompt("a"), prompt("b")]
    )
    assert isinstance(failed, SkillError)
    assert str(failed) == "On the request 'a': the task failed"
    assert isinstance(other, Reply)
    assert other.value == 7
