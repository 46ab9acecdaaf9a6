"""The parameters of model calls."""

from __future__ import annotations

import re
from enum import StrEnum

from pydantic import Field

from patchlab_agent.models.base import Frozen

DEFAULT_MAX_TOKENS = 1024
DEFAULT_TIMEOUT = 120.0
"""In seconds, for one answer."""


class ModelParameters(Frozen):
    """The parameters that, besides the prompt, determine a model's answer.

    Example:
        >>> str(ModelParameters(model="ollama_chat/qwen2.5-coder:1.5b", temperature=0.2))
        'ollama_chat/qwen2.5-coder:1.5b(temperature=0.2, max_tokens=1024)'
    """

    model: str = Field(min_length=1, description="in litellm's form: provider/model")
    temperature: float = Field(default=0.0, ge=0, le=2)
    max_tokens: int = Field(default=DEFAULT_MAX_TOKENS, ge=1, description="in one answer")
    seed: int | None = Field(default=None, description="of the model's sampling")

    @property
    def varies(self) -> bool:
        """True if another draw of the same prompt may give a different answer."""
        return self.temperature > 0

    def __str__(self) -> str:
        shown = [f"temperature={self.temperature:g}", f"max_tokens={self.max_tokens}"]
        if self.seed is not None:
            shown.append(f"seed={self.seed}")
        return f"{self.model}({', '.join(shown)})"


class Structure(StrEnum):
    """A way to hold a model to the answer's form, strictest first."""

    SCHEMA = "json_schema"
    """The server enforces the JSON schema."""
    JSON = "json_object"
    """The server enforces valid JSON."""
    TEXT = "text"
    """The prompt asks for JSON, which is then extracted from the text."""


_LOGIN = re.compile(r"//[^/@\s]*@")


def without_login(address: str) -> str:
    """Return an address that is safe to show and store: user name and password are masked."""
    return _LOGIN.sub("//***@", address)
