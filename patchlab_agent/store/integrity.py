"""What a store has lost, found out before Chroma opens it and puts something empty in its place."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from chromadb.api.types import Documents, EmbeddingFunction

from patchlab_agent.embedding import embedder
from patchlab_agent.errors import StoreError, UsageError
from patchlab_agent.store.chroma import embedders_of
from patchlab_agent.store.clients import is_open_here
from patchlab_agent.store.database import DATABASE, Held, read_database
from patchlab_agent.store.index import index_problem
from patchlab_agent.store.info import StoreInfo
from patchlab_agent.store.layout import PAUSES, is_locked
from patchlab_agent.store.place import File

NEEDED = {
    "patches": ("patch", "trigger", "status"),
    "examples": ("trace_id", "answer"),
    "traces": ("trace", "ok", "applied"),
}
"""The collections of a store, with the metadata that nobody can do without."""
RESTORE = "restore the store from a copy, or start over with `patchlab-agent run --fresh`"


class NothingYet(StoreError):
    """A store was named and nothing else: whoever made it was stopped before he began."""


def own_embedder(marker: File, name: str) -> EmbeddingFunction[Documents]:
    """Build the embedder of a store.

    Args:
        marker: the store's, if there is one yet.
        name: the embedder's.

    Raises:
        StoreError: the store's marker names it, and there is no such embedder.
        UsageError: there is none of that name, and no marker yet.
        MissingExtra: its package is not installed.
    """
    try:
        return embedder(name)
    except UsageError as error:
        try:
            marker.read_bytes()
        except FileNotFoundError:
            raise error from None
        raise StoreError(
            f"{marker} names an embedder {name!r}, which is not installed; install the "
            "package that offers it, or restore the file."
        ) from error


def dimension_of(function: EmbeddingFunction[Documents]) -> int:
    """Return the length of an embedder's vectors."""
    return len(function(["battery"])[0])


def check_store(
    path: Path, info: StoreInfo, function: EmbeddingFunction[Documents], *, write: bool
) -> bool:
    """Make sure that a store is whole, as far as can be told without reading all of it.

    Args:
        path: its folder.
        info: its marker.
        function: its embedder.
        write: the store is opened for writing.

    Returns:
        True if its collections are still to be made.

    Raises:
        StoreError: something is lost or damaged, or the database is locked or cannot be written.
        NothingYet: the store is opened for reading, and nothing was ever written to it.
    """
    if is_open_here(path):
        # Checked by then. To close a database's file drops this process's other locks on it.
        return False
    held = read_database(path, write=True)
    if is_new(path, info, held):
        if not write:
            raise NothingYet(f"{path} holds nothing yet; run `patchlab-agent run` to fill it.")
        return True
    require_database(path, info, held)
    for problem in problems(path, held, function).values():
        raise StoreError(f"In {path}, {problem}; {RESTORE}.")
    return False


def is_new(path: Path, info: StoreInfo, held: Sequence[Held]) -> bool:
    """Return True if a store was never used, and not all of its collections are there yet."""
    was_used = info.runs or any((path / name).exists() for name in ("prompts", "runs"))
    is_complete = {each.name for each in held}.issuperset(NEEDED)
    return not (was_used or is_complete or any(each.records for each in held))


def require_database(path: Path, info: StoreInfo, held: Sequence[Held]) -> None:
    """Make sure that a used store's database holds any collection.

    Raises:
        StoreError: there is none, or no database.
    """
    if not held:
        what = "holds nothing" if (path / DATABASE).exists() else "is missing"
        runs = f", which had {info.runs} run{'s' * (info.runs != 1)}," if info.runs else ""
        raise StoreError(f"{path}{runs} has lost its database: {DATABASE} {what}; {RESTORE}.")


def problems(
    path: Path, held: Sequence[Held], function: EmbeddingFunction[Documents]
) -> dict[str, str]:
    """Return a phrase for each collection that is lost, foreign, or has a damaged index, by name.

    Args:
        path: the store's folder.
        held: what its database holds.
        function: the store's embedder.
    """
    wanted = {name: list(map(dimension_of, embedders_of(name, function))) for name in NEEDED}
    found = dict(_problems(path, held, wanted))
    for pause in PAUSES:
        # Chroma writes index files one after another.
        if not found or not is_locked(path):
            break
        time.sleep(pause)
        found = dict(_problems(path, held, wanted))
    return found


def _problems(
    path: Path, held: Sequence[Held], wanted: Mapping[str, list[int]]
) -> Iterator[tuple[str, str]]:
    by_name = {each.name: each for each in held}
    for name in NEEDED:
        collection = by_name.get(name)
        if collection is None:
            yield name, f"there is no collection {name}"
        elif collection.dimension not in (None, *wanted[name]):
            found = f"{collection.dimension} dimensions instead of {wanted[name][0]}"
            yield name, f"collection {name} has vectors of {found}, so of another embedder"
        elif (problem := index_problem(path, collection)) is not None:
            yield name, f"collection {name} cannot be read: {problem}"
