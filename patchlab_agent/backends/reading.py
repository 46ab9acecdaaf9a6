"""Where a model's answer stands in what a server sent: servers put it in several places."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from patchlab_agent.models.masking import masked
from patchlab_agent.models.prompt import Completion, Usage


def completion_of(
    response: Any, cost_usd: float | None, seconds: float, secrets: frozenset[str] = frozenset()
) -> Completion:
    """Return what a response says, with its usage.

    Args:
        response: of litellm.
        cost_usd: the cost, if known.
        seconds: the time that it took.
        secrets: what the server is not to repeat, besides keys in the environment.
    """
    choices = getattr(response, "choices", None) or []
    message = getattr(choices[0], "message", None) if choices else None
    ended = getattr(choices[0], "finish_reason", None) if choices else None
    usage = getattr(response, "usage", None)
    details = getattr(usage, "prompt_tokens_details", None)
    cut_off = ended == "length"
    return Completion(
        text=masked(_text(message, cut_off=cut_off), secrets),
        usage=Usage(
            # litellm reports 0 for a server that counts no tokens.
            prompt_tokens=getattr(usage, "prompt_tokens", None) or None,
            cached_prompt_tokens=getattr(details, "cached_tokens", None),
            completion_tokens=getattr(usage, "completion_tokens", None) or None,
            cost_usd=cost_usd,
            seconds=seconds,
        ),
        cut_off=cut_off,
        filtered=ended == "content_filter",
    )


def _text(message: Any, *, cut_off: bool) -> str:
    """Return the model's answer, wherever the server put it.

    It is the content, unless a tool that the model meant to call got the answer; or the reasoning,
    where a server takes all that the model says for that. Half a surrogate pair, which no file can
    hold, becomes a question mark.
    """
    said: str = getattr(message, "content", None) or ""
    if not _holds_object(said):
        said = next(_called_with(message), said)
    if not said.strip() and not cut_off:
        # One that was cut off while it reasoned has not come to its answer.
        said = getattr(message, "reasoning_content", None) or said
    return said.encode("utf-8", "replace").decode("utf-8")


def _called_with(message: Any) -> Iterator[str]:
    """Yield the arguments of the tools, or of the function, that the model meant to call."""
    calls = getattr(message, "tool_calls", None) or []
    functions = [getattr(call, "function", None) for call in calls]
    for function in (*functions, getattr(message, "function_call", None)):
        arguments = getattr(function, "arguments", None)
        if arguments is not None and arguments != "":
            yield arguments if isinstance(arguments, str) else json.dumps(arguments)


def _holds_object(text: str) -> bool:
    start = text.find("{")
    try:
        json.JSONDecoder().raw_decode(text[start:] if start >= 0 else "")
    except (ValueError, RecursionError):
        return False
    return True
