"""The journal of a store: what is decided, written down before it is written to the database.

Chroma makes each write durable by itself and promises nothing across two of them. So what belongs
together, such as a trace and the patches that it taught, is first appended here as one line, and
written to the collections later, many lines at a time. A process that is killed leaves whole lines,
which the next one to open the store writes out again, and at most half a line, which never was.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from patchlab_agent.errors import StoreError
from patchlab_agent.models.base import JsonObject
from patchlab_agent.store.layout import writing
from patchlab_agent.store.notes import Change, Notes
from patchlab_agent.store.place import Log, Place

JOURNAL = "journal.jsonl"


class Journal(Notes):
    """The journal of a store that one process writes to, a file.

    Args:
        place: where the store is.
    """

    def __init__(self, place: Place) -> None:
        super().__init__()
        self._place = place
        self._file = place.file(JOURNAL)
        self._log: Log | None = None

    def commit(self, run: JsonObject | None = None) -> None:
        """Write down what was noted, as one line."""
        if run is not None:
            self.run = run
        elif not self._noted:
            return
        elif self.run is not None and self._touches:
            self.run = {**self.run, "touched": True}
        line = self._line(self._noted)
        with writing(self._place):
            self._append(line)
        self.is_clean = self.is_clean and not self._noted
        self.forget()

    def sync(self) -> None:
        """Have the disk keep all lines."""
        # One that cannot is told of by the database, which is written next.
        if self._log is not None:
            self._log.sync()

    def reset(self) -> None:
        """Start over with where the run is, as the database holds all changes."""
        self.close()
        with writing(self._place):
            if self.run is None:
                self._file.unlink(missing_ok=True)
            else:
                self._place.write(JOURNAL, [self._line(())], sync=False)
        self.is_clean = True

    def read(self) -> list[Change]:
        """Return the changes that were committed and may not all be in the database.

        Raises:
            StoreError: the journal cannot be read, or is damaged.
        """
        changes: list[Change] = []
        self.run = None
        for number, entry in self._entries():
            self.run = entry["run"]
            changes += (
                Change(kind, held, number)
                for each in entry["changes"]
                for kind, held in each.items()
            )
        self.is_clean = not changes
        return changes

    def damaged(self, line: int) -> StoreError:
        """Return the error that says that a line cannot be read."""
        return StoreError(
            f"{self._file}, line {line}, is damaged; restore the store from a backup, or delete "
            "that file to do without what it holds, and run `patchlab-agent store repair`."
        )

    def close(self) -> None:
        """Let go of the file."""
        if self._log is not None:
            self._log.close()
            self._log = None

    def _line(self, changes: Any) -> bytes:
        return f'{{"changes":[{",".join(changes)}],"run":{json.dumps(self.run)}}}\n'.encode()

    def _append(self, line: bytes) -> None:
        if self._log is None:
            self._log = self._place.log(JOURNAL)
        self._log.append(line)

    def _entries(self) -> Iterator[tuple[int, Mapping[str, Any]]]:
        try:
            *lines, _half = self._file.read_bytes().split(b"\n")
        except FileNotFoundError:
            return
        except OSError as error:
            raise StoreError(
                f"{self._file} cannot be read ({error.strerror}); check its permissions."
            ) from error
        for number, line in enumerate(lines, start=1):
            try:
                entry = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise self.damaged(number) from error
            if not _is_whole(entry):
                raise self.damaged(number)
            yield number, entry


def _is_whole(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and entry.keys() == {"changes", "run"}
        and isinstance(entry["changes"], list)
        and all(isinstance(change, dict) for change in entry["changes"])
        and isinstance(entry["run"], dict | None)
    )


def is_left_over(place: Place) -> bool:
    """Return True if a process was killed and left changes that the database may lack."""
    journal = Journal(place)
    try:
        journal.read()
    except StoreError:
        return False  # whoever opens the store for writing is told
    return not journal.is_clean and not place.is_locked()
