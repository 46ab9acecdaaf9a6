"""A part of a store, as small as can be."""

from __future__ import annotations


class Words:
    """A part of a store that holds words: those in memory, and those in the database."""

    def __init__(self, database: list[str] | None = None) -> None:
        self.database = [] if database is None else database
        self.memory = list(self.database)
        self.commits = 0
        self.told = 0
        self.broken: BaseException | None = None

    def committed(self) -> None:
        self.commits += 1

    def write_out(self) -> None:
        if self.broken is not None:
            raise self.broken
        self.database[:] = self.memory

    def written_out(self) -> None:
        self.told += 1

    def reload(self) -> None:
        self.memory = list(self.database)
