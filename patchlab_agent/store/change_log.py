"""The log of changes of a store that several processes write to at once.

An entry is two records of the collection of files: a claim, and what fills it in. Nobody can make a
record under a number that is taken, so of several that want a number one gets it. It is that
writer's turn once all entries before it are filled in, and ends when its own is. So the claims are
a queue, one process at a time has the store to itself, and the numbers are the order in which
everybody takes the changes in. The claim of a process that was killed is filled in with nothing by
another one that waits, once its lease has ended; should it live all the same, the first to fill it
in counts.
"""

from __future__ import annotations

import time
import zlib
from base64 import b85decode, b85encode
from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import Any, NamedTuple

from chromadb.api.models.Collection import Collection

from patchlab_agent.store.lease import Lease
from patchlab_agent.store.server_files import AT_A_TIME, PART_BYTES, VECTOR

CHANGES = ".changes"
"""The name under which the collection of files has them."""
AHEAD = 8
"""Entries that are asked for at a time."""
KEPT_ENTRIES = 400
"""Entries that outlive being written to the collections, for those who are behind."""
PAUSE, LONGER, LONGEST = 0.008, 1.25, 0.2
"""Seconds between two looks at the queue for each claim before one's own, how many times as long
each pause is as the one before it, and seconds at most."""
PATIENCE = 1.0
"""Seconds that a turn may last before somebody looks whether its owner still lives."""


class Entry(NamedTuple):
    """One entry of the log.

    Attributes:
        number: of the entry, from 1; the others count in this order.
        packed: what was changed, for `unpacked`; empty if nothing was.
        is_written: the collections hold what all entries before this one say.
    """

    number: int
    packed: str
    is_written: bool


class _Claim(NamedTuple):
    number: int
    owner: str


class ChangeLog:
    """The log of changes of one store, as one of its writers sees it.

    Args:
        collection: holds its records.
        lease: of this writer.
        clock: monotonic clock in seconds.
        sleep: waits for so many seconds.

    Attributes:
        seen: number of the last entry that was read.
        is_behind: entries were deleted before they were read; `rewind`, and read the collections.
        has_turn: this writer has the store to itself.
    """

    def __init__(
        self,
        collection: Collection,
        lease: Lease,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.seen = 0
        self.is_behind = False
        self.has_turn = False
        self._collection = collection
        self._lease = lease
        self._clock = clock
        self._sleep = sleep
        self._claimed: int | None = None
        self._first: _Claim | None = None
        self._last = 0

    @property
    def another_has_turn(self) -> bool:
        """True if another writer had the turn at the last look, dead or alive."""
        return self._first is not None and not self.has_turn

    @property
    def is_free(self) -> bool:
        """True if no writer that lives had the turn at the last look."""
        return self._first is None or self._first.owner not in self._lease.live_owners()

    def rewind(self) -> None:
        """Go back to the first entry that the collections may lack."""
        found: Any = self._collection.get(
            where={"$and": [{"file": CHANGES}, {"is_written": True}]}, include=["metadatas"]
        )
        numbers = [each["number"] for each in found["metadatas"] or ()]
        self.seen = max(numbers, default=1) - 1
        self.is_behind = False

    def begin(self) -> None:
        """Be ready to write: go back to the first entry that the collections may lack."""
        self.rewind()
        if not self.seen:
            # Where it is missing, it was deleted, and so were entries after it.
            self._collection.add(
                ids=[_filled(0)],
                embeddings=[VECTOR],
                metadatas=[{"file": CHANGES, "number": 0, "content": "", "pieces": 0}],
            )

    def news(self) -> list[Entry]:
        """Return the entries that came since the last look, in their order."""
        entries: list[Entry] = []
        while True:
            found, is_all = self._next()
            entries += found
            if is_all:
                return entries

    def take_turn(self) -> list[Entry]:
        """Queue for the turn, and wait for it; return the entries up to then.

        Where `is_behind` is true afterwards, the turn was not taken.
        """
        entries = self.news()
        waited_for, since, pause = 0, self._clock(), PAUSE
        while not (self.is_behind or self.has_turn):
            first = self._first
            if first is None:
                # Also where an earlier attempt failed midway.
                self._claimed, self._last = None, self.seen
            if first is None or self._claimed is None:
                self._claim()
            else:
                if first.number != waited_for:
                    waited_for, since, pause = first.number, self._clock(), PAUSE
                elif self._clock() - since > PATIENCE:
                    self._pass_over(first)
                    since = self._clock()
                self._sleep(min(pause * max(self._claimed - first.number, 1), LONGEST))
                pause *= LONGER
            entries += self.news()
        return entries

    def end_turn(self, text: str, *, is_written: bool) -> None:
        """Add an entry, and let the next writer have its turn.

        Args:
            text: what was changed; empty: nothing.
            is_written: the collections hold what all entries before this one say.

        Raises:
            StoreError: this writer was not heard of for so long that others have gone on, or may
                have.
        """
        if self._claimed is None or not self.has_turn:
            raise RuntimeError("Nothing is changed out of turn.")
        self._lease.require()
        if not self._fill_in(self._claimed, _packed(text), is_written=is_written):
            raise self._lease.lost()
        self.seen, self._first = self._claimed, None
        self._claimed, self.has_turn = None, False

    def forsake(self) -> None:
        """Write nothing any more, and let the lease end."""
        self._lease.forsake()

    def give_up(self) -> None:
        """Leave the queue, or end the turn without a change, wherever an interruption came."""
        if self._claimed is None:
            return
        found: Any = self._collection.get(ids=[_id(self._claimed)], include=["metadatas"])
        # Another writer may have been quicker with the claim.
        if any(claim["owner"] == self._lease.owner for claim in found["metadatas"] or ()):
            self._fill_in(self._claimed, [""])
        # The claim may be missing, and a number that is left out would stop the queue.
        self._claimed, self.has_turn, self._last = None, False, self.seen

    def _pass_over(self, first: _Claim) -> None:
        """Let the next writer have its turn if the one whose turn it is was killed."""
        is_own = first.owner == self._lease.owner
        if is_own or first.owner not in self._lease.live_owners():
            self._fill_in(first.number, [""])

    def _fill_in(self, number: int, parts: Sequence[str], *, is_written: bool = False) -> bool:
        """Say what an entry is; return whether it is that, as the first to say so counts."""
        first, *others = parts
        for start in range(0, len(others), AT_A_TIME):
            some = others[start : start + AT_A_TIME]
            pieces = range(start + 1, start + 1 + len(some))
            self._collection.upsert(
                ids=[_id(number, piece) for piece in pieces],
                embeddings=[VECTOR for _ in some],
                metadatas=[
                    {"file": CHANGES, "number": number, "piece": piece, "content": content}
                    for piece, content in zip(pieces, some, strict=True)
                ],
            )
        head: Any = {
            "file": CHANGES,
            "number": number,
            "by": self._lease.owner,
            "content": first,
            "pieces": len(others),
            "is_written": is_written,
        }
        self._collection.add(ids=[_filled(number)], embeddings=[VECTOR], metadatas=[head])
        held: Any = self._collection.get(ids=[_filled(number)], include=["metadatas"])
        return bool((held["metadatas"] or [head])[0] == head)

    def delete_old(self) -> None:
        """Delete entries that the collections hold and no writer should still have to read."""
        old: Any = {"$and": [{"file": CHANGES}, {"number": {"$lt": self.seen - KEPT_ENTRIES}}]}
        self._collection.delete(where=old)

    def is_left_over(self) -> bool:
        """Return True if the collections may lack something that an entry says."""
        self.rewind()
        return any(entry.packed for entry in self.news())

    def _claim(self) -> None:
        """Join the queue."""
        while True:
            # Known before it is made, so that an interruption leaves nobody waiting for it.
            self._last += 1
            self._claimed = self._last
            claim: Any = {"file": CHANGES, "number": self._claimed, "owner": self._lease.owner}
            self._collection.add(ids=[_id(self._claimed)], embeddings=[VECTOR], metadatas=[claim])
            made: Any = self._collection.get(ids=[_id(self._claimed)], include=["metadatas"])
            if (made["metadatas"] or [claim])[0]["owner"] == self._lease.owner:
                return

    def _next(self) -> tuple[list[Entry], bool]:
        """Return the next entries, and whether there are no more of them."""
        numbers = range(self.seen, self.seen + 1 + AHEAD)
        ids = [*map(_filled, numbers), *map(_id, numbers[1:])]
        found: Any = self._collection.get(ids=ids, include=["metadatas"])
        records = found["metadatas"] or ()
        heads = {each["number"]: each for each in records if "content" in each}
        claims = {each["number"]: each["owner"] for each in records if "owner" in each}
        if self.seen not in heads:
            self.is_behind = True
            return [], True
        filled = list(takewhile(heads.__contains__, numbers[1:]))
        pieces = self._pieces(heads, filled)
        self.seen = max(filled, default=self.seen)
        self._last = max(self._last, *heads, *claims)
        if self._claimed is not None and self._claimed <= self.seen:
            # Filled in by others, who took this writer for dead.
            self._claimed = None
        owner = claims.get(self.seen + 1)
        self._first = None if owner is None else _Claim(self.seen + 1, owner)
        self.has_turn = self._first == (self._claimed, self._lease.owner)
        entries = [
            Entry(
                number,
                "".join([heads[number]["content"], *pieces[number]]),
                is_written=heads[number]["is_written"],
            )
            for number in filled
        ]
        return entries, len(filled) < AHEAD

    def _pieces(self, heads: dict[int, Any], numbers: Sequence[int]) -> dict[int, list[str]]:
        ids = [
            _id(number, piece)
            for number in numbers
            for piece in range(1, heads[number]["pieces"] + 1)
        ]
        held: dict[str, str] = {}
        for start in range(0, len(ids), AT_A_TIME):
            some = ids[start : start + AT_A_TIME]
            found: Any = self._collection.get(ids=some, include=["metadatas"])
            held |= {
                name: each["content"]
                for name, each in zip(found["ids"], found["metadatas"] or (), strict=True)
            }
        return {
            number: [
                held.get(_id(number, piece), "") for piece in range(1, heads[number]["pieces"] + 1)
            ]
            for number in numbers
        }


def _filled(number: int) -> str:
    return f"{_id(number)}="


def _id(number: int, piece: int = 0) -> str:
    return f"{CHANGES}@{number:010d}" + (f"+{piece:04d}" if piece else "")


def _packed(text: str) -> list[str]:
    """Pack a text and split it into parts that are small enough; an empty one stays empty."""
    # Records of one window have much in common, and every further record costs a write.
    packed = b85encode(zlib.compress(text.encode())).decode() if text else ""
    return [packed[at : at + PART_BYTES] for at in range(0, len(packed), PART_BYTES)] or [""]


def unpacked(packed: str) -> str:
    """Return the text of an entry.

    Raises:
        ValueError: it is damaged.
    """
    try:
        return zlib.decompress(b85decode(packed)).decode() if packed else ""
    except zlib.error as error:
        raise ValueError(str(error)) from error
