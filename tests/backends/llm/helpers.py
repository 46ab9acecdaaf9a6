"""Three providers as they speak HTTP, and a server that answers as one of them from a script."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from typing import Any, TypeAlias

import httpx
import respx

from patchlab_agent.models.model import ModelParameters, Structure
from patchlab_agent.models.prompt import Message, Prompt

LOCAL = "http://127.0.0.1:18091"
TEXT = '{"weight": 2.5}'
PROMPT_TOKENS = 11
CACHED_TOKENS = 8
"""Of the prompt tokens, as a server of OpenAI's kind tells them."""
ANSWER_TOKENS = 7
KEY = "sk-ant-dummy-0123456789"
SCHEMA: dict[str, Any] = {
    "title": "answer",
    "type": "object",
    "properties": {"weight": {"anyOf": [{"type": "number", "maximum": 9}, {"type": "null"}]}},
    "required": ["weight"],
    "additionalProperties": False,
}
WIRE_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"weight": {"anyOf": [{"type": "number"}, {"type": "null"}]}},
    "required": ["weight"],
    "additionalProperties": False,
}
REQUEST = "Ship 2 kg books box to US"
ANSWER = {
    "weight": 2,
    "unit": "kg",
    "kg_per_unit": 1,
    "item": "books",
    "category": "media",
    "prohibited": None,
    "parcel": "box",
    "parcel_limit_kg": 30,
    "parcel_takes_liquids": False,
    "destination": "US",
    "country": "US",
    "embargo": None,
    "declarations": [],
}
GOOD = json.dumps(ANSWER)
"""What the shipping skill takes for an answer to the request."""

Body: TypeAlias = dict[str, Any]
Reply: TypeAlias = httpx.Response | Exception


class Provider(ABC):
    """What is particular to a provider: its addresses, its answers and how it is asked.

    Attributes:
        takes_seed: litellm lets a seed through to it.
        redials: requests that litellm's own HTTP client makes of one call that is dropped.
    """

    model: str
    api_base: str | None
    url: str
    takes_seed = True
    redials = 2

    def __str__(self) -> str:
        return type(self).__name__

    @abstractmethod
    def answer(self, text: str = TEXT, *, cut_off: bool = False) -> Body:
        """A good answer, or one that the token limit ended."""

    @abstractmethod
    def tool_call(self, arguments: Body) -> Body:
        """An answer that is no text but the call of a tool."""

    @abstractmethod
    def empty_answers(self) -> dict[str, Body]:
        """Answers without text, by what makes them so."""

    @abstractmethod
    def error(self, message: str, kind: str = "invalid_request_error") -> Body:
        """The body of an answer with an error's status."""

    @abstractmethod
    def too_long(self) -> list[Body]:
        """How it says that the prompt is longer than the context."""

    @abstractmethod
    def messages(self, body: Body) -> list[tuple[str, str]]:
        """Role and content of what it was asked."""

    @abstractmethod
    def sampling(self, body: Body) -> Body:
        """Temperature, limit of tokens and seed that it was asked with."""

    @abstractmethod
    def schema(self, body: Body) -> Body | None:
        """The JSON schema that it was asked to keep to."""

    @abstractmethod
    def structure(self, body: Body) -> Structure:
        """How it was asked to keep to the answer's form."""

    @abstractmethod
    def key(self, headers: httpx.Headers) -> str | None:
        """The key that it was asked with."""


class OpenAiCompatible(Provider):
    model = "openai/m"
    api_base = f"{LOCAL}/v1"
    url = f"{LOCAL}/v1/chat/completions"
    redials = 1

    def answer(self, text: str = TEXT, *, cut_off: bool = False) -> Body:
        return self.choice({"content": text}, "length" if cut_off else "stop")

    def tool_call(self, arguments: Body) -> Body:
        function = {"name": "answer", "arguments": json.dumps(arguments)}
        calls = [{"id": "call_1", "type": "function", "function": function}]
        return self.choice({"content": None, "tool_calls": calls}, "tool_calls")

    def empty_answers(self) -> dict[str, Body]:
        refused = {"content": None, "refusal": "I cannot help with that."}
        return {
            "no choices": {**self.answer(), "choices": []},
            "null content": self.choice({"content": None}, "stop"),
            "empty content": self.answer(""),
            "refusal": self.choice(refused, "stop"),
            "content filter": self.choice({"content": None}, "content_filter"),
        }

    def error(self, message: str, kind: str = "invalid_request_error") -> Body:
        return {"error": {"message": message, "type": kind, "param": None, "code": None}}

    def too_long(self) -> list[Body]:
        openai = self.error(
            "This model's maximum context length is 8192 tokens. However, your messages resulted "
            "in 9000 tokens. Please reduce the length of the messages."
        )
        openai["error"]["code"] = "context_length_exceeded"
        newer = self.error("Your input exceeds the context window of this model.")
        newer["error"]["code"] = "context_length_exceeded"
        llama_cpp = {
            "error": {
                "code": 400,
                "message": "request (9000 tokens) exceeds the available context size (4096 tokens)",
                "type": "exceed_context_size_error",
                "n_prompt_tokens": 9000,
                "n_ctx": 4096,
            }
        }
        lm_studio = self.error(
            "Trying to keep the first 9000 tokens when context the overflows. However, the model "
            "is loaded with context length of only 4096 tokens, which is not enough."
        )
        vllm = self.error(
            "The decoder prompt (length 6379) is longer than the maximum model length of 4096.",
            "BadRequestError",
        )
        return [openai, newer, llama_cpp, lm_studio, vllm]

    def messages(self, body: Body) -> list[tuple[str, str]]:
        return [(message["role"], message["content"]) for message in body["messages"]]

    def sampling(self, body: Body) -> Body:
        return {name: body.get(name) for name in ("temperature", "max_tokens", "seed")}

    def schema(self, body: Body) -> Body | None:
        found: Body | None = body["response_format"]["json_schema"]["schema"]
        return found

    def structure(self, body: Body) -> Structure:
        return Structure(body.get("response_format", {"type": "text"})["type"])

    def key(self, headers: httpx.Headers) -> str | None:
        return headers["authorization"].removeprefix("Bearer ")

    def choice(self, message: Body, finish_reason: str) -> Body:
        choice = {
            "index": 0,
            "message": {"role": "assistant", **message},
            "logprobs": None,
            "finish_reason": finish_reason,
        }
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1767323045,
            "model": "m",
            "choices": [choice],
            "usage": {
                "prompt_tokens": PROMPT_TOKENS,
                "completion_tokens": ANSWER_TOKENS,
                "total_tokens": PROMPT_TOKENS + ANSWER_TOKENS,
                "prompt_tokens_details": {"cached_tokens": CACHED_TOKENS},
            },
        }


class Ollama(Provider):
    model = "ollama_chat/m"
    api_base = LOCAL
    url = f"{LOCAL}/api/chat"

    def answer(self, text: str = TEXT, *, cut_off: bool = False) -> Body:
        return self._message({"content": text}, "length" if cut_off else "stop")

    def tool_call(self, arguments: Body) -> Body:
        call = {"function": {"name": "answer", "arguments": arguments}}
        return self._message({"content": "", "tool_calls": [call]}, "stop")

    def empty_answers(self) -> dict[str, Body]:
        return {"empty content": self.answer("")}

    def error(self, message: str, kind: str = "invalid_request_error") -> Body:
        return {"error": message}

    def too_long(self) -> list[Body]:
        return [self.error("the input length exceeds the context length")]

    def messages(self, body: Body) -> list[tuple[str, str]]:
        return [(message["role"], message["content"]) for message in body["messages"]]

    def sampling(self, body: Body) -> Body:
        options = body["options"]
        return {
            "temperature": options.get("temperature"),
            "max_tokens": options.get("num_predict"),
            "seed": options.get("seed"),
        }

    def schema(self, body: Body) -> Body | None:
        found: Body | None = body["format"]
        return found

    def structure(self, body: Body) -> Structure:
        if "format" not in body:
            return Structure.TEXT
        return Structure.JSON if body["format"] == "json" else Structure.SCHEMA

    def key(self, headers: httpx.Headers) -> str | None:
        return str(headers["authorization"]) if "authorization" in headers else None

    def _message(self, message: Body, done_reason: str) -> Body:
        return {
            "model": "m",
            "created_at": "2026-01-02T03:04:05.678901Z",
            "message": {"role": "assistant", **message},
            "done": True,
            "done_reason": done_reason,
            "total_duration": 1_234_567_890,
            "prompt_eval_count": PROMPT_TOKENS,
            "eval_count": ANSWER_TOKENS,
        }


class Anthropic(Provider):
    model = "anthropic/claude-sonnet-4-5"
    api_base = None
    url = "https://api.anthropic.com/v1/messages"
    takes_seed = False

    def answer(self, text: str = TEXT, *, cut_off: bool = False) -> Body:
        return self._content(
            [{"type": "text", "text": text}], "max_tokens" if cut_off else "end_turn"
        )

    def tool_call(self, arguments: Body) -> Body:
        used = {"type": "tool_use", "id": "toolu_1", "name": "answer", "input": arguments}
        return self._content([used], "tool_use")

    def empty_answers(self) -> dict[str, Body]:
        return {
            "no content": self._content([], "end_turn"),
            "empty content": self.answer(""),
            "refusal": self._content([], "refusal"),
        }

    def error(self, message: str, kind: str = "invalid_request_error") -> Body:
        return {"type": "error", "error": {"type": kind, "message": message}}

    def too_long(self) -> list[Body]:
        return [self.error("prompt is too long: 208310 tokens > 200000 maximum")]

    def messages(self, body: Body) -> list[tuple[str, str]]:
        turns = [{"role": "system", "content": body["system"]}, *body["messages"]]
        return [(turn["role"], "".join(p["text"] for p in turn["content"])) for turn in turns]

    def sampling(self, body: Body) -> Body:
        return {name: body.get(name) for name in ("temperature", "max_tokens", "seed")}

    def schema(self, body: Body) -> Body | None:
        found: Body | None = body["output_format"]["schema"]
        return found

    def structure(self, body: Body) -> Structure:
        # litellm asks Anthropic for nothing in JSON mode: on the wire it is plain text.
        return Structure.SCHEMA if "output_format" in body else Structure.TEXT

    def key(self, headers: httpx.Headers) -> str | None:
        return str(headers["x-api-key"]) if "x-api-key" in headers else None

    def _content(self, content: list[Body], stop_reason: str) -> Body:
        return {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "claude-sonnet-4-5-20250929",
            "content": content,
            "stop_reason": stop_reason,
            "stop_sequence": None,
            "usage": {"input_tokens": PROMPT_TOKENS, "output_tokens": ANSWER_TOKENS},
        }


OPENAI, OLLAMA, ANTHROPIC = OpenAiCompatible(), Ollama(), Anthropic()
PROVIDERS: tuple[Provider, ...] = (OPENAI, OLLAMA, ANTHROPIC)


class Server:
    """Answers as a provider does: what is scripted, then what `otherwise` makes of the request.

    Attributes:
        bodies: what it was asked, in order.
    """

    def __init__(self, provider: Provider, router: respx.MockRouter) -> None:
        self.bodies: list[Body] = []
        self.headers: list[httpx.Headers] = []
        self.otherwise: Callable[[Body], httpx.Response] = lambda _: ok(provider.answer())
        self._script: deque[Reply] = deque()
        router.post(provider.url).mock(side_effect=self._answer)
        # litellm asks Ollama what a model can do.
        router.post(f"{LOCAL}/api/show").respond(json={"model_info": {}, "capabilities": []})

    def will(self, *replies: Reply) -> None:
        """Script the next replies; an exception in place of one is a connection's failure."""
        self._script.extend(replies)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        self.bodies.append(body)
        self.headers.append(request.headers)
        if not self._script:
            return self.otherwise(body)
        reply = self._script.popleft()
        if isinstance(reply, Exception):
            raise reply
        return reply


def ok(body: object) -> httpx.Response:
    return httpx.Response(200, json=body)


def refusal(provider: Provider, status: int = 400, message: str = "no such form") -> httpx.Response:
    return httpx.Response(status, json=provider.error(message))


def parameters(provider: Provider, **changed: Any) -> ModelParameters:
    return ModelParameters(**{"model": provider.model, **changed})


def prompt(text: str = "Ship 2.5 kg", *, system: str = "Read.", **changed: Any) -> Prompt:
    messages = (Message(role="system", content=system), Message(role="user", content=text))
    usual = {"messages": messages, "answer_schema": SCHEMA, "draw": "0", "request": text}
    return Prompt(**{**usual, **changed})
