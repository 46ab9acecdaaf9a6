"""A real model whose answers are kept in a cassette."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from pydantic import JsonValue

from patchlab_agent.backends.base import (
    Answered,
    BatchBackend,
    WrappedBackend,
    complete_batch,
    outage_in,
)
from patchlab_agent.backends.cassette import Answer, Cassette, Header, Stable, answer_key
from patchlab_agent.backends.faults import scrub
from patchlab_agent.backends.llm import LlmBackend
from patchlab_agent.errors import InputError, PromptTooLong
from patchlab_agent.models.base import Frozen, JsonObject, digest
from patchlab_agent.models.trace import Completion, Prompt

REQUESTS = "requests_digest"
"""What a first line calls the digest of a run's own requests; None stands for generated ones."""
_GROWING = frozenset({"runs", "golden"})
_FIRST_BYTES = b'{"cassette": '


class RecordingBackend(WrappedBackend):
    """A model whose answers are kept in a cassette, and asked for once only.

    A cassette that is there already is gone on with, so a recording that was cut short resumes
    where it ended. Answers are written down in groups, as they come, so that little is asked again
    after one that was killed.

    Args:
        inner: answers what the cassette does not know.
        model: the model behind `inner`.
        path: the cassette's file; it is made, and written to, with the first new answer.
        note: goes into the first line.
        group: calls that run beside each other.

    Attributes:
        known: how many answers came from the file.
        added: how many were asked for and went into it.

    Raises:
        InputError: the file is no cassette, or of another model or other parameters, or cannot be
            written.
    """

    def __init__(
        self,
        inner: BatchBackend,
        model: LlmBackend,
        path: Path,
        *,
        note: str = "",
        group: int = 1,
    ) -> None:
        super().__init__(inner)
        self.known = 0
        self.added = 0
        self._model = model
        self._note = note
        self._group = group
        self._settings: JsonObject = {}
        self._answers: dict[str, Answered] = {}
        cassette = begun(path)
        if cassette is not None:
            header = cassette.header
            if header.parameters != model.parameters:
                raise InputError(
                    f"{path} was recorded with {header.parameters}, not with {model.parameters}; "
                    f"name another file."
                )
            self._answers = cassette.answers
            model.settle(header.structure)
        self._tape = _Tape(path, cassette)

    def begin(self, settings: JsonObject) -> None:
        """Record a run: the first line tells the settings of the latest one, for a replay.

        Raises:
            InputError: the cassette is of another kind of run, or cannot be written.
        """
        self._settings = settings
        if (header := self._tape.header) is not None:
            check_same_run(self._tape.path, header, settings)
            self._tape.tell(
                header.model_copy(
                    update={
                        "settings": {**header.settings, **settings},
                        "note": self._note or header.note,
                    }
                )
            )

    def complete_batch(self, prompts: Sequence[Prompt]) -> list[Answered]:
        """Answer from the file, else ask and write down; after an outage no more is asked."""
        keys = [answer_key(self._model.parameters, prompt) for prompt in prompts]
        missing = [n for n, key in enumerate(keys) if key not in self._answers]
        self.known += len(keys) - len(missing)
        answers = {n: self._answers[key] for n, key in enumerate(keys) if key in self._answers}
        while missing:
            group, missing = missing[: self._group], missing[self._group :]
            asked = complete_batch(self.inner, [prompts[n] for n in group])
            for n, answered in zip(group, asked, strict=True):
                answers[n] = answered
                self._keep(keys[n], prompts[n], answered)
            self._tape.flush()
            if (outage := outage_in(asked)) is not None:
                answers.update(dict.fromkeys(missing, outage))
                break
        return [answers[n] for n in range(len(prompts))]

    @property
    def summary(self) -> str:
        """What came of it, in a sentence."""
        return f"{self._tape.path}: {self.known:,} answers were there, {self.added:,} were added."

    def close(self) -> None:
        """Close the file and the model."""
        self._tape.close()
        super().close()

    def _keep(self, key: str, prompt: Prompt, answered: Answered) -> None:
        if isinstance(answered, Completion):
            kept = answered
        elif isinstance(answered, PromptTooLong) and prompt.repairs:
            # A run goes on without this repair, and its replay must, too.
            kept = Completion(text=str(answered))
        else:
            return
        header = self._tape.header or Header(
            parameters=self._model.parameters, note=self._note, settings=self._settings
        )
        structure = header.structure or self._model.structure
        self._tape.tell(header.model_copy(update={"structure": structure}))
        line = Answer(
            key=key,
            after=self._tape.after(prompt),
            messages=prompt.messages[prompt.stable :],
            draw=prompt.draw if self.varies else None,
            text=kept.text,
            cut_off=kept.cut_off,
            filtered=kept.filtered,
            too_long=isinstance(answered, PromptTooLong),
            usage=kept.usage,
        )
        self._tape.write(line)
        self._answers[key] = answered
        self.added += 1


class _Tape:
    """A cassette's file, which is opened with the first line that is written.

    Args:
        path: the file.
        cassette: what it holds so far.

    Attributes:
        header: its first line, once there is one.

    Raises:
        InputError: it cannot be written.
    """

    def __init__(self, path: Path, cassette: Cassette | None) -> None:
        self.path = path
        self.header = cassette.header if cassette else None
        self._size = cassette.size if cassette else 0
        self._stable = cassette.stable if cassette else set()
        self._file: IO[str] | None = None
        place = next(p for p in (path.resolve(), *path.resolve().parents) if p.exists())
        if not os.access(place, os.W_OK):
            raise InputError(f"The cassette {path} cannot be written; name another file.")

    def tell(self, header: Header) -> None:
        """Write the first line, or write it anew."""
        if self.header is None:
            self.write(header)
        elif header != self.header:
            self.close()
            try:
                self._replace_first_line(header)
            except OSError as error:
                raise self._refusal(error) from error
        self.header = header

    def after(self, prompt: Prompt) -> str:
        """The name of the messages that a prompt begins with, which are written down once."""
        messages = prompt.messages[: prompt.stable]
        name = digest([message.model_dump() for message in messages])
        if name not in self._stable:
            self.write(Stable(stable=name, messages=messages))
            self._stable.add(name)
        return name

    def write(self, line: Frozen) -> None:
        """Add a line."""
        try:
            self._file = self._file or self._opened()
            self._file.write(_text(line))
        except OSError as error:
            raise self._refusal(error) from error

    def flush(self) -> None:
        """Have what was written in the file."""
        try:
            if self._file is not None:
                self._file.flush()
        except OSError as error:
            raise self._refusal(error) from error

    def close(self) -> None:
        """Close the file, if it is open."""
        if self._file is not None:
            self._file.close()
            self._file = None
            self._size = self.path.stat().st_size

    def _opened(self) -> IO[str]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = self.path.open("a+b")
        with file:
            file.truncate(self._size)
            if self._size:
                file.seek(-1, os.SEEK_END)
                if file.read() != b"\n":
                    file.write(b"\n")
        return self.path.open("a", encoding="utf-8")

    def _replace_first_line(self, header: Header) -> None:
        target = self.path.resolve()
        anew = target.with_name(f"{target.name}.new")
        whole = target.read_bytes()[: self._size]
        anew.write_bytes(_text(header).encode("utf-8") + whole.partition(b"\n")[2])
        shutil.copymode(target, anew)
        self._size = anew.stat().st_size
        anew.replace(target)

    def _refusal(self, error: OSError) -> InputError:
        return InputError(f"The cassette {self.path} cannot be written: {error}.")


def begun(path: Path) -> Cassette | None:
    """The cassette to go on with; None where there is none yet, or less than its first line.

    Raises:
        InputError: the file is no cassette, or cannot be read.
    """
    try:
        with path.open("rb") as file:
            first = file.readline()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"The cassette {path} cannot be written: {error}.") from error
    if not first.startswith(_FIRST_BYTES[: len(first)]):
        raise InputError(f"Line 1 of {path} begins no cassette; name another file.")
    return Cassette(path) if first.endswith(b"\n") else None


def check_same_run(path: Path, header: Header, settings: JsonObject) -> None:
    """Make sure that a run can go on with a cassette, and all of it be replayed.

    Raises:
        InputError: the cassette is of a run with other settings; names the one that differs.
    """
    for name in sorted((header.settings.keys() & settings.keys()) - _GROWING):
        if header.settings[name] != settings[name]:
            what = (
                "on other requests"
                if name == REQUESTS
                else f"with {name}={header.settings[name]}, not with {settings[name]}"
            )
            raise InputError(f"{path} was recorded {what}; name another file.")


def _text(line: Frozen) -> str:
    # A later version may have other defaults: the header names all it was recorded with.
    data = line.model_dump(mode="json", exclude_defaults=not isinstance(line, Header))
    return json.dumps(_scrubbed(data), ensure_ascii=False) + "\n"


def _scrubbed(value: JsonValue) -> JsonValue:
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, list):
        return [_scrubbed(part) for part in value]
    if isinstance(value, dict):
        return {name: _scrubbed(part) for name, part in value.items()}
    return value
