"""What a store keeps of the run in progress: what it began with, and a log of the model's answers.

resume/
  run.json            what the run began with
  answers-0001.jsonl  its log: one JSON list per line, of which the first entry names the kind
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import ValidationError

from patchlab_agent.errors import StoreError
from patchlab_agent.models.progress import StartedRun
from patchlab_agent.store.layout import writing
from patchlab_agent.store.place import Log, Place

FOLDER = "resume"


def read_started(place: Place) -> StartedRun | None:
    """Return what the latest run of a store began with; None if none is known.

    Raises:
        StoreError: it cannot be read.
    """
    file = place.file(f"{FOLDER}/run.json")
    try:
        return StartedRun.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise StoreError(
            f"{file} is damaged or of another version, so its run cannot be resumed; start a new "
            "one without --resume."
        ) from error


def write_started(place: Place, started: StartedRun) -> None:
    """Keep what a run begins with, in one step.

    Raises:
        StoreError: it cannot be written.
    """
    place.write(f"{FOLDER}/run.json", [started.model_dump_json()], sync=False)


class RunLog:
    """The log of a run's answers, by which a resumed run knows what was asked and paid for.

    Args:
        place: where the store is.
        number: of the log; a new one is begun each time that a run is resumed.
    """

    def __init__(self, place: Place, number: int) -> None:
        self.number = number
        self._place = place
        self.file_name = f"answers-{number:04d}.jsonl"
        self._name = f"{FOLDER}/{self.file_name}"
        self._log: Log | None = None

    @property
    def size(self) -> int:
        """Bytes that were written."""
        return 0 if self._log is None else self._log.size

    def start(self, entries: Iterable[list[Any]]) -> None:
        """Start over with these entries.

        Raises:
            StoreError: they cannot be written.
        """
        self.close()
        self._place.write(self._name, (_line(entry) for entry in entries), sync=False)
        self._log = self._place.log(self._name, late=True)

    def note(self, entry: list[Any]) -> None:
        """Add an entry, which outlives the process from now on, or from the next `flush` on.

        Raises:
            StoreError: it cannot be written.
        """
        if self._log is None:
            return
        with writing(self._place):
            self._log.append(_line(entry))

    def flush(self) -> None:
        """Have every entry outlive the process.

        Raises:
            StoreError: it cannot be written.
        """
        if self._log is not None:
            self._log.flush()

    def read(self, size: int) -> tuple[list[list[Any]], list[list[Any]]]:
        """Return the entries within so many bytes, and those after them."""
        try:
            data = self._place.file(self._name).read_bytes()
        except FileNotFoundError:
            return [], []
        return list(_entries(data[:size])), list(_entries(data[size:]))

    def close(self) -> None:
        """Let go of the log."""
        if self._log is not None:
            self._log.close()
            self._log = None


def delete_logs(place: Place, *, but: RunLog | None = None) -> None:
    """Delete the logs of a store's runs, but for one.

    Raises:
        StoreError: one cannot be deleted.
    """
    with writing(place):
        for name in place.names(FOLDER):
            if name.startswith("answers-") and (but is None or name != but.file_name):
                place.file(f"{FOLDER}/{name}").unlink()


def _line(entry: list[Any]) -> bytes:
    return json.dumps(entry, separators=(",", ":")).encode() + b"\n"


def _entries(data: bytes) -> Iterator[list[Any]]:
    *lines, _half = data.split(b"\n")
    for line in lines:
        try:
            yield json.loads(line)
        except (ValueError, RecursionError):
            return  # what follows was written by a machine that lost its power
