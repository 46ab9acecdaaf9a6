"""Answers in a file: to record a model once, and to play it back without it.

A cassette is JSONL that people can read and diff. Its first line says what was asked and how; a
line with `stable` holds messages that many prompts begin with; every other line is one answer with
the rest of its prompt. An answer is found by the content of its question: model, parameters,
messages, schema, and the draw where answers vary.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Literal, TypeVar

from pydantic import Field, JsonValue, ValidationError

from patchlab_agent.backends.base import (
    Answered,
    BatchBackend,
    WrappedBackend,
    complete_batch,
    outage_in,
)
from patchlab_agent.backends.faults import scrub
from patchlab_agent.backends.llm import LlmBackend
from patchlab_agent.errors import CassetteMiss, InputError
from patchlab_agent.models.base import Frozen, JsonObject, digest
from patchlab_agent.models.model import ModelParameters, Structure
from patchlab_agent.models.trace import Completion, Message, Prompt, Usage

VERSION: Literal[1] = 1
_FIRST_BYTES = b'{"cassette": '
GROWING = frozenset({"runs", "golden"})
"""What may differ when a recording is gone on with."""
_Line = TypeVar("_Line", bound=Frozen)


class Header(Frozen):
    """A cassette's first line."""

    cassette: Literal[1] = VERSION
    parameters: ModelParameters
    structure: Structure | None = Field(
        default=None, description="how the model was held to the answer's form"
    )
    note: str = Field(default="", description="the model's file, its quantization, its server")
    settings: dict[str, JsonValue] = Field(
        default_factory=dict, description="of the run that was recorded"
    )


class _Stable(Frozen):
    stable: str
    messages: tuple[Message, ...]


class _Answer(Frozen):
    key: str
    after: str = Field(description="which stable messages come first")
    messages: tuple[Message, ...]
    draw: str | None = None
    text: str
    cut_off: bool = False
    filtered: bool = False
    usage: Usage

    @property
    def completion(self) -> Completion:
        return Completion(
            text=self.text, usage=self.usage, cut_off=self.cut_off, filtered=self.filtered
        )


def answer_key(parameters: ModelParameters, prompt: Prompt) -> str:
    """What an answer is found by."""
    return digest(
        [
            parameters.model_dump(mode="json"),
            [message.model_dump() for message in prompt.messages],
            prompt.answer_schema,
            prompt.draw if parameters.varies else None,
        ],
        length=24,
    )


class Cassette:
    """A cassette's content.

    The last line counts only if it is whole: a recording that was killed may have left half of it.

    Args:
        path: the file.

    Attributes:
        size: bytes of the lines that are whole.

    Raises:
        InputError: it cannot be read, or a line of it is no line of a cassette; names the line.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.answers: dict[str, Completion] = {}
        self.stable: set[str] = set()
        try:
            data = path.read_bytes()
            *whole, last = data.split(b"\n")
            first, *others = [line.decode("utf-8") for line in whole] or [""]
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(
                f"The cassette {path} cannot be read: {error}; name another."
            ) from error
        self.header = self._parsed(Header, 1, first)
        for number, line in enumerate(others, start=2):
            self._take(number, line)
        self.size = len(data) - len(last)
        with suppress(InputError, UnicodeDecodeError):
            self._take(len(whole) + 1, last.decode("utf-8"))
            self.size = len(data)

    def _take(self, number: int, line: str) -> None:
        if line.startswith('{"stable"'):
            self.stable.add(self._parsed(_Stable, number, line).stable)
        elif line.strip():
            answer = self._parsed(_Answer, number, line)
            self.answers[answer.key] = answer.completion

    def _parsed(self, kind: type[_Line], number: int, line: str) -> _Line:
        try:
            return kind.model_validate_json(line)
        except ValidationError as error:
            raise InputError(
                f"Line {number} of {self.path} is no line of a version {VERSION} cassette; record "
                f"it anew."
            ) from error


class ReplayBackend(BatchBackend):
    """Plays a cassette; knows no model and no network.

    Args:
        cassette: what to play.
    """

    def __init__(self, cassette: Cassette) -> None:
        self._cassette = cassette

    @property
    def name(self) -> str:
        """The recorded model, and that it is played back."""
        return f"replay of {self._cassette.header.parameters}"

    @property
    def varies(self) -> bool:
        """As the recorded model."""
        return self._cassette.header.parameters.varies

    @property
    def structure(self) -> Structure | None:
        """As recorded."""
        return self._cassette.header.structure

    def complete_batch(self, prompts: Sequence[Prompt]) -> list[Answered]:
        """Look the answers up; each costs what it cost when it was recorded."""
        return [self._find(prompt) for prompt in prompts]

    def close(self) -> None:
        """Nothing to let go of."""

    def _find(self, prompt: Prompt) -> Answered:
        header = self._cassette.header
        answer = self._cassette.answers.get(answer_key(header.parameters, prompt))
        if answer is not None:
            return answer
        return CassetteMiss(
            f"{self._cassette.path} has no answer to the prompt about {prompt.request!r}: prompts, "
            f"settings or cases are others than when it was recorded, or the recording was cut "
            f"short; record it anew with --record, or go on with it."
        )


class RecordingBackend(WrappedBackend):
    """A model whose answers are kept in a cassette, and asked for once only.

    A cassette that is there already is gone on with, so a recording that was cut short resumes
    where it ended. Answers are written down in groups, as they come, so that little is asked again
    after a recording that was killed. The first line tells the settings of the latest run, which a
    replay takes up.

    Args:
        inner: answers what the cassette does not know.
        model: the model behind `inner`.
        path: the cassette's file.
        note: goes into the first line.
        settings: those of the run; go there, too.
        group: calls that run beside each other.

    Attributes:
        known: how many answers came from the file.
        added: how many were asked for and went into it.

    Raises:
        InputError: the file is no cassette, or of another model, other parameters or another kind
            of run, or cannot be written.
    """

    def __init__(
        self,
        inner: BatchBackend,
        model: LlmBackend,
        path: Path,
        *,
        note: str = "",
        settings: JsonObject | None = None,
        group: int = 1,
    ) -> None:
        super().__init__(inner)
        self.known = 0
        self.added = 0
        self._path = path
        self._model = model
        self._note = note
        self._group = group
        self._settings = settings or {}
        self._answers: dict[str, Completion] = {}
        self._stable: set[str] = set()
        self._header: Header | None = None
        if (cassette := _begun(path)) is not None:
            _check_same(cassette, model.parameters, self._settings)
            self._answers, self._stable = cassette.answers, cassette.stable
            self._header = cassette.header
            model.settle(cassette.header.structure)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _end_with_whole_line(path, cassette.size if cassette else 0)
            self._file: IO[str] = path.open("a", encoding="utf-8")
        except OSError as error:
            raise InputError(f"The cassette {path} cannot be written: {error}.") from error

    def complete_batch(self, prompts: Sequence[Prompt]) -> list[Answered]:
        """Answer from the file, else ask and write down; after an outage no more is asked."""
        if self._header is not None:
            self._tell_settings(self._header)
        keys = [answer_key(self._model.parameters, prompt) for prompt in prompts]
        missing = [n for n, key in enumerate(keys) if key not in self._answers]
        self.known += len(keys) - len(missing)
        answers: dict[int, Answered] = {
            n: self._answers[key] for n, key in enumerate(keys) if key in self._answers
        }
        while missing:
            group, missing = missing[: self._group], missing[self._group :]
            asked = complete_batch(self.inner, [prompts[n] for n in group])
            for n, answered in zip(group, asked, strict=True):
                answers[n] = answered
                if isinstance(answered, Completion):
                    self._keep(keys[n], prompts[n], answered)
            self._file.flush()
            if (outage := outage_in(asked)) is not None:
                answers.update(dict.fromkeys(missing, outage))
                break
        return [answers[n] for n in range(len(prompts))]

    @property
    def summary(self) -> str:
        """What came of it, in a sentence."""
        return f"{self._path}: {self.known:,} answers were there, {self.added:,} were added."

    def close(self) -> None:
        """Close the file and the model."""
        self._file.close()
        super().close()

    def _keep(self, key: str, prompt: Prompt, completion: Completion) -> None:
        if self._header is None:
            self._header = Header(
                parameters=self._model.parameters,
                structure=self._model.structure,
                note=self._note,
                settings=self._settings,
            )
            self._write(self._header)
        stable = prompt.messages[: prompt.stable]
        name = digest([message.model_dump() for message in stable])
        if name not in self._stable:
            self._write(_Stable(stable=name, messages=stable))
            self._stable.add(name)
        self._write(
            _Answer(
                key=key,
                after=name,
                messages=prompt.messages[prompt.stable :],
                draw=prompt.draw if self.varies else None,
                text=completion.text,
                cut_off=completion.cut_off,
                filtered=completion.filtered,
                usage=completion.usage,
            )
        )
        self._answers[key] = completion
        self.added += 1

    def _tell_settings(self, header: Header) -> None:
        """Bring the first line up to date."""
        settings = {**header.settings, **self._settings}
        told = header.model_copy(
            update={
                "settings": settings,
                "note": self._note or header.note,
                "structure": header.structure or self._model.structure,
            }
        )
        if told == header:
            return
        self._header = told
        self._file.close()
        _, _, rest = self._path.read_text("utf-8").partition("\n")
        anew = self._path.with_name(f"{self._path.name}.new")
        anew.write_text(f"{_line(told)}{rest}", "utf-8")
        anew.replace(self._path)
        self._file = self._path.open("a", encoding="utf-8")

    def _write(self, line: Frozen) -> None:
        self._file.write(_line(line))


def _line(line: Frozen) -> str:
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


def _begun(path: Path) -> Cassette | None:
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


def _check_same(cassette: Cassette, parameters: ModelParameters, settings: JsonObject) -> None:
    """Make sure that a replay of all that a cassette will hold is possible."""
    header = cassette.header
    if header.parameters != parameters:
        raise InputError(
            f"{cassette.path} was recorded with {header.parameters}, not with {parameters}; name "
            f"another file."
        )
    for name in sorted((header.settings.keys() & settings.keys()) - GROWING):
        if header.settings[name] != settings[name]:
            raise InputError(
                f"{cassette.path} was recorded with {name}={header.settings[name]}, not with "
                f"{settings[name]}; name another file."
            )


def _end_with_whole_line(path: Path, size: int) -> None:
    if path.exists():
        with path.open("rb+") as file:
            file.truncate(size)
            if not file.read().endswith(b"\n") and size:
                file.write(b"\n")
