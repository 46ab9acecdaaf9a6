"""Chroma's database, asked without Chroma, which hides or heals what is wrong with it.

Chroma waits for a locked database for a quarter of an hour, and makes an empty one where there is
none. It cannot open one that it may not write, not even to read it.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from patchlab_agent.errors import StoreError
from patchlab_agent.store.room import no_room_in

DATABASE = "chroma.sqlite3"
PATIENCE = 5.0
"""Seconds to wait for another program that has the database locked; one write takes far less."""


@dataclass(frozen=True)
class Held:
    """A collection as the database knows it.

    Attributes:
        name: its name.
        records: number of its records.
        dimension: length of its vectors; None: it never had any.
        index: name of the folder of its vector index.
        is_synced: the index was written to that folder at least once.
        indexed: number of records whose vectors are nowhere but in the index; those of the others
            still wait in the database's queue.
    """

    name: str
    records: int
    dimension: int | None
    index: str
    is_synced: bool
    indexed: int


def is_writable(path: Path) -> bool:
    """Return False if a store's permissions forbid writing, without which Chroma opens nothing."""
    database = path / DATABASE
    return os.access(path, os.W_OK) and (not database.exists() or os.access(database, os.W_OK))


def read_database(path: Path, *, write: bool) -> tuple[Held, ...]:
    """Return the collections in a store's database; none if there is no database, or an empty one.

    Args:
        path: the store's folder.
        write: make sure that Chroma can open the database, for which it has to write to it; False
            reads what Chroma cannot open.

    Raises:
        StoreError: the database is locked, damaged, or not accessible.
    """
    with transaction(path, write) as database:
        return () if database is None else tuple(_collections(database))


def pages_are_intact(path: Path) -> bool:
    """Return False if a part of the database is damaged; reads all of it.

    Raises:
        StoreError: the database is locked or not accessible.
    """
    with transaction(path, write=False) as database:
        if database is None:
            return True
        return [row[0] for row in database.execute("PRAGMA quick_check(1)")] == ["ok"]


@contextmanager
def transaction(path: Path, write: bool) -> Iterator[sqlite3.Connection | None]:
    """Yield a connection in a transaction that writes nothing; None if there is no database.

    Raises:
        StoreError: the database is locked, damaged, or not accessible.
    """
    if not (path / DATABASE).exists():
        yield None
        return
    if write and not is_writable(path):
        raise _read_only(path)
    # Neither mode makes a database where there is none.
    address = f"{(path.resolve() / DATABASE).as_uri()}?mode={'rw' if write else 'ro'}"
    try:
        with closing(
            sqlite3.connect(address, uri=True, timeout=PATIENCE, isolation_level=None)
        ) as database:
            # What Chroma needs on opening: that nobody writes, and that nobody keeps on reading.
            database.execute("BEGIN EXCLUSIVE" if write else "BEGIN")
            yield database
            database.execute("ROLLBACK")
    except sqlite3.Error as error:
        raise _blamed(path, error) from error


def _blamed(path: Path, error: sqlite3.Error) -> StoreError:
    # The lowest byte is the kind of the error, the others say more about it.
    match getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return locked(path)
        case sqlite3.SQLITE_READONLY:
            return _read_only(path)
        case sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM | sqlite3.SQLITE_AUTH:
            return StoreError(
                f"{path / DATABASE} cannot be opened ({error}); check its permissions."
            )
    return no_room_in(path, error) or StoreError(
        f"Chroma cannot open {path}, as its database {DATABASE} is damaged ({error}); restore the "
        "store from a copy, or start over with `patchlab-agent run --fresh`."
    )


def locked(path: Path) -> StoreError:
    """Return the error for a database that another program does not let go of."""
    return StoreError(
        f"The database of {path} is locked by another program; close that program, or try again "
        "later."
    )


def _read_only(path: Path) -> StoreError:
    return StoreError(
        f"{path} cannot be written, without which Chroma does not open it even for reading; "
        "change its permissions."
    )


def _collections(database: sqlite3.Connection) -> Iterator[Held]:
    if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'collections'").fetchone():
        return
    for collection, name, dimension, vectors, metadata, synced in database.execute(
        """
        SELECT c.id, c.name, c.dimension, v.id, m.id, coalesce(s.seq_id, 0)
        FROM collections c
        JOIN segments v ON v.collection = c.id AND v.scope = 'VECTOR'
        JOIN segments m ON m.collection = c.id AND m.scope = 'METADATA'
        LEFT JOIN max_seq_id s ON s.segment_id = v.id
        """
    ).fetchall():
        [records] = database.execute(
            "SELECT count(*) FROM embeddings WHERE segment_id = ?", (metadata,)
        ).fetchone()
        # The queue is short: what the index holds is taken off it.
        [waiting] = database.execute(
            """
            SELECT count(*) FROM embeddings WHERE segment_id = ? AND embedding_id IN (
                SELECT id FROM embeddings_queue
                WHERE seq_id > ? AND topic LIKE '%/' || ? AND vector IS NOT NULL
            )
            """,
            (metadata, synced, collection),
        ).fetchone()
        yield Held(name, records, dimension, vectors, synced > 0, records - waiting)
