"""What a model is asked with."""

from __future__ import annotations

import re
from enum import StrEnum

from pydantic import Field

from patchlab_agent.models.base import Frozen

DEFAULT_MAX_TOKENS = 1024
DEFAULT_TIMEOUT = 120.0
"""Seconds for one answer."""


class ModelParameters(Frozen):
    """The parameters that decide, besides the prompt, about a model's answer.

    Example:
        >>> str(ModelParameters(model="ollama_chat/qwen2.5-coder:1.5b", temperature=0.2))
        'ollama_chat/qwen2.5-coder:1.5b(temperature=0.2, max_tokens=1024)'
    """

    model: str = Field(min_length=1, description="as litellm names it: provider/model")
    temperature: float = Field(default=0.0, ge=0, le=2)
    max_tokens: int = Field(default=DEFAULT_MAX_TOKENS, ge=1, description="in one answer")
    seed: int | None = Field(default=None, description="of the model's sampling")

    @property
    def varies(self) -> bool:
        """Whether another draw of the same prompt may give another answer."""
        return self.temperature > 0

    def __str__(self) -> str:
        shown = [f"temperature={self.temperature:g}", f"max_tokens={self.max_tokens}"]
        if self.seed is not None:
            shown.append(f"seed={self.seed}")
        return f"{self.model}({', '.join(shown)})"


class Structure(StrEnum):
    """How a model is held to the answer's form, the strictest first."""

    SCHEMA = "json_schema"
    """The server lets through only what the JSON schema allows."""
    JSON = "json_object"
    """The server lets through only JSON."""
    TEXT = "text"
    """The prompt asks for JSON, and it is looked for in the text."""


_LOGIN = re.compile(r"//[^/@\s]*@")


def without_login(address: str) -> str:
    """An address as it may be shown and kept: name and password in it are hidden."""
    return _LOGIN.sub("//***@", address)
