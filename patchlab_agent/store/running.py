"""What a store keeps of the run in progress: what it began with, and a log of the model's answers.

resume/
  run.json            what the run began with
  answers-0001.jsonl  its log: one JSON list per line, of which the first entry names the kind
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from pydantic import ValidationError

from patchlab_agent.errors import StoreError
from patchlab_agent.files import write_whole
from patchlab_agent.models.progress import StartedRun
from patchlab_agent.store.layout import writing

FOLDER = "resume"


def read_started(path: Path) -> StartedRun | None:
    """Return what the latest run of a store began with; None if none is known.

    Raises:
        StoreError: it cannot be read.
    """
    file = path / FOLDER / "run.json"
    try:
        return StartedRun.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise StoreError(
            f"{file} is damaged or of another version, so its run cannot be resumed; start a new "
            "one without --resume."
        ) from error


def write_started(path: Path, started: StartedRun) -> None:
    """Keep what a run begins with, in one step.

    Raises:
        StoreError: it cannot be written.
    """
    with writing(path):
        (path / FOLDER).mkdir(exist_ok=True)
        write_whole(path / FOLDER / "run.json", [started.model_dump_json()], sync=False)


class RunLog:
    """The log of a run's answers, by which a resumed run knows what was asked and paid for.

    Args:
        path: the store's folder.
        number: of the log; a new one is begun each time that a run is resumed.

    Attributes:
        size: bytes that were written.
    """

    def __init__(self, path: Path, number: int) -> None:
        self.size = 0
        self.number = number
        self._store = path
        self.path = path / FOLDER / f"answers-{number:04d}.jsonl"
        self._file: IO[bytes] | None = None

    def start(self, entries: Iterable[list[Any]]) -> None:
        """Start over with these entries.

        Raises:
            StoreError: they cannot be written.
        """
        self.close()
        with writing(self._store):
            self.path.parent.mkdir(exist_ok=True)
            write_whole(self.path, (_line(entry) for entry in entries), sync=False)
            self._file = self.path.open("ab", buffering=0)
            self.size = self._file.tell()

    def note(self, entry: list[Any]) -> None:
        """Add an entry, which outlives the process from now on.

        Raises:
            StoreError: it cannot be written.
        """
        if self._file is None:
            return
        line = _line(entry)
        with writing(self._store):
            if self._file.write(line) != len(line):
                self._file.truncate(self.size)
                self._file.write(line)
        self.size += len(line)

    def read(self, size: int) -> tuple[list[list[Any]], list[list[Any]]]:
        """Return the entries within so many bytes, and those after them."""
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return [], []
        return list(_entries(data[:size])), list(_entries(data[size:]))

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


def delete_logs(path: Path, *, but: RunLog | None = None) -> None:
    """Delete the logs of a store's runs, but for one.

    Raises:
        StoreError: one cannot be deleted.
    """
    with writing(path):
        for file in (path / FOLDER).glob("answers-*"):
            if but is None or file.name != but.path.name:
                file.unlink()


def _line(entry: list[Any]) -> bytes:
    return json.dumps(entry, separators=(",", ":")).encode() + b"\n"


def _entries(data: bytes) -> Iterator[list[Any]]:
    *lines, _half = data.split(b"\n")
    for line in lines:
        try:
            yield json.loads(line)
        except (ValueError, RecursionError):
            return  # what follows was written by a machine that lost its power
