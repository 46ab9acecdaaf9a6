"""The files of a collection's vector index, held against the database at next to no cost.

Chroma starts an empty index where one was lost, and searches one that was cut off, without a word.
Nothing is read here but a header of a hundred bytes and the sizes of the other files.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import NamedTuple

from patchlab_agent.store.database import Held

HEADER = "header.bin"
LEVEL0 = "data_level0.bin"
LENGTHS = "length.bin"
LINKS = "link_lists.bin"
IDS = "index_metadata.pickle"

_LAYOUT = struct.Struct("<i6QiI3QdQ")
_NUMBER = 4
"""Bytes of a number in the index: of a coordinate, a length, a link, or a count of links."""


class _Header(NamedTuple):
    """The header of an index of hnswlib, in the order in which it is written."""

    version: int
    start: int
    capacity: int
    elements: int
    element_size: int
    label_offset: int
    vector_offset: int
    top_level: int
    entry: int
    most_links: int
    most_links_at_bottom: int
    built_with: int
    multiplier: float
    construction_width: int

    @property
    def dimension(self) -> int:
        return (self.label_offset - self.vector_offset) // _NUMBER


def index_problem(path: Path, held: Held) -> str | None:
    """Return what is wrong with a collection's vector index, or None.

    Args:
        path: the store's folder.
        held: the collection.
    """
    if held.indexed <= 0:
        # All vectors are in the database's queue, from which Chroma makes the index anew.
        return None
    if not held.is_synced:
        return f"{held.indexed:,} of its {held.records:,} vectors are lost"
    try:
        return _problem(path / held.index, held)
    except FileNotFoundError as error:
        return f"{Path(error.filename).name} of its index is missing"
    except OSError as error:
        return f"{Path(error.filename).name} of its index cannot be opened ({error.strerror})"


def _problem(folder: Path, held: Held) -> str | None:
    content = (folder / HEADER).read_bytes()
    if len(content) != _LAYOUT.size:
        return f"{HEADER} of its index is damaged"
    header = _Header(*_LAYOUT.unpack(content))
    if header.dimension != held.dimension:
        return f"{HEADER} of its index is damaged"
    links = (folder / LINKS).stat().st_size - header.elements * _NUMBER
    cut = {
        LEVEL0: (folder / LEVEL0).stat().st_size < header.elements * header.element_size,
        LENGTHS: (folder / LENGTHS).stat().st_size < header.elements * _NUMBER,
        # Of most elements the number of links above the bottom is 0, of a few there are some.
        LINKS: links < 0 or links % ((header.most_links + 1) * _NUMBER) != 0,
        IDS: _last_byte(folder / IDS) != b".",
    }
    for name, is_cut in cut.items():
        if is_cut:
            return f"{name} of its index is cut off"
    # Deleted records keep their places, so there may be more.
    if header.elements < held.indexed:
        return f"its index has {header.elements:,} of {held.indexed:,} vectors"
    return None


def _last_byte(path: Path) -> bytes:
    """Return the last byte of a file; of a whole pickle it is a full stop."""
    with path.open("rb") as file:
        if file.seek(0, os.SEEK_END) == 0:
            return b""
        file.seek(-1, os.SEEK_END)
        return file.read(1)
