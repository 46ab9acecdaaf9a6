"""What an opened store keeps in memory of its records, read from the database at once.

Chroma hands out whole records: of ten thousand patches some sixty megabytes, to find out what their
triggers are. So these are read before Chroma opens the database; afterwards nobody else may, as to
close its file drops this process's locks on it.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from patchlab_agent.models.trace import trace_index
from patchlab_agent.store.database import transaction


@dataclass(frozen=True)
class Known:
    """What is known of the records of a store.

    Attributes:
        active: for each active patch its id and metadata: its trigger and, of a trigger that is no
            phrase, the whole patch.
        next_index: the index of the next trace, one above the highest.
    """

    active: tuple[tuple[str, dict[str, str]], ...]
    next_index: int


_RECORDS = """
    FROM collections c
    JOIN segments g ON g.collection = c.id AND g.scope = 'METADATA'
    JOIN embeddings e ON e.segment_id = g.id
"""
_ACTIVE = f"""
    SELECT e.embedding_id, t.string_value,
        CASE WHEN t.string_value LIKE '(%' THEN p.string_value END
    {_RECORDS}
    JOIN embedding_metadata s ON s.id = e.id AND s.key = 'status' AND s.string_value = 'active'
    LEFT JOIN embedding_metadata t ON t.id = e.id AND t.key = 'trigger'
    LEFT JOIN embedding_metadata p ON p.id = e.id AND p.key = 'patch'
    WHERE c.name = 'patches'
"""
# The longest name is the highest number; names of other forms have none.
_HIGHEST = f"""
    SELECT e.embedding_id {_RECORDS} WHERE c.name = 'traces' AND e.embedding_id GLOB 't-[0-9]*'
    ORDER BY length(e.embedding_id) DESC, e.embedding_id DESC
"""
_UNAPPLIED = """
    SELECT 1
    FROM embeddings_queue q
    JOIN collections c ON q.topic LIKE '%/' || c.id
    JOIN segments g ON g.collection = c.id AND g.scope = 'METADATA'
    LEFT JOIN max_seq_id m ON m.segment_id = g.id
    WHERE q.seq_id > coalesce(m.seq_id, 0)
    LIMIT 1
"""


def read_known(path: Path) -> Known | None:
    """Return what is known of the records of a store; None if Chroma has to be asked for it.

    Raises:
        StoreError: the database is locked or damaged.
    """
    with transaction(path, write=False) as database:
        if database is None or database.execute(_UNAPPLIED).fetchone():
            return None
        return _known(database)


def _known(database: sqlite3.Connection) -> Known | None:
    active = []
    for patch_id, trigger, patch in database.execute(_ACTIVE):
        if trigger is None:
            return None  # Chroma's reader says which record is damaged
        active.append((patch_id, {"trigger": trigger} | ({"patch": patch} if patch else {})))
    names = (name for (name,) in database.execute(_HIGHEST))
    highest = next((index for name in names if (index := trace_index(name)) >= 0), -1)
    return Known(tuple(active), highest + 1)
