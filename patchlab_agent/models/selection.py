"""Which traces are asked for."""

from __future__ import annotations

from pydantic import Field

from patchlab_agent.models.base import Frozen


class Selection(Frozen):
    """Traces of which all that is given here is true."""

    label: str | None = Field(default=None, description="an error label, or OK")
    failed: bool = Field(default=False, description="somebody judged it, and found it wrong")
    better: bool = Field(default=False, description="right, where the baseline was wrong")
    applied: str | None = Field(default=None, description="id of a patch in its prompt")
    run: str | None = Field(default=None, description="run-0001, or quote")


EVERY = Selection()
