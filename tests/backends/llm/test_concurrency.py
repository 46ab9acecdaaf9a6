"""Several calls at a time: never more than allowed, in order, each with its own fate."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
from collections.abc import Iterator

import httpx
import pytest
import respx

from patchlab_agent.errors import BackendError, BackendUnavailable, Interruption
from patchlab_agent.models.model import Structure
from patchlab_agent.models.prompt import Completion
from tests.backends.llm.conftest import MakeBackend
from tests.backends.llm.helpers import LOCAL, Provider, Server, ok, prompt, refusal

TEXTS = [str(n) for n in range(8)]


class Crowd:
    """Answers each request with its own text, the later ones sooner, and counts who is there.

    Attributes:
        most: requests that were there at the same time.
        statuses: of requests that get an error instead, by their text.
    """

    def __init__(self, provider: Provider, router: respx.MockRouter) -> None:
        self.most = 0
        self.statuses: dict[str, int] = {}
        self._provider = provider
        self._present = 0
        router.post(provider.url).mock(side_effect=self._answer)
        router.post(f"{LOCAL}/api/show").respond(json={"model_info": {}, "capabilities": []})

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        *_, (_, text) = self._provider.messages(json.loads(request.content))
        self._present += 1
        self.most = max(self.most, self._present)
        await asyncio.sleep(0.01 * (len(TEXTS) - int(text)))
        self._present -= 1
        if text in self.statuses:
            return refusal(self._provider, self.statuses[text])
        return ok(self._provider.answer(text))


@pytest.fixture
def crowd(provider: Provider, router: respx.MockRouter) -> Crowd:
    return Crowd(provider, router)


def fates(backend: MakeBackend, concurrency: int) -> list[str | type[Interruption]]:
    """What became of a batch: texts and kinds of errors."""
    model = backend(concurrency=concurrency, structure=Structure.SCHEMA, retries=0)
    answers = model.complete_batch([prompt(text) for text in TEXTS])
    return [each.text if isinstance(each, Completion) else type(each) for each in answers]


@pytest.mark.parametrize("concurrency", [1, 3, 20])
def test_as_many_calls_as_allowed_run_beside_each_other_and_answers_keep_their_order(
    crowd: Crowd, backend: MakeBackend, concurrency: int
) -> None:
    assert fates(backend, concurrency) == TEXTS
    # The first one settles how the model is held to the form, and is asked alone.
    assert crowd.most == min(concurrency, len(TEXTS) - 1)


@pytest.fixture
def heard() -> Iterator[None]:
    """Ctrl-C counts, though a shell may have the tests in its background, where it is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heard")
def test_after_an_interrupt_no_call_goes_on(
    server: Server, provider: Provider, backend: MakeBackend
) -> None:
    ended: list[str] = []

    async def interrupted(_: float) -> None:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended.append("in time")
            raise

    server.otherwise = lambda _: refusal(provider, 503)
    model = backend(sleep=interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.complete_batch([prompt("a"), prompt("b")])
    model.close()
    assert ended == ["in time"]
    assert len(server.bodies) == 1


def test_errors_stand_in_the_place_of_their_answers(crowd: Crowd, backend: MakeBackend) -> None:
    crowd.statuses = {"3": 401, "5": 404}
    kept: list[str | type[BackendError]] = [*TEXTS]
    kept[3], kept[5] = BackendError, BackendError
    assert fates(backend, 3) == kept


def test_after_an_outage_the_rest_of_a_batch_is_not_tried(
    crowd: Crowd, backend: MakeBackend
) -> None:
    crowd.statuses = {"3": 503}
    assert fates(backend, 1) == [*TEXTS[:3], *[BackendUnavailable] * len(TEXTS[3:])]
