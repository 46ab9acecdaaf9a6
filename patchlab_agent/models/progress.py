"""What a run began with and where it is, so that a run that was cut off can be resumed."""

from __future__ import annotations

from pydantic import Field

from patchlab_agent.models.base import Frozen, JsonObject
from patchlab_agent.models.patch import Status


class StartedRun(Frozen):
    """What a run began with."""

    run: str
    settings: JsonObject = Field(description="all but the store's place, paths in full")
    requests: str = Field(description="digest of the labeled requests; empty: generated ones")
    at_start: dict[str, Status] = Field(description="status of each patch in the store, by id")
    continued_from: int = Field(description="active patches in the store")
    started_at: str = Field(description="ISO 8601 time")
    is_finished: bool = Field(default=False, description="it came to its end, and has its report")


class RunState(Frozen):
    """Where a run is after its latest whole window."""

    run: str
    done: int = Field(default=0, description="requests of whole windows")
    spans: tuple[tuple[int, int], ...] = Field(
        default=(), description="from which request on traces have which number; both from 0"
    )
    log: tuple[int, int] = Field(
        default=(0, 0), description="the log's number, and its bytes that belong to what is done"
    )
    spent: dict[str, JsonObject] = Field(default={}, description="usage of the model by purpose")
    noise: tuple[int, int] | None = Field(
        default=None, description="right answers and draws from which the gate estimates noise"
    )
    full_calls: int = Field(default=0, description="calls of a gate that asks everything")
    structure: str | None = Field(default=None, description="how the model is held to a form")
    taken_back: JsonObject | None = Field(
        default=None,
        description="what takes back the window in which the run stopped; None: it was whole",
    )
    touched: bool = Field(default=False, description="something else was learned since then")
