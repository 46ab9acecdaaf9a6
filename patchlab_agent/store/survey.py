"""What is seen of a store's collections from outside."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Survey:
    """The collections of a store as far as they are seen without reading their records.

    Attributes:
        counts: number of records in each existing collection.
        damaged: one phrase for each collection that is lost, foreign or damaged, by name.
        problems: phrases for what is wrong with the database itself; then it is not read.
        is_new: nothing was ever written.
        can_open: False if the store cannot be written, without which Chroma opens no folder.
    """

    counts: dict[str, int] = field(default_factory=dict)
    damaged: dict[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    is_new: bool = False
    can_open: bool = True
