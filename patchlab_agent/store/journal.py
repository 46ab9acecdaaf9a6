"""The journal of a store: what is decided, written down before it is written to the database.

Chroma makes each write durable by itself and promises nothing across two of them. So what belongs
together, such as a trace and the patches that it taught, is first appended here as one line, and
written to the collections later, many lines at a time. A process that is killed leaves whole lines,
which the next one to open the store writes out again, and at most half a line, which never was.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

from patchlab_agent.errors import StoreError
from patchlab_agent.models.base import JsonObject
from patchlab_agent.store.layout import writing
from patchlab_agent.store.place import Log, Place

JOURNAL = "journal.jsonl"

Kind = Literal["patch", "trace", "example", "examples", "gone"]
"""What was changed: one patch, trace or example, all examples, or records that were taken back."""


class Change(NamedTuple):
    """One change as the journal holds it: its kind, the record as it is from then on, its line."""

    kind: str
    content: Any
    line: int


class Journal:
    """The journal of a store.

    Args:
        place: where the store is.

    Attributes:
        run: where the run in progress is, as it says itself; None if there is none.
        is_clean: the database holds all that was committed.
    """

    def __init__(self, place: Place) -> None:
        self.run: JsonObject | None = None
        self.is_clean = True
        self._place = place
        self._file = place.file(JOURNAL)
        self._log: Log | None = None
        self._noted: list[str] = []
        self._touches = False

    @property
    def has_noted(self) -> bool:
        """True if something was noted and not committed."""
        return bool(self._noted)

    def note(self, kind: Kind, text: str, *, touches: bool = True) -> None:
        """Note a change, which counts once it is committed.

        Args:
            kind: what was changed.
            text: the record from now on, as JSON.
            touches: it could change a later answer.
        """
        self._noted.append(f'{{"{kind}":{text}}}')
        self._touches |= touches

    def commit(self, run: JsonObject | None = None) -> None:
        """Write down what was noted, as one line: all of it counts from now on, or none.

        Args:
            run: where the run in progress is; None: the changes are somebody else's.

        Raises:
            StoreError: it cannot be written; then all that was noted still is.
        """
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

    def forget(self) -> None:
        """Forget what was noted and not committed."""
        self._noted = []
        self._touches = False

    def sync(self) -> None:
        """Have the disk keep all that was committed, which a power cut could lose until then.

        A disk that cannot is told of by the database, which is written next.
        """
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
