"""Answers that are no answers: an outage, a refusal or an empty text, never a foreign error."""

from __future__ import annotations

import json

import httpx
import pytest

from patchlab_agent.errors import BackendError, BackendUnavailable
from patchlab_agent.models.prompt import Completion
from tests.backends.llm.conftest import MakeBackend
from tests.backends.llm.helpers import (
    ANTHROPIC,
    OPENAI,
    PROVIDERS,
    TEXT,
    Body,
    Provider,
    Server,
    ok,
    prompt,
)

JSON_TYPE = {"Content-Type": "application/json"}
MALFORMED = {
    "a page": httpx.Response(200, html="<html><body>Welcome</body></html>"),
    "no JSON": httpx.Response(200, text="Welcome", headers=JSON_TYPE),
    "half of it": httpx.Response(200, text='{"choices": [{"mess', headers=JSON_TYPE),
    "nothing": httpx.Response(200, text=""),
    "no object": ok([]),
    "null": ok(None),
    "an empty object": ok({}),
    "another object": ok({"hello": {"world": [1, None]}}),
}
EMPTY = [(provider, name) for provider in PROVIDERS for name in provider.empty_answers()]


@pytest.mark.parametrize("reply", MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_completion_is_an_outage_without_a_traceback(
    server: Server, backend: MakeBackend, slept: list[float], reply: httpx.Response
) -> None:
    server.otherwise = lambda _: reply
    with pytest.raises(BackendUnavailable, match=r"other than a completion in 3 tries") as error:
        backend().complete(prompt())
    assert "Traceback" not in str(error.value)
    assert len(slept) == 2


def test_what_is_no_completion_is_an_outage_of_the_batch_alone(
    server: Server, backend: MakeBackend
) -> None:
    model = backend(retries=0, concurrency=1)
    server.will(ok(None))
    lost, untried = model.complete_batch([prompt("a"), prompt("b")])
    assert isinstance(lost, BackendUnavailable)
    assert untried is lost
    assert isinstance(model.complete(prompt("b")), Completion)


def test_an_error_under_a_good_status_is_an_error(server: Server, backend: MakeBackend) -> None:
    server.otherwise = lambda _: ok({"error": "the model crashed"})
    with pytest.raises(BackendError) as error:
        backend().complete(prompt())
    assert "Traceback" not in str(error.value)


@pytest.mark.parametrize(("provider", "name"), EMPTY, indirect=["provider"], ids=str)
def test_an_answer_without_text_is_an_empty_answer(
    provider: Provider, server: Server, backend: MakeBackend, slept: list[float], name: str
) -> None:
    server.will(ok(provider.empty_answers()[name]))
    completion = backend().complete(prompt())
    assert (completion.text, completion.cut_off, slept) == ("", False, [])
    filters = {str(OPENAI): "content filter", str(ANTHROPIC): "refusal"}
    assert completion.filtered is (name == filters.get(str(provider)))


def test_half_a_surrogate_pair_becomes_a_character_that_files_can_hold(
    provider: Provider, server: Server, backend: MakeBackend
) -> None:
    body = json.dumps(provider.answer("fine \ud83d")).encode()
    server.will(httpx.Response(200, content=body, headers=JSON_TYPE))
    assert backend().complete(prompt()).text == "fine ?"


FUNCTION = {"name": "answer", "arguments": TEXT}
CALLS = [{"id": "call_1", "type": "function", "function": FUNCTION}]
ELSEWHERE: dict[str, Body] = {
    "reasoning_content": {"content": None, "reasoning_content": TEXT},
    "reasoning": {"content": None, "reasoning": TEXT},
    "reasoning, content blank": {"content": "\n\n", "reasoning_content": TEXT},
    "reasoning, no content": {"reasoning_content": TEXT},
    "function_call": {"content": None, "function_call": FUNCTION},
    "function_call beside text": {"content": "I call it.", "function_call": FUNCTION},
    "a tool beside text": {"content": "I call {answer}.", "tool_calls": CALLS},
    "a tool after reasoning": {
        "content": None,
        "reasoning_content": 'Maybe {"weight": 9}?',
        "tool_calls": CALLS,
    },
    "the second tool": {
        "content": "",
        "tool_calls": [
            {"id": "call_0", "type": "function", "function": {"name": "think", "arguments": ""}},
            *CALLS,
        ],
    },
    "content beside a tool": {
        "content": TEXT,
        "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "log", "arguments": "{}"}}
        ],
    },
    "content beside reasoning": {"content": TEXT, "reasoning_content": 'Maybe {"weight": 9}?'},
}


@pytest.mark.parametrize("provider", [OPENAI], indirect=True, ids=str)
@pytest.mark.parametrize("message", ELSEWHERE.values(), ids=ELSEWHERE)
def test_an_answer_is_read_where_it_stands(
    server: Server, backend: MakeBackend, message: Body
) -> None:
    server.will(ok(OPENAI.choice(message, "stop")))
    assert backend().complete(prompt()).text == TEXT


@pytest.mark.parametrize("provider", [OPENAI], indirect=True, ids=str)
def test_a_thought_that_was_cut_off_is_no_answer(server: Server, backend: MakeBackend) -> None:
    thought = {"content": None, "reasoning_content": 'Maybe {"weight": 9}? Or'}
    server.will(ok(OPENAI.choice(thought, "length")))
    completion = backend().complete(prompt())
    assert (completion.text, completion.cut_off) == ("", True)


@pytest.mark.parametrize("arguments", [{"weight": 2.5}, {}])
def test_the_arguments_of_a_tool_call_are_the_text(
    provider: Provider, server: Server, backend: MakeBackend, arguments: Body
) -> None:
    server.will(ok(provider.tool_call(arguments)))
    assert backend().complete(prompt()).text == (TEXT if arguments else "{}")
