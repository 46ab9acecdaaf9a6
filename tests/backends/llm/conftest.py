"""A provider, a server in its place, and backends that ask it without waiting."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import pytest
import respx

from patchlab_agent.backends.llm import LlmBackend
from tests.backends.llm.helpers import KEY, LOCAL, PROVIDERS, Provider, Server, parameters

MakeBackend: TypeAlias = Callable[..., LlmBackend]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_API_BASE", LOCAL)
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    for name in ("OPENAI", "ANTHROPIC"):
        monkeypatch.delenv(f"{name}_BASE_URL", raising=False)
        monkeypatch.delenv(f"{name}_API_BASE", raising=False)


@pytest.fixture(params=PROVIDERS, ids=str)
def provider(request: pytest.FixtureRequest) -> Provider:
    found: Provider = request.param
    return found


@pytest.fixture
def router() -> Iterator[respx.MockRouter]:
    with respx.mock(assert_all_called=False) as router:
        yield router


@pytest.fixture
def server(provider: Provider, router: respx.MockRouter) -> Server:
    return Server(provider, router)


@pytest.fixture
def slept() -> list[float]:
    """The pauses of all backends that `backend` makes."""
    return []


@pytest.fixture
def backend(provider: Provider, slept: list[float]) -> Iterator[MakeBackend]:
    """Makes backends with two retries, which only write down how long they would wait."""
    made: list[LlmBackend] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    def make(*, model: dict[str, Any] | None = None, **options: Any) -> LlmBackend:
        known = {"api_base": provider.api_base, "retries": 2, "sleep": sleep, **options}
        made.append(LlmBackend(parameters(provider, **(model or {})), **known))
        return made[-1]

    yield make
    for each in made:
        each.close()
