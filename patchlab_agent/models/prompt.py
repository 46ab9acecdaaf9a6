"""What a model is asked, and what it answers."""

from __future__ import annotations

from typing import Literal, TypeVar

from pydantic import Field, SkipValidation

from patchlab_agent.models.base import Frozen, JsonObject, Whole

Number = TypeVar("Number", int, float)


class Message(Frozen):
    """One turn of a chat prompt.

    Example:
        >>> Message(role="user", content="Ship 2 kg books box to US").model_dump()
        {'role': 'user', 'content': 'Ship 2 kg books box to US'}
    """

    role: Literal["system", "user", "assistant"]
    content: str


class Prompt(Frozen):
    """The input of a backend: messages, the answer's JSON schema, and the draw.

    Example:
        >>> asked = Message(role="user", content="Ship 2 kg books box to US")
        >>> Prompt(messages=(asked,), answer_schema={"type": "object"}, draw="0").user
        'Ship 2 kg books box to US'
    """

    messages: tuple[Message, ...]
    answer_schema: SkipValidation[JsonObject] = Field(
        description="JSON schema of the expected answer; the skill's own, so not checked"
    )
    draw: str = Field(
        description="names the sample: the same prompt and draw always give the same answer"
    )
    request: str = Field(
        default="", description="what the prompt is about, for people; no model sees it"
    )
    purpose: str = Field(
        default="answer", description="what the call's usage is counted under; no model sees it"
    )
    stable: int = Field(default=1, description="number of leading messages that all requests share")
    repairs: int = Field(
        default=0, description="number of turns that show the model what is wrong with its answer"
    )

    @property
    def system(self) -> str:
        """The stable part of the prompt."""
        return self.messages[0].content

    @property
    def user(self) -> str:
        """The last turn, which contains the request."""
        return self.messages[-1].content

    @property
    def changing(self) -> str:
        """The part specific to this request, from top to bottom."""
        return "\n".join(message.content for message in self.messages[self.stable :])


class Usage(Frozen):
    """The usage of a completion; None where the backend does not know it.

    Example:
        >>> (Usage(prompt_tokens=40, cost_usd=0.01) + Usage(prompt_tokens=2)).prompt_tokens
        42
    """

    prompt_tokens: int | None = None
    cached_prompt_tokens: int | None = Field(
        default=None, description="prompt tokens that were served from the server's cache"
    )
    completion_tokens: int | None = None
    cost_usd: float | None = None
    seconds: float | None = Field(default=None, description="duration of the call")
    cached: bool = Field(default=False, description="already known, so it cost nothing")

    def __add__(self, other: Usage) -> Usage:
        """Add up the usage of two calls for one answer."""
        return Usage(
            prompt_tokens=_sum(self.prompt_tokens, other.prompt_tokens),
            cached_prompt_tokens=_sum(self.cached_prompt_tokens, other.cached_prompt_tokens),
            completion_tokens=_sum(self.completion_tokens, other.completion_tokens),
            cost_usd=_sum(self.cost_usd, other.cost_usd),
            seconds=_sum(self.seconds, other.seconds),
            cached=self.cached and other.cached,
        )


def _sum(one: Number | None, other: Number | None) -> Number | None:
    return other if one is None else one if other is None else one + other


class Completion(Frozen):
    """A backend's answer.

    Example:
        >>> Completion(text='{"weight": 2}', usage=Usage(completion_tokens=5)).cut_off
        False
    """

    text: Whole
    usage: Usage = Usage()
    cut_off: bool = Field(default=False, description="the token limit cut it off")
    filtered: bool = Field(default=False, description="the provider's filter removed it")
