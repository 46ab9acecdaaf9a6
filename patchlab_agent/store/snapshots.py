"""Snapshots of what later prompts are built from: all patches, and all examples.

Retrieval reads nothing else of a store, so restoring these restores the prompts. A snapshot is a
file of JSON lines: a header, then one patch per line, then one example per line.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from pydantic import ValidationError

from patchlab_agent.errors import StoreError
from patchlab_agent.models.base import Frozen, JsonObject
from patchlab_agent.models.example import StoredExample
from patchlab_agent.models.patch import Fix, Patch
from patchlab_agent.store.place import File, Place
from patchlab_agent.store.reports import OtherVersion

SNAPSHOT_FORMAT = 1
SUFFIX = ".snapshot.jsonl"


class SnapshotHeader(Frozen):
    """The first line of a snapshot, which states how many lines of each kind follow."""

    format: int = SNAPSHOT_FORMAT
    run: str
    patches: int
    active: int
    examples: int


@dataclass(frozen=True)
class Snapshot:
    """The material of later prompts as it was at the end of a run.

    Attributes:
        run: name of the run.
        patches: all patches, whatever their status.
        examples: all examples, withdrawn ones included.
    """

    run: str
    patches: tuple[Patch, ...]
    examples: tuple[StoredExample, ...]


def snapshot_lines(
    header: SnapshotHeader, patches: Iterable[Patch], examples: Iterable[StoredExample]
) -> Iterator[str]:
    """Yield the lines of a snapshot, one at a time; the header must count what follows."""
    yield f"{header.model_dump_json()}\n"
    for patch in patches:
        yield f"{patch.model_dump_json()}\n"
    for example in examples:
        yield f"{example.model_dump_json(exclude_defaults=True)}\n"


def read_header(place: Place, name: str) -> SnapshotHeader:
    """Read the header of a snapshot, and nothing else of it.

    Args:
        place: where the store is.
        name: of the snapshot's file within it.

    Raises:
        StoreError: it cannot be read, is damaged, or has another version.
    """
    file = place.file(name)
    try:
        return _header(file, place.first_line(name).decode("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(file, error) from error


def read_snapshot(file: File, parse_fix: Callable[[JsonObject], Fix]) -> Snapshot:
    """Read and check every line of a snapshot.

    Args:
        file: the snapshot.
        parse_fix: the skill's function to read fixes back.

    Raises:
        StoreError: it cannot be read, is damaged, or has another version.
    """
    try:
        # Not splitlines, which would also split a request at other line ends than ours.
        first, *lines = file.read_bytes().decode("utf-8").removesuffix("\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(file, error) from error
    header = _header(file, first)
    # A rollback to half a snapshot would retire the patches of the other half.
    if len(lines) != header.patches + header.examples:
        raise _damaged(file)
    try:
        return Snapshot(
            run=header.run,
            patches=tuple(_patch(line, parse_fix) for line in lines[: header.patches]),
            examples=tuple(
                StoredExample.model_validate(json.loads(line)) for line in lines[header.patches :]
            ),
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _damaged(file) from error


def _header(file: File, line: str) -> SnapshotHeader:
    try:
        found = json.loads(line)
        version = found.get("format") if isinstance(found, dict) else None
        if isinstance(version, int) and version != SNAPSHOT_FORMAT:
            raise OtherVersion(
                f"{file} is a snapshot of format {version}, this version reads format "
                f"{SNAPSHOT_FORMAT}; use the patchlab-agent that wrote it."
            )
        return SnapshotHeader.model_validate(found)
    except (ValidationError, ValueError, RecursionError) as error:
        raise _damaged(file) from error


def _patch(line: str, parse_fix: Callable[[JsonObject], Fix]) -> Patch:
    data = json.loads(line)
    return Patch.model_validate({**data, "fix": parse_fix(data["fix"])})


def _unreadable(file: File, error: OSError | UnicodeDecodeError) -> StoreError:
    if isinstance(error, OSError):
        return StoreError(f"{file} cannot be read ({error.strerror}); check its permissions.")
    return _damaged(file)


def _damaged(file: File) -> StoreError:
    return StoreError(f"{file} is damaged; restore it, or roll back to another run.")
