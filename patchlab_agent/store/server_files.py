"""The files of a store on a server: records of one collection.

A file is a head, whose id is the file's name, and numbered parts. The head names the generation of
the parts that count: a file is written anew as parts of the next generation, which count once the
head does. The ids of the generation before the last are used again, so that a file that is written
a million times takes no more room than twice its largest size.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from chromadb.api.collection_configuration import CreateCollectionConfiguration
from chromadb.api.models.Collection import Collection

KEPT = "kept"
"""The collection of a store that holds its files."""
KEPT_INDEX: CreateCollectionConfiguration = {"hnsw": {"sync_threshold": 20}}
"""Nothing is searched for by vector, and a write costs the more the more vectors are not synced: at
900 of them 29 ms of the server's time, with these 13 ms."""
PART_BYTES = 4_000
"""Largest part of a file; Chroma Cloud takes 4,096 bytes in a value."""
AT_A_TIME = 250
"""Records in one call; Chroma Cloud takes 300."""
LATE = 0.5
"""Seconds that a late log's lines may wait."""
ATTEMPTS = 5
"""How often a file is read that is being replaced meanwhile."""
VECTOR: Sequence[float] = [1.0, 0.0]
"""Every record has to have a vector."""


class _Head(NamedTuple):
    generation: int
    parts: int
    """Parts that were written with the head; a log has more."""
    content: str


class ServerFiles:
    """The files of one store.

    Args:
        collection: their records.
        clock: monotonic clock in seconds.
    """

    def __init__(self, collection: Collection, clock: Callable[[], float] = time.monotonic) -> None:
        self.collection = collection
        self.clock = clock

    def names(self, folder: str) -> list[str]:
        """Return the names of the files in a folder, without the folder's."""
        found = self.collection.get(where={"folder": folder}, include=[])["ids"]
        return [name.rpartition("/")[2] for name in found]

    def all_names(self) -> list[str]:
        """Return the names of all files, folders included, sorted."""
        return sorted(self.collection.get(where={"part": 0}, include=[])["ids"])

    def read(self, name: str) -> bytes:
        """Return a file's content.

        Raises:
            FileNotFoundError: there is none.
        """
        for _ in range(ATTEMPTS):
            head = self._head(name)
            if head is None:
                break
            parts = self._parts(name, head)
            if len(parts) >= head.parts:
                return "".join([head.content, *parts]).encode()
        raise FileNotFoundError(name)

    def first_line(self, name: str) -> bytes:
        """Return a file's first line; raises what `read` raises."""
        head = self._head(name)
        if head is not None and "\n" in head.content:
            return head.content.partition("\n")[0].encode()
        return self.read(name).partition(b"\n")[0]

    def create(self, name: str, content: str) -> None:
        """Write a short file, unless it is there, whoever is quicker."""
        self.collection.add(ids=[name], embeddings=[VECTOR], metadatas=[_head(name, 1, 0, content)])

    def write(self, name: str, content: str) -> None:
        """Write a file whole or not at all."""
        known = self._head(name)
        generation = 1 if known is None else known.generation + 1
        first, *parts = _split(content) or [""]
        # A log's lines follow the parts, so the numbers begin with 1 either way.
        self.put(name, generation, 1, parts)
        self.collection.upsert(
            ids=[name],
            embeddings=[VECTOR],
            metadatas=[_head(name, generation, len(parts), first)],
        )

    def put(self, name: str, generation: int, start: int, parts: Sequence[str]) -> None:
        """Write parts of a file, numbered from a start."""
        for at in range(0, len(parts), AT_A_TIME):
            some = parts[at : at + AT_A_TIME]
            numbers = range(start + at, start + at + len(some))
            self.collection.upsert(
                ids=[f"{name}@{generation % 2}+{number:08d}" for number in numbers],
                embeddings=[VECTOR for _ in some],
                metadatas=[
                    {"file": name, "generation": generation, "part": number, "content": part}
                    for number, part in zip(numbers, some, strict=True)
                ],
            )

    def delete(self, name: str) -> None:
        """Delete a file, if it is there."""
        self.collection.delete(where={"file": name})

    def log(self, name: str, *, late: bool = False) -> ServerLog:
        """Open a log to append to, which is made if it is missing."""
        head = self._head(name)
        if head is None:
            self.write(name, "")
            head = self._head(name) or _Head(1, 0, "")
        written = self._parts(name, head)
        size = len("".join([head.content, *written]).encode())
        wait = LATE if late else 0.0
        return ServerLog(self, name, head.generation, parts=len(written), size=size, wait=wait)

    def _head(self, name: str) -> _Head | None:
        found = self.collection.get(ids=[name], include=["metadatas"])["metadatas"]
        if not found:
            return None
        head: Any = found[0]
        return _Head(head["generation"], head["parts"], head["content"])

    def _parts(self, name: str, head: _Head) -> list[str]:
        where: Any = {
            "$and": [{"file": name}, {"generation": head.generation}, {"part": {"$gt": 0}}]
        }
        found: list[tuple[int, str]] = []
        for page in self._pages(where):
            found += [(each["part"], each["content"]) for each in page["metadatas"] or ()]
        return [content for _, content in sorted(found)]

    def _pages(self, where: Any) -> Iterator[Any]:
        offset = 0
        while True:
            page = self.collection.get(
                where=where, limit=AT_A_TIME, offset=offset, include=["metadatas"]
            )
            yield page
            if len(page["ids"]) < AT_A_TIME:
                return
            offset += AT_A_TIME


class ServerLog:
    """A log that grows by records.

    Args:
        files: the store's.
        name: of the file.
        generation: of its parts.
        parts: number of those that there are.
        size: their bytes.
        wait: seconds that lines may wait for others, to be written with them.

    Attributes:
        size: bytes of all lines.
    """

    def __init__(
        self,
        files: ServerFiles,
        name: str,
        generation: int,
        *,
        parts: int,
        size: int,
        wait: float,
    ) -> None:
        self.size = size
        self._files = files
        self._name = name
        self._generation = generation
        self._next = parts + 1
        self._wait = wait
        self._waiting: list[bytes] = []
        self._written_at = files.clock()

    def append(self, line: bytes) -> None:
        """Add a line."""
        self._waiting.append(line)
        self.size += len(line)
        if self._files.clock() - self._written_at >= self._wait:
            self.flush()

    def flush(self) -> None:
        """Write all lines."""
        if not self._waiting:
            return
        parts = _split(b"".join(self._waiting).decode())
        start = self._next
        # Even after a failure no number is used again: the server may have it all the same.
        self._next += len(parts)
        self._waiting = []
        self._files.put(self._name, self._generation, start, parts)
        self._written_at = self._files.clock()

    def sync(self) -> None:
        """Write all lines, which the server then keeps."""
        self.flush()

    def close(self) -> None:
        """Write all lines."""
        self.flush()


def _head(name: str, generation: int, parts: int, content: str) -> dict[str, str | int]:
    return {
        "file": name,
        "folder": name.rpartition("/")[0],
        "generation": generation,
        "part": 0,
        "parts": parts,
        "content": content,
    }


def _split(content: str) -> list[str]:
    """Split a text into parts that are small enough in UTF-8."""
    data = content.encode()
    parts: list[str] = []
    start = 0
    while start < len(data):
        end = min(start + PART_BYTES, len(data))
        while end < len(data) and data[end] & 0xC0 == 0x80:
            end -= 1  # within a character
        parts.append(data[start:end].decode())
        start = end
    return parts


def text_of(parts: Iterable[str | bytes]) -> str:
    """Return parts of a file as one text."""
    return "".join(part if isinstance(part, str) else part.decode() for part in parts)
