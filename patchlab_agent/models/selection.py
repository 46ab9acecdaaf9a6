"""A selection of traces."""

from __future__ import annotations

from pydantic import Field

from patchlab_agent.models.base import Frozen


class Selection(Frozen):
    """A filter for traces; a trace must match every condition given."""

    label: str | None = Field(default=None, description="an error label, or OK")
    failed: bool = Field(default=False, description="it was judged and found wrong")
    better: bool = Field(default=False, description="it was right and the baseline wrong")
    applied: str | None = Field(default=None, description="id of a patch in its prompt")
    run: str | None = Field(default=None, description="run-0001, or answer")


EVERY = Selection()
