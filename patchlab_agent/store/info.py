"""What a store says of itself, and of who writes to it."""

from __future__ import annotations

import os
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path

from pydantic import Field, ValidationError

from patchlab_agent.errors import StoreError
from patchlab_agent.models.base import Frozen
from patchlab_agent.models.masking import masked_words

FORMAT = 2
MARKER = "patchlab.json"
DELETED = ".deleted.json"
"""The marker of a store that is being deleted."""
MAX_COMMAND = 200
"""Characters of a writer's command line that others are told."""


class StoreInfo(Frozen):
    """The content of a store's marker file."""

    format: int = FORMAT
    skill: str
    embedder: str = Field(
        default="hashing", description="short name of the embedder its vectors come from"
    )
    task: Path | None = Field(default=None, description="the task folder that is the skill")
    is_given: bool = Field(
        default=False, description="the skill is a task that was made in Python, which is not kept"
    )
    runs: int = Field(default=0, description="runs that were started on it")


def info_text(info: StoreInfo) -> str:
    """Return the content of a marker file."""
    return f"{info.model_dump_json(indent=2)}\n"


def parse_info(marker: object, place: object, text: str) -> StoreInfo:
    """Read what a store says of itself.

    Args:
        marker: its file, as messages name it.
        place: where the store is, as messages name it.
        text: content of the file.

    Raises:
        StoreError: it is damaged, or of another format.
    """
    try:
        info = StoreInfo.model_validate_json(text)
    except ValidationError as error:
        version = _Version.of(text)
        if version is not None and version != FORMAT:
            raise _other_format(place, version) from error
        raise StoreError(f"{marker} is damaged; restore it or use another --store.") from error
    if info.format != FORMAT:
        raise _other_format(place, info.format)
    return info


class _Version(Frozen, extra="ignore"):
    format: int

    @classmethod
    def of(cls, text: str) -> int | None:
        try:
            return cls.model_validate_json(text).format
        except ValidationError:
            return None


def _other_format(place: object, found: int) -> StoreError:
    return StoreError(
        f"{place} has store format {found}, this version reads format {FORMAT}; "
        "use another --store, or the version of patchlab-agent that wrote it."
    )


class Writer(Frozen):
    """Who writes to a store, as others are told who find it locked."""

    pid: int
    command: str
    since: str

    def __str__(self) -> str:
        return f": process {self.pid} ({self.command}), since {self.since}"


def this_process() -> Writer:
    """Return who this process is, without secrets of its command line."""
    name, *arguments = sys.argv or [""]
    command = masked_words(shlex.join([Path(name).name or "python", *arguments]))
    # Arguments may be bytes that are no text.
    command = command.encode("utf-8", "backslashreplace").decode()
    told = command if len(command) <= MAX_COMMAND else f"{command[:MAX_COMMAND]}…"
    return Writer(
        pid=os.getpid(),
        command=told,
        since=datetime.now(UTC).isoformat(sep=" ", timespec="seconds"),
    )
