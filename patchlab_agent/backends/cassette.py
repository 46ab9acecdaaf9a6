"""Answers in a file: to record a model once, and to play it back without it.

A cassette is JSONL that people can read and diff. Its first line says what was asked and how; a
line with `stable` holds messages that many prompts begin with; every other line is one answer with
the rest of its prompt. An answer is found by the content of its question: model, parameters,
messages, schema, and the draw where answers vary.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Literal, TypeVar

from pydantic import Field, JsonValue, ValidationError

from patchlab_agent.backends.base import (
    Answered,
    BatchBackend,
    WrappedBackend,
    complete_batch,
)
from patchlab_agent.backends.faults import scrub
from patchlab_agent.backends.llm import LlmBackend
from patchlab_agent.errors import CassetteMiss, InputError
from patchlab_agent.models.base import Frozen, JsonObject, digest
from patchlab_agent.models.model import ModelParameters, Structure
from patchlab_agent.models.trace import Completion, Message, Prompt, Usage

VERSION: Literal[1] = 1
_FIRST_BYTES = b'{"cassette": '
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
    usage: Usage

    @property
    def completion(self) -> Completion:
        return Completion(text=self.text, usage=self.usage, cut_off=self.cut_off)


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

    Args:
        path: the file.

    Raises:
        InputError: it cannot be read, or a line of it is no line of a cassette; names the line.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.answers: dict[str, Completion] = {}
        self.stable: set[str] = set()
        lines = _lines(path)
        self.header = _parsed(Header, next(lines, (1, "")), path)
        for number, line in lines:
            if line.startswith('{"stable"'):
                self.stable.add(_parsed(_Stable, (number, line), path).stable)
            else:
                answer = _parsed(_Answer, (number, line), path)
                self.answers[answer.key] = answer.completion


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"The cassette {path} cannot be read: {error}; name another.") from error
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield number, line


def _parsed(kind: type[_Line], numbered: tuple[int, str], path: Path) -> _Line:
    number, line = numbered
    try:
        return kind.model_validate_json(line)
    except ValidationError as error:
        raise InputError(
            f"Line {number} of {path} is no line of a version {VERSION} cassette; record it anew."
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
            f"settings or cases are others than when it was recorded; record it anew with --record."
        )


class RecordingBackend(WrappedBackend):
    """A model whose answers are kept in a cassette, and asked for once only.

    A cassette that is there already is gone on with, so a recording that was cut short resumes
    where it ended.

    Args:
        inner: answers what the cassette does not know.
        model: the model behind `inner`.
        path: the cassette's file.
        note: goes into a new cassette's first line.
        settings: those of the run; go there, too.

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
        settings: JsonObject | None = None,
    ) -> None:
        super().__init__(inner)
        self.known = 0
        self.added = 0
        self._path = path
        self._model = model
        self._note = note
        self._settings = settings or {}
        self._answers: dict[str, Completion] = {}
        self._stable: set[str] = set()
        _drop_unfinished_line(path)
        if path.exists() and path.stat().st_size:
            cassette = Cassette(path)
            if cassette.header.parameters != model.parameters:
                raise InputError(
                    f"{path} was recorded with {cassette.header.parameters}, not with "
                    f"{model.parameters}; name another file."
                )
            self._answers, self._stable = cassette.answers, cassette.stable
            model.settle(cassette.header.structure)
            self._has_header = True
        else:
            self._has_header = False
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file: IO[str] = path.open("a", encoding="utf-8")
        except OSError as error:
            raise InputError(f"The cassette {path} cannot be written: {error}.") from error

    def complete_batch(self, prompts: Sequence[Prompt]) -> list[Answered]:
        """Answer from the file, else ask and write down."""
        keys = [answer_key(self._model.parameters, prompt) for prompt in prompts]
        self.known += sum(key in self._answers for key in keys)
        missing = [n for n, key in enumerate(keys) if key not in self._answers]
        answers: list[Answered | None] = [self._answers.get(key) for key in keys]
        asked = complete_batch(self.inner, [prompts[n] for n in missing]) if missing else []
        for n, answered in zip(missing, asked, strict=True):
            answers[n] = answered
            if isinstance(answered, Completion):
                self._keep(keys[n], prompts[n], answered)
        self._file.flush()
        return [answered for answered in answers if answered is not None]

    @property
    def summary(self) -> str:
        """What came of it, in a sentence."""
        return f"{self._path}: {self.known:,} answers were there, {self.added:,} were added."

    def close(self) -> None:
        """Close the file and the model."""
        self._file.close()
        super().close()

    def _keep(self, key: str, prompt: Prompt, completion: Completion) -> None:
        if not self._has_header:
            self._write(
                Header(
                    parameters=self._model.parameters,
                    structure=self._model.structure,
                    note=self._note,
                    settings=self._settings,
                )
            )
            self._has_header = True
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
                usage=completion.usage,
            )
        )
        self._answers[key] = completion
        self.added += 1

    def _write(self, line: Frozen) -> None:
        # A later version may have other defaults: the header names all it was recorded with.
        data = line.model_dump(mode="json", exclude_defaults=not isinstance(line, Header))
        self._file.write(json.dumps(_scrubbed(data), ensure_ascii=False) + "\n")


def _scrubbed(value: JsonValue) -> JsonValue:
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, list):
        return [_scrubbed(part) for part in value]
    if isinstance(value, dict):
        return {name: _scrubbed(part) for name, part in value.items()}
    return value


def _drop_unfinished_line(path: Path) -> None:
    """What a killed recording wrote last may be half a line; a file of another kind is kept.

    Raises:
        InputError: the file is no cassette, or cannot be read or written.
    """
    try:
        with path.open("rb+") as file:
            data = file.read()
            if not data.startswith(_FIRST_BYTES[: len(data)]):
                raise InputError(f"Line 1 of {path} begins no cassette; name another file.")
            file.truncate(data.rfind(b"\n") + 1)
    except FileNotFoundError:
        return
    except OSError as error:
        raise InputError(f"The cassette {path} cannot be written: {error}.") from error
