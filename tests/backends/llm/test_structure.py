"""How a model is held to the answer's form, and how that is found out."""

from __future__ import annotations

import json

import httpx
import pytest
import respx

from patchlab_agent.errors import BackendError, BackendUnavailable
from patchlab_agent.models.model import Structure
from patchlab_agent.models.prompt import Completion
from tests.backends.llm.conftest import MakeBackend
from tests.backends.llm.helpers import (
    ANTHROPIC,
    OLLAMA,
    OPENAI,
    TEXT,
    WIRE_SCHEMA,
    Provider,
    Server,
    ok,
    prompt,
    refusal,
)
from tests.backends.llm.helpers import (
    SCHEMA as SMALL,
)

ORDER = list(Structure)
SCHEMA, JSON, PLAIN = ORDER


def on_the_wire(provider: Provider, *structures: Structure) -> list[Structure]:
    """How structures look to a provider; Anthropic's JSON mode is plain text."""
    return [PLAIN if provider is ANTHROPIC and each is JSON else each for each in structures]


def asked(provider: Provider, server: Server) -> list[Structure]:
    """The structures that a server was asked for, in order."""
    return [provider.structure(body) for body in server.bodies]


@pytest.mark.parametrize("settled", ORDER)
def test_the_strictest_structure_that_is_not_refused_is_kept(
    provider: Provider, server: Server, backend: MakeBackend, settled: Structure
) -> None:
    model = backend()
    assert model.structure is None
    probed = ORDER[: 1 + ORDER.index(settled)]
    server.will(*(refusal(provider) for _ in probed[1:]))
    assert [model.complete(prompt(text)).text for text in ("a", "b")] == [TEXT, TEXT]
    assert model.structure is settled
    assert asked(provider, server) == on_the_wire(provider, *probed, settled)


@pytest.mark.parametrize("provider", [OPENAI, OLLAMA], indirect=True, ids=str)
@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_first_batch_finds_out_once(
    provider: Provider, server: Server, backend: MakeBackend, concurrency: int
) -> None:
    def answer(body: dict[str, object]) -> httpx.Response:
        plain = provider.structure(body) is PLAIN
        return ok(provider.answer()) if plain else refusal(provider)

    server.otherwise = answer
    answers = backend(concurrency=concurrency).complete_batch([prompt(text) for text in "abcd"])
    assert [each.text for each in answers if isinstance(each, Completion)] == [TEXT] * 4
    assert asked(provider, server) == [SCHEMA, JSON, PLAIN, PLAIN, PLAIN, PLAIN]


def test_a_refusal_of_plain_text_is_final(
    provider: Provider, server: Server, backend: MakeBackend, slept: list[float]
) -> None:
    model = backend()
    server.otherwise = lambda _: refusal(provider, message="temperature is too hot")
    with pytest.raises(BackendError, match=r"correct the options.*temperature is too hot") as error:
        model.complete(prompt())
    assert type(error.value) is BackendError
    assert asked(provider, server) == on_the_wire(provider, *ORDER)
    assert (model.structure, slept) == (None, [])


@pytest.mark.parametrize("provider", [OPENAI, OLLAMA], indirect=True, ids=str)
def test_a_form_is_settled_by_one_call_though_a_structure_is_known(
    provider: Provider, server: Server, backend: MakeBackend
) -> None:
    server.otherwise = lambda body: (
        refusal(provider) if provider.structure(body) is SCHEMA else ok(provider.answer())
    )
    model = backend(structure=SCHEMA, concurrency=4)
    answers = model.complete_batch([prompt(text) for text in "abcd"])
    assert [each.text for each in answers if isinstance(each, Completion)] == [TEXT] * 4
    assert asked(provider, server) == [SCHEMA, JSON, JSON, JSON, JSON]


@pytest.mark.parametrize("structure", ORDER)
@pytest.mark.parametrize("told_later", [True, False])
def test_a_known_structure_is_the_strictest_that_is_tried(
    provider: Provider,
    server: Server,
    backend: MakeBackend,
    structure: Structure,
    told_later: bool,
) -> None:
    model = backend(structure=None if told_later else structure)
    if told_later:
        model.settle(structure)
    assert model.structure is structure
    assert model.complete(prompt()).text == TEXT
    assert asked(provider, server) == on_the_wire(provider, structure)


def test_a_second_form_may_need_another_structure(
    provider: Provider, server: Server, backend: MakeBackend
) -> None:
    model = backend()
    model.complete(prompt("a"))
    server.will(refusal(provider))
    other = prompt("b", answer_schema={**SMALL, "title": "other"})
    assert [model.complete(each).text for each in (other, other, prompt("c"))] == [TEXT] * 3
    assert asked(provider, server) == on_the_wire(provider, SCHEMA, SCHEMA, JSON, JSON, SCHEMA)
    assert model.structure is SCHEMA


def test_a_structure_can_be_forgotten(
    provider: Provider, server: Server, backend: MakeBackend
) -> None:
    model = backend(structure=PLAIN)
    model.settle(None)
    model.complete(prompt())
    assert asked(provider, server) == [SCHEMA]


@pytest.mark.parametrize("status", [400, 422])
def test_a_refused_call_speaks_against_a_structure(
    provider: Provider, server: Server, backend: MakeBackend, status: int
) -> None:
    model = backend()
    server.will(refusal(provider, status))
    assert model.complete(prompt()).text == TEXT
    assert model.structure is JSON


@pytest.mark.parametrize(("status", "kind"), [(401, BackendError), (503, BackendUnavailable)])
def test_any_other_failure_leaves_the_structure_open(
    *,
    provider: Provider,
    server: Server,
    backend: MakeBackend,
    status: int,
    kind: type[BackendError],
) -> None:
    model = backend(retries=0)
    server.will(refusal(provider, status))
    with pytest.raises(kind):
        model.complete(prompt())
    assert model.structure is None
    model.complete(prompt())
    assert model.structure is SCHEMA


def test_a_passing_failure_does_not_disturb_finding_out(
    provider: Provider, server: Server, backend: MakeBackend
) -> None:
    model = backend()
    server.will(refusal(provider, 503), refusal(provider), refusal(provider, 503))
    assert model.complete(prompt()).text == TEXT
    assert asked(provider, server) == on_the_wire(provider, SCHEMA, SCHEMA, JSON, JSON)
    assert model.structure is JSON


@pytest.mark.parametrize("provider", [ANTHROPIC], indirect=True, ids=str)
def test_a_model_that_knows_no_schemas_gets_it_as_a_tool(
    provider: Provider, server: Server, backend: MakeBackend
) -> None:
    call = provider.tool_call({"weight": 2.5})
    call["content"][0]["name"] = "json_tool_call"
    server.will(ok(call))
    model = backend(model={"model": "anthropic/claude-3-haiku-20240307"})
    assert model.complete(prompt()).text == TEXT
    [tool] = server.bodies[0]["tools"]
    assert tool["input_schema"]["properties"] == WIRE_SCHEMA["properties"]
    assert model.structure is SCHEMA


@pytest.mark.filterwarnings("ignore:.*TypedDict class '_Cohere:UserWarning")
@pytest.mark.parametrize("provider", [OPENAI], indirect=True, ids=str)
def test_a_hosted_model_without_either_mode_is_asked_in_plain_text(
    provider: Provider,
    router: respx.MockRouter,
    backend: MakeBackend,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COHERE_API_KEY", "none-needed")
    route = router.post(host__regex="cohere").respond(401, json={"message": "who are you"})
    with pytest.raises(BackendError, match="who are you"):
        backend(model={"model": "cohere/command"}, api_base=None).complete(prompt())
    [call] = route.calls
    assert "response_format" not in json.loads(call.request.content)
