"""Good answers: what is sent, and what is made of what comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
import respx

from patchlab_agent.backends.llm import NO_KEY, wire_schema
from patchlab_agent.errors import BackendError
from patchlab_agent.models.base import JsonObject
from patchlab_agent.models.prompt import Completion, Message
from patchlab_agent.shipping.model_proposer import Proposed
from patchlab_agent.shipping.schema import Answer
from tests.backends.llm.conftest import MakeBackend
from tests.backends.llm.helpers import (
    ANSWER_TOKENS,
    ANTHROPIC,
    CACHED_TOKENS,
    KEY,
    OLLAMA,
    OPENAI,
    PROMPT_TOKENS,
    TEXT,
    WIRE_SCHEMA,
    Provider,
    Server,
    ok,
    prompt,
)

SENDABLE = {
    *("$defs", "$ref", "additionalProperties", "anyOf", "const", "description", "enum", "items"),
    *("properties", "required", "type"),
}


def test_an_answer_has_text_tokens_and_time(server: Server, backend: MakeBackend) -> None:
    completion = backend().complete(prompt())
    assert completion.text == TEXT
    assert not completion.cut_off
    usage = completion.usage
    assert (usage.prompt_tokens, usage.completion_tokens) == (PROMPT_TOKENS, ANSWER_TOKENS)
    assert usage.seconds is not None
    assert 0 < usage.seconds < 60
    assert len(server.bodies) == 1


@pytest.mark.parametrize("provider", [OPENAI], indirect=True, ids=str)
def test_a_server_tells_how_much_of_a_prompt_its_cache_held(
    server: Server, backend: MakeBackend
) -> None:
    assert backend().complete(prompt()).usage.cached_prompt_tokens == CACHED_TOKENS


@pytest.mark.parametrize("provider", [OLLAMA], indirect=True, ids=str)
def test_a_server_that_says_nothing_of_its_cache_leaves_it_open(
    server: Server, backend: MakeBackend
) -> None:
    assert backend().complete(prompt()).usage.cached_prompt_tokens is None


@pytest.mark.parametrize("provider", [ANTHROPIC], indirect=True, ids=str)
def test_a_hosted_model_has_a_price(server: Server, backend: MakeBackend) -> None:
    cost = backend().complete(prompt()).usage.cost_usd
    # 3 and 15 dollars per million tokens
    assert cost == pytest.approx((3 * PROMPT_TOKENS + 15 * ANSWER_TOKENS) / 1e6)


@pytest.mark.parametrize("provider", [OPENAI, OLLAMA], indirect=True, ids=str)
def test_a_local_model_has_no_price(server: Server, backend: MakeBackend) -> None:
    assert backend().complete(prompt()).usage.cost_usd is None


def test_messages_are_sent_as_they_are_and_nothing_else_of_the_prompt(
    provider: Provider, server: Server, backend: MakeBackend
) -> None:
    turns = [("system", "Read."), ("user", "a"), ("assistant", "b"), ("user", "Ünï\n“c”")]
    messages = tuple(
        Message.model_validate({"role": role, "content": said}) for role, said in turns
    )
    backend().complete(prompt(messages=messages, draw="draw-1", request="named to people"))
    [body] = server.bodies
    assert provider.messages(body) == turns
    assert "draw-1" not in str(body)
    assert "named to people" not in str(body)


def test_sampling_is_sent(provider: Provider, server: Server, backend: MakeBackend) -> None:
    wanted = {"temperature": 0.5, "max_tokens": 77, "seed": 3 if provider.takes_seed else None}
    backend(model=wanted).complete(prompt())
    assert provider.sampling(server.bodies[0]) == wanted


@pytest.mark.parametrize("provider", [ANTHROPIC], indirect=True, ids=str)
def test_a_parameter_that_a_provider_lacks_is_refused_and_not_dropped(
    server: Server, backend: MakeBackend
) -> None:
    with pytest.raises(BackendError, match="omit --seed-model"):
        backend(model={"seed": 3}).complete(prompt())
    assert not server.bodies


def test_a_schema_is_sent_without_its_limits(
    provider: Provider, server: Server, backend: MakeBackend
) -> None:
    backend().complete(prompt())
    assert provider.schema(server.bodies[0]) == WIRE_SCHEMA


@pytest.mark.parametrize("form", [Answer, Proposed])
def test_the_skills_schemas_lose_no_property_and_keep_no_limit(
    provider: Provider,
    server: Server,
    backend: MakeBackend,
    form: type[Answer | Proposed],
) -> None:
    backend().complete(prompt(answer_schema=form.model_json_schema()))
    sent = provider.schema(server.bodies[0])
    assert sent is not None
    assert set(sent["properties"]) == set(form.model_fields)
    for part in _schemas(sent):
        assert set(part) <= SENDABLE
        assert sorted(part.get("required", [])) == sorted(part.get("properties", []))


def _schemas(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A schema and all schemas in it."""
    yield schema
    named = (*schema.get("properties", {}).values(), *schema.get("$defs", {}).values())
    for part in (*named, *schema.get("anyOf", []), schema.get("items")):
        if isinstance(part, dict):
            yield from _schemas(part)


def test_properties_named_like_keywords_stay() -> None:
    limited: JsonObject = {"type": "string", "pattern": "x", "title": "T", "default": "x"}
    kept = wire_schema({"type": "object", "properties": {"title": limited, "pattern": limited}})
    assert kept["properties"] == {"title": {"type": "string"}, "pattern": {"type": "string"}}


def test_alternatives_stay_alternatives_and_each_names_its_kind() -> None:
    a: JsonObject = {"type": "object", "properties": {"kind": {"const": "a", "default": "a"}}}
    none: JsonObject = {"type": "null"}
    union: JsonObject = {"oneOf": [a, none], "discriminator": {"propertyName": "kind"}}
    kept = {"type": "object", "properties": {"kind": {"const": "a"}}, "required": ["kind"]}
    assert wire_schema(union) == {"anyOf": [kept, none]}


@pytest.mark.parametrize(
    ("provider", "variable", "value", "sent"),
    [
        (OPENAI, "OPENAI_API_KEY", "", NO_KEY),
        (OPENAI, "OPENAI_API_KEY", "sk-mine-12345678", "sk-mine-12345678"),
        (OLLAMA, "OPENAI_API_KEY", "sk-mine-12345678", None),
        (ANTHROPIC, "ANTHROPIC_API_KEY", KEY, KEY),
    ],
    indirect=["provider"],
    ids=str,
)
def test_keys_come_from_the_environment(
    *,
    provider: Provider,
    server: Server,
    backend: MakeBackend,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str,
    sent: str | None,
) -> None:
    monkeypatch.setenv(variable, value)
    backend().complete(prompt())
    assert provider.key(server.headers[0]) == sent


def test_a_cut_off_answer_says_so(provider: Provider, server: Server, backend: MakeBackend) -> None:
    server.will(ok(provider.answer('{"weight": 2', cut_off=True)))
    completion = backend().complete(prompt())
    assert (completion.text, completion.cut_off) == ('{"weight": 2', True)


def test_calls_may_come_from_a_running_event_loop(server: Server, backend: MakeBackend) -> None:
    async def ask() -> Completion:
        return backend().complete(prompt())

    assert asyncio.run(ask()).text == TEXT


def test_a_backend_is_named_after_its_model_and_closes_twice(
    provider: Provider, router: respx.MockRouter, backend: MakeBackend
) -> None:
    steady, varying = backend(model={"max_tokens": 5}), backend(model={"temperature": 0.5})
    assert steady.name == f"{provider.model}(temperature=0, max_tokens=5)"
    assert (steady.varies, varying.varies) == (False, True)
    steady.complete_batch([])
    steady.close()
    steady.close()
