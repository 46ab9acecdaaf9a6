"""A real model, local or hosted, through litellm.

litellm is imported with the first call, never before: it takes seconds. Its bundled price map is
used, and its own retries, telemetry and terminal hints are off. Keys come from the environment,
where litellm looks for them; none is kept here.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from functools import cache, partial
from typing import Any

from anyio.from_thread import BlockingPortal, start_blocking_portal
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt

from patchlab_agent.backends.base import Answered, BatchBackend
from patchlab_agent.backends.faults import (
    LONGEST_WAIT,
    is_worth_waiting,
    meaning_of,
    rejected_answer,
    retry_after,
    translated,
)
from patchlab_agent.backends.manner import Manner
from patchlab_agent.backends.reading import completion_of
from patchlab_agent.backends.wording import Meaning
from patchlab_agent.errors import BackendError, BackendUnavailable
from patchlab_agent.models.base import JsonObject, digest
from patchlab_agent.models.model import (
    DEFAULT_TIMEOUT,
    ModelParameters,
    Structure,
    secrets_in,
    server_at,
)
from patchlab_agent.models.prompt import Completion, Prompt, Usage

DEFAULT_RETRIES = 5
PROVIDER = "the provider"
"""Stands for the address of the model's own provider."""
NO_KEY = "none-needed"
"""Key sent to a local server if none is set, as litellm insists on sending one."""

_KEPT_KEYWORDS = frozenset(
    {
        "$defs",
        "$ref",
        "additionalProperties",
        "anyOf",
        "const",
        "description",
        "enum",
        "items",
        "properties",
        "required",
        "type",
    }
)


class LlmBackend(BatchBackend):
    """A model behind litellm.

    A call that fails for a transient reason (429, 5xx, timeout, dropped connection) is retried
    with exponential backoff and jitter, or after the pause that the server asks for; if that is
    too long, it is not retried. Any other failure is final at once.

    The first answer in a form settles how the model is held to it: by JSON schema; if the model
    or its server refuses that, by JSON mode; else by the prompt alone. The first answer to a system
    message settles whether there is one: where the model's template has none, it precedes the
    first user turn.

    Args:
        parameters: model and sampling.
        api_base: the server's address; None uses the provider's.
        timeout: seconds to wait for one answer.
        retries: maximum number of retries after a transient failure.
        concurrency: number of concurrent calls.
        structure: the strictest way to hold the model to a form; None finds out.
        rng: source of the jitter.
        sleep: waits for a number of seconds.

    Example:
        >>> backend = LlmBackend(ModelParameters(model="openai/mine"), api_base="http://127.0.0.1:8080/v1")
        >>> backend.name
        'openai/mine(temperature=0, max_tokens=1024)'
    """

    def __init__(
        self,
        parameters: ModelParameters,
        *,
        api_base: str | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        retries: int = DEFAULT_RETRIES,
        concurrency: int = 1,
        structure: Structure | None = None,
        rng: random.Random | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.parameters = parameters
        self._structure = structure
        self._api_base = api_base
        self._timeout = timeout
        self._retries = retries
        self._rng = rng or random.Random()  # noqa: S311 - spreads pauses, decides nothing
        self._sleep = sleep
        self._portal: tuple[AbstractContextManager[BlockingPortal], BlockingPortal] | None = None
        self._secrets = secrets_in(api_base)
        self._settled: dict[str, Structure] = {}
        self._manner = Manner()
        self._outage: BackendUnavailable | None = None
        self._limit = asyncio.Semaphore(concurrency)

    @property
    def name(self) -> str:
        """The model and its parameters."""
        return str(self.parameters)

    @property
    def varies(self) -> bool:
        """True unless the temperature is 0, at which every draw is the same."""
        return self.parameters.varies

    @property
    def structure(self) -> Structure | None:
        """The structure, as given or as settled by the first answer."""
        return self._structure

    @property
    def server(self) -> str:
        """The server's address without login or key, or `PROVIDER`."""
        provider = self.parameters.model.partition("/")[0].partition("_chat")[0].upper()
        named = (os.environ.get(f"{provider}_{name}") for name in ("API_BASE", "BASE_URL"))
        address = self._api_base or next(filter(None, named), None)
        return PROVIDER if address is None else server_at(address)

    def complete_batch(self, prompts: Sequence[Prompt]) -> list[Answered]:
        """Answer prompts, `concurrency` at a time."""
        future = self._event_loop().start_task_soon(self._complete_all, list(prompts))
        try:
            return future.result()
        except BaseException:
            # After Ctrl-C nobody waits for the calls in flight, and they may cost money.
            future.cancel()
            raise

    def settle(self, structure: Structure | None) -> None:
        """Hold the model to a form no more strictly than this; None finds out."""
        self._structure = structure
        self._settled.clear()

    def close(self) -> None:
        """Stop the thread that makes the calls."""
        if self._portal is not None:
            manager, _ = self._portal
            self._portal = None
            manager.__exit__(None, None, None)

    def _event_loop(self) -> BlockingPortal:
        if self._portal is None:
            # A loop of its own, so that callers with a running one (notebooks) can call as well.
            manager = start_blocking_portal()
            self._portal = (manager, manager.__enter__())
        return self._portal[1]

    async def _complete_all(self, prompts: list[Prompt]) -> list[Answered]:
        self._outage = None
        answers: dict[int, Answered] = {}
        for number, prompt in enumerate(prompts):
            # The first prompt of a form is asked alone: what settles the form must not depend on
            # timing.
            if _form(prompt) not in self._settled:
                answers[number] = await self._complete(prompt)
        rest = [number for number in range(len(prompts)) if number not in answers]
        found = await asyncio.gather(*(self._complete(prompts[number]) for number in rest))
        answers.update(zip(rest, found, strict=True))
        return [answers[number] for number in range(len(prompts))]

    async def _complete(self, prompt: Prompt) -> Answered:
        async with self._limit:
            # A model that is unreachable for one prompt is so for the rest of the batch.
            if self._outage is not None:
                return self._outage
            try:
                return await self._in_structure(prompt)
            except BackendUnavailable as outage:
                self._outage = outage
                return outage
            except BackendError as error:
                return error

    async def _in_structure(self, prompt: Prompt) -> Completion:
        """Answer a prompt; the first of its form in the strictest structure not refused."""
        form = _form(prompt)
        structure = (
            self._settled.get(form)
            or self._structure
            or _strictest(_litellm(), self.parameters.model, self._api_base)
        )
        manner = self._manner.with_structure(structure, is_settled=form in self._settled)
        while True:
            try:
                completion = await self._ask(prompt, manner)
            except _Refused as refusal:
                milder = manner.milder(refusal.meaning, prompt)
                if milder is None:
                    raise refusal.translated from refusal
                manner = milder
            else:
                # A filtered answer says nothing about the form.
                if not completion.filtered:
                    self._settled[form] = manner.structure
                    self._structure = self._structure or manner.structure
                    self._manner = manner.settled(prompt)
                return completion

    async def _ask(self, prompt: Prompt, manner: Manner) -> Completion:
        started = time.perf_counter()
        retrying = AsyncRetrying(
            retry=retry_if_exception(partial(is_worth_waiting, known=manner.known)),
            stop=stop_after_attempt(1 + self._retries),
            wait=self._pause,
            sleep=self._sleep,
            reraise=True,
        )
        litellm = _litellm()
        try:
            arguments = self._arguments(prompt, manner)
            response: Any = await retrying(litellm.acompletion, **arguments)
        except Exception as error:
            meaning = meaning_of(error)
            if meaning is Meaning.FILTERED:
                return Completion(text="", usage=Usage(seconds=_since(started)), filtered=True)
            if meaning is Meaning.BAD_ANSWER:
                answer = rejected_answer(error, self._secrets)
                return Completion(text=answer, usage=Usage(seconds=_since(started)))
            failure = translated(
                error, self.parameters.model, self._api_base, self._retries, manner.known
            )
            if failure is None:
                raise
            raise _Refused(failure, meaning) from error
        return completion_of(response, _cost(litellm, response), _since(started), self._secrets)

    def _pause(self, state: RetryCallState) -> float:
        """Return the seconds until the next try: the server's wish, else backoff with jitter."""
        error = state.outcome.exception() if state.outcome else None
        wanted = retry_after(error)
        if wanted is not None:
            return wanted
        ceiling = min(LONGEST_WAIT, 2.0 ** (state.attempt_number - 1))
        return self._rng.uniform(ceiling / 2, ceiling)

    def _arguments(self, prompt: Prompt, manner: Manner) -> dict[str, Any]:
        arguments: dict[str, Any] = {
            "model": self.parameters.model,
            "messages": [message.model_dump() for message in manner.messages(prompt)],
            "temperature": self.parameters.temperature,
            manner.limit: self.parameters.max_tokens,
            "timeout": self._timeout,
            "num_retries": 0,
            "max_retries": 0,
        }
        if self.parameters.seed is not None:
            arguments["seed"] = self.parameters.seed
        if self._api_base is not None:
            arguments["api_base"] = self._api_base
            if self.parameters.model.startswith("ollama"):
                # litellm looks up a model's abilities there, whatever address the call gives.
                os.environ.setdefault("OLLAMA_API_BASE", self._api_base)
            if self.parameters.model.startswith("openai/") and not os.environ.get("OPENAI_API_KEY"):
                arguments["api_key"] = NO_KEY
        match manner.structure:
            case Structure.SCHEMA:
                schema = {"name": "answer", "schema": wire_schema(prompt.answer_schema)}
                arguments["response_format"] = {
                    "type": "json_schema",
                    "json_schema": {**schema, "strict": True},
                }
            case Structure.JSON:
                arguments["response_format"] = {"type": "json_object"}
        return arguments


def _form(prompt: Prompt) -> str:
    return digest(prompt.answer_schema)


class _Refused(Exception):
    """A call that failed for good as it was made; another manner may work."""

    def __init__(self, translated: BackendError, meaning: Meaning) -> None:
        super().__init__(str(translated))
        self.translated = translated
        self.meaning = meaning


def wire_schema(schema: JsonObject) -> JsonObject:
    """Return a schema without limits that servers refuse or slow down on; the skill checks them."""
    kept: JsonObject = {}
    for keyword, value in schema.items():
        if keyword in {"anyOf", "oneOf"} and isinstance(value, list):
            # As their `kind` differs, the alternatives of a union never hold at once.
            kept["anyOf"] = [wire_schema(part) for part in value if isinstance(part, dict)]
        elif keyword in {"properties", "$defs"} and isinstance(value, dict):
            kept[keyword] = {
                name: wire_schema(part) if isinstance(part, dict) else part
                for name, part in value.items()
            }
        elif keyword in _KEPT_KEYWORDS:
            kept[keyword] = wire_schema(value) if isinstance(value, dict) else value
    if isinstance(properties := kept.get("properties"), dict):
        # Strict servers accept no optional properties, so those with a default are required too.
        kept["required"] = list(properties)
    return kept


@cache
def _litellm() -> Any:
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    os.environ.setdefault("LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS", "True")
    os.environ.setdefault("LITELLM_LOG", "ERROR")
    import litellm  # noqa: PLC0415 - takes seconds

    litellm.telemetry = False
    litellm.suppress_debug_info = True
    litellm.disable_aiohttp_transport = True
    litellm.drop_params = False
    return litellm


def _strictest(litellm: Any, model: str, api_base: str | None) -> Structure:
    """Return the strictest structure a model takes by litellm's account; own servers are tried."""
    if api_base is not None or litellm.supports_response_schema(model):
        return Structure.SCHEMA
    try:
        taken = litellm.get_supported_openai_params(model) or []
    except Exception:
        taken = []
    return Structure.SCHEMA if "response_format" in taken else Structure.TEXT


def _since(started: float) -> float:
    return round(time.perf_counter() - started, 3)


def _cost(litellm: Any, response: Any) -> float | None:
    try:
        # litellm may also report 0 for a model without a known price.
        return litellm.completion_cost(completion_response=response) or None
    except Exception:
        return None
