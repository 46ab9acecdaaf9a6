"""What is tried when a server refuses how a question is put, and what of that is settled."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from patchlab_agent.errors import BackendError, BackendUnavailable
from patchlab_agent.models.model import Structure
from patchlab_agent.models.prompt import Completion, Message
from tests.backends.llm.conftest import MakeBackend
from tests.backends.llm.helpers import OLLAMA, OPENAI, TEXT, Body, Provider, Server, ok, prompt

SCHEMA, JSON, PLAIN = Structure
NO_SYSTEM = [
    (400, "System role not supported"),
    (500, "Jinja Exception: System role not supported"),
    (400, "Conversation roles must alternate user/assistant/user/assistant/..."),
]
NO_SCHEMA = [
    (404, "No endpoints found that can handle the requested parameters."),
    (500, "response_format type must be text or json_object, but got: json_schema"),
    (500, "failed to parse grammar"),
    (501, "Not Implemented"),
]
OTHER_LIMIT = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
TURNS = (
    Message(role="system", content="Read."),
    Message(role="user", content="a"),
    Message(role="assistant", content="b"),
    Message(role="user", content="c"),
)


@pytest.fixture
def provider(request: pytest.FixtureRequest) -> Provider:
    """OpenAI's kind of server, unless a test asks for another."""
    found: Provider = getattr(request, "param", OPENAI)
    return found


def refusing(
    server: Server, refused: Callable[[Body], bool], status: int, message: str
) -> Callable[[Body], httpx.Response]:
    def answer(body: Body) -> httpx.Response:
        if refused(body):
            return httpx.Response(status, json=OPENAI.error(message))
        return ok(OPENAI.answer())

    server.otherwise = answer
    return answer


def has_system(body: Body) -> bool:
    return any(message["role"] == "system" for message in body["messages"])


@pytest.mark.parametrize("provider", [OPENAI, OLLAMA], indirect=True, ids=str)
@pytest.mark.parametrize(("status", "message"), NO_SCHEMA)
def test_a_form_may_be_refused_by_any_status_and_is_not_asked_for_again(
    *,
    provider: Provider,
    server: Server,
    backend: MakeBackend,
    slept: list[float],
    status: int,
    message: str,
) -> None:
    server.otherwise = lambda body: (
        httpx.Response(status, json=provider.error(message))
        if provider.structure(body) is SCHEMA
        else ok(provider.answer())
    )
    model = backend()
    assert [model.complete(prompt(text)).text for text in "ab"] == [TEXT, TEXT]
    assert [provider.structure(body) for body in server.bodies] == [SCHEMA, JSON, JSON]
    assert (model.structure, slept) == (JSON, [])


@pytest.mark.parametrize(("status", "message"), NO_SCHEMA)
def test_a_server_that_refuses_every_form_is_asked_once_for_each(
    server: Server, backend: MakeBackend, slept: list[float], status: int, message: str
) -> None:
    refusing(server, lambda _: True, status, message)
    with pytest.raises(BackendError) as error:
        backend().complete(prompt())
    assert type(error.value) is BackendError
    assert "correct the options" not in str(error.value)
    assert (len(server.bodies), slept) == (3, [])


@pytest.mark.parametrize("message", ["Internal Server Error", "CUDA error: out of memory"])
def test_an_outage_is_still_an_outage(
    server: Server, backend: MakeBackend, slept: list[float], message: str
) -> None:
    refusing(server, lambda _: True, 500, message)
    model = backend()
    with pytest.raises(BackendUnavailable, match="failed 3 times with status 500"):
        model.complete(prompt())
    assert (len(server.bodies), len(slept), model.structure) == (3, 2, None)


@pytest.mark.parametrize("message", ["model 'm' not found", "The model `m` does not exist."])
def test_a_model_that_is_not_there_is_asked_once(
    server: Server, backend: MakeBackend, message: str
) -> None:
    refusing(server, lambda _: True, 404, message)
    with pytest.raises(BackendError, match="does not exist; correct --model or --api-base"):
        backend().complete(prompt())
    assert len(server.bodies) == 1


@pytest.mark.parametrize(("status", "message"), NO_SYSTEM)
def test_a_system_message_that_is_refused_precedes_the_first_user_turn(
    *, server: Server, backend: MakeBackend, slept: list[float], status: int, message: str
) -> None:
    refusing(server, has_system, status, message)
    model = backend()
    answers = [model.complete(prompt(messages=TURNS)).text for _ in range(2)]
    assert answers == [TEXT, TEXT]
    sent = [OPENAI.messages(body) for body in server.bodies]
    merged = [("user", "Read.\n\na"), ("assistant", "b"), ("user", "c")]
    assert sent == [[(turn.role, turn.content) for turn in TURNS], merged, merged]
    assert (model.structure, slept) == (SCHEMA, [])


@pytest.mark.parametrize("concurrency", [1, 4])
def test_what_is_refused_is_found_out_by_the_first_prompt_of_a_batch(
    server: Server, backend: MakeBackend, concurrency: int
) -> None:
    refusing(server, has_system, 400, "System role not supported")
    answers = backend(concurrency=concurrency).complete_batch([prompt(text) for text in "abcd"])
    assert [each.text for each in answers if isinstance(each, Completion)] == [TEXT] * 4
    assert [has_system(body) for body in server.bodies] == [True, *[False] * 4]


def test_a_system_message_without_a_user_turn_becomes_one(
    server: Server, backend: MakeBackend
) -> None:
    refusing(server, has_system, 400, "System role not supported")
    backend().complete(prompt(messages=TURNS[:1]))
    assert OPENAI.messages(server.bodies[-1]) == [("user", "Read.")]


def test_a_prompt_without_a_system_message_settles_nothing_about_it(
    server: Server, backend: MakeBackend
) -> None:
    refusing(server, has_system, 400, "System role not supported")
    model = backend()
    assert model.complete(prompt(messages=TURNS[1:2])).text == TEXT
    assert model.complete(prompt()).text == TEXT
    assert [has_system(body) for body in server.bodies] == [False, True, False]


def test_roles_that_are_refused_in_any_order_are_final(
    server: Server, backend: MakeBackend, slept: list[float]
) -> None:
    refusing(server, lambda _: True, 400, "Conversation roles must alternate")
    with pytest.raises(BackendError, match="use another chat template") as error:
        backend().complete(prompt())
    assert "correct the options" not in str(error.value)
    assert (len(server.bodies), slept) == (4, [])


def test_words_about_a_system_may_be_about_the_form(server: Server, backend: MakeBackend) -> None:
    said = "json_schema is not supported by this system"
    refusing(server, lambda body: OPENAI.structure(body) is SCHEMA, 400, said)
    model = backend()
    assert model.complete(prompt()).text == TEXT
    assert model.structure is JSON


def test_what_was_accepted_once_is_not_tried_otherwise(
    server: Server, backend: MakeBackend
) -> None:
    model = backend()
    model.complete(prompt("a"))
    refusing(server, lambda _: True, 400, "System role not supported")
    with pytest.raises(BackendError):
        model.complete(prompt("b"))
    assert len(server.bodies) == 2


@pytest.mark.parametrize("message", ["System role not supported", "grammar engine has died"])
def test_a_500_about_what_was_accepted_before_is_an_outage(
    server: Server, backend: MakeBackend, slept: list[float], message: str
) -> None:
    model = backend()
    model.complete(prompt("a"))
    refusing(server, lambda _: True, 500, message)
    with pytest.raises(BackendUnavailable, match="failed 3 times with status 500"):
        model.complete(prompt("b"))
    assert len(slept) == 2


def test_the_limit_of_an_answer_goes_by_the_name_that_the_server_wants(
    server: Server, backend: MakeBackend
) -> None:
    refusing(server, lambda body: "max_tokens" in body, 400, OTHER_LIMIT)
    model = backend(model={"max_tokens": 77})
    assert [model.complete(prompt(text)).text for text in "ab"] == [TEXT, TEXT]
    assert [body.get("max_tokens") for body in server.bodies] == [77, None, None]
    assert [body.get("max_completion_tokens") for body in server.bodies] == [None, 77, 77]
    assert model.structure is SCHEMA


def test_all_may_be_refused_at_once(server: Server, backend: MakeBackend) -> None:
    def answer(body: Body) -> httpx.Response:
        refused: list[tuple[bool, int, str]] = [
            (has_system(body), 500, "System role not supported"),
            ("max_tokens" in body, 400, OTHER_LIMIT),
            (OPENAI.structure(body) is not PLAIN, 501, "Not Implemented"),
        ]
        for is_refused, status, message in refused:
            if is_refused:
                return httpx.Response(status, json=OPENAI.error(message))
        return ok(OPENAI.answer())

    server.otherwise = answer
    model = backend()
    assert [model.complete(prompt(text)).text for text in "ab"] == [TEXT, TEXT]
    assert (model.structure, len(server.bodies)) == (PLAIN, 6)


def test_an_answer_that_the_server_rejects_is_an_answer(
    server: Server, backend: MakeBackend
) -> None:
    body: dict[str, Any] = OPENAI.error("Failed to generate JSON. Please adjust your prompt.")
    body["error"] |= {"code": "json_validate_failed", "failed_generation": '{"weight": 2.5'}
    server.will(httpx.Response(400, json=body))
    model = backend()
    rejected = model.complete(prompt())
    assert (rejected.text, rejected.filtered) == ('{"weight": 2.5', False)
    assert json.loads(model.complete(prompt()).text) == json.loads(TEXT)
    assert model.structure is SCHEMA
