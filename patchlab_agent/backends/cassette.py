"""Cassettes: recorded answers in a file, and a backend that replays them.

A cassette is JSONL that people can read and diff. Its first line is a header, which says what was
asked and how; later headers may follow, and the last one counts. A line with `stable` holds
messages that many prompts begin with, a line with `case` one labeled case of the recorded run, so
that a replay does not depend on what a skill would generate today; every other line is one answer
with the rest of its prompt. An answer is found by the content of its question: model, parameters,
messages, schema, and the draw if answers vary.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal, TypeAlias, TypeVar

from pydantic import Field, JsonValue, ValidationError

from patchlab_agent.backends.base import Answered, BatchBackend
from patchlab_agent.errors import CassetteMiss, InputError, PromptTooLong
from patchlab_agent.models.base import Frozen, JsonObject, digest
from patchlab_agent.models.case import Case, CaseSets
from patchlab_agent.models.model import ModelParameters, Structure
from patchlab_agent.models.prompt import Completion, Message, Prompt, Usage

VERSION: Literal[1] = 1
Suite: TypeAlias = Literal["stream", "golden", "regression"]
"""One of the sets of cases that a run takes."""
_Line = TypeVar("_Line", bound=Frozen)


class Header(Frozen):
    """A cassette's header: its first line, or a later one that replaces it."""

    cassette: Literal[1] = VERSION
    parameters: ModelParameters
    structure: Structure | None = Field(
        default=None, description="how the model was held to the answer's form"
    )
    server: str | None = Field(
        default=None,
        description="the address of the server, without login or key; null: it is not told",
    )
    note: str = Field(default="", description="the model's file, its quantization, its server")
    settings: dict[str, JsonValue] = Field(
        default_factory=dict, description="of the run that was recorded"
    )


class Stable(Frozen):
    """A line of messages that many prompts begin with."""

    stable: str
    messages: tuple[Message, ...]


class RecordedCase(Frozen):
    """A line with one case of the recorded run."""

    case: Suite
    number: int = Field(ge=1, description="the case's place in its set, from 1")
    of: int | None = Field(
        default=None, ge=1, description="size of the set; None: further cases may be added"
    )
    request: str = Field(min_length=1)
    truth: JsonObject
    stratum: str = ""

    @property
    def labeled(self) -> Case:
        """The case."""
        return Case(request=self.request, truth=self.truth, stratum=self.stratum)


class RecordedAnswer(Frozen):
    """A line with one answer."""

    key: str
    after: str = Field(description="which stable messages come first")
    messages: tuple[Message, ...]
    draw: str | None = None
    text: str
    cut_off: bool = False
    filtered: bool = False
    too_long: bool = Field(
        default=False, description="the model has no room for the prompt, as the text says"
    )
    usage: Usage = Usage()

    @property
    def answered(self) -> Answered:
        """The model's answer, or the error in its place."""
        if self.too_long:
            return PromptTooLong(self.text)
        return Completion(
            text=self.text, usage=self.usage, cut_off=self.cut_off, filtered=self.filtered
        )


def answer_key(parameters: ModelParameters, prompt: Prompt) -> str:
    """Return the key of a prompt's answer."""
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
    """The content of a cassette.

    The last line counts only if it is complete: a killed recording may have left half of it.

    Args:
        path: the file.

    Attributes:
        size: number of bytes in complete lines.
        is_ended: whether the last complete line ends with a newline.

    Raises:
        InputError: the file cannot be read, or a line is not valid in a cassette; names the line.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.answers: dict[str, Answered] = {}
        self.stable: set[str] = set()
        self._lines: dict[Suite, dict[int, RecordedCase]] = {
            "stream": {},
            "golden": {},
            "regression": {},
        }
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
        self.size, self.is_ended = len(data) - len(last), True
        with suppress(InputError, UnicodeDecodeError):
            self._take(len(whole) + 1, last.decode("utf-8"))
            self.size, self.is_ended = len(data), not last

    @property
    def cases(self) -> CaseSets:
        """The cases of the recorded run; a set that was not recorded as a whole is empty."""
        return CaseSets(**{suite: _in_order(lines) for suite, lines in self._lines.items()})

    def _take(self, number: int, line: str) -> None:
        if line.startswith('{"cassette"'):
            self.header = self._parsed(Header, number, line)
        elif line.startswith('{"stable"'):
            self.stable.add(self._parsed(Stable, number, line).stable)
        elif line.startswith('{"case"'):
            case = self._parsed(RecordedCase, number, line)
            # A set that was cut short is written again from its start.
            self._lines[case.case][case.number] = case
        elif line.strip():
            answer = self._parsed(RecordedAnswer, number, line)
            self.answers[answer.key] = answer.answered

    def _parsed(self, kind: type[_Line], number: int, line: str) -> _Line:
        try:
            return kind.model_validate_json(line)
        except ValidationError as error:
            raise InputError(
                f"Line {number} of {self.path} is not valid in a version {VERSION} cassette; "
                f"record it again."
            ) from error


def _in_order(lines: Mapping[int, RecordedCase]) -> tuple[Case, ...]:
    """Return the cases of a set up to the first gap; none if the set has an end and lacks some."""
    found: list[RecordedCase] = []
    while (line := lines.get(len(found) + 1)) is not None:
        found.append(line)
    size = found[0].of or len(found) if found else 0
    return tuple(line.labeled for line in found[:size]) if len(found) >= size else ()


class ReplayBackend(BatchBackend):
    """A backend that replays a cassette, without a model or a network.

    Args:
        cassette: the cassette to replay.
    """

    def __init__(self, cassette: Cassette) -> None:
        self._cassette = cassette

    @property
    def name(self) -> str:
        """The recorded model's name, marked as a replay."""
        return f"replay of {self._cassette.header.parameters}"

    @property
    def varies(self) -> bool:
        """True if the recorded model's answers vary."""
        return self._cassette.header.parameters.varies

    @property
    def structure(self) -> Structure | None:
        """The structure of the recording."""
        return self._cassette.header.structure

    def complete_batch(self, prompts: Sequence[Prompt]) -> list[Answered]:
        """Look up the answers; each costs what it cost when it was recorded."""
        return [self._find(prompt) for prompt in prompts]

    def close(self) -> None:
        """Do nothing: there is no connection to release."""

    def _find(self, prompt: Prompt) -> Answered:
        parameters = self._cassette.header.parameters
        answer = self._cassette.answers.get(answer_key(parameters, prompt))
        if answer is not None:
            return answer
        return CassetteMiss(
            f"{self._cassette.path} has no answer to the prompt about {prompt.request!r}: prompts, "
            f"settings or cases have changed since it was recorded, or the recording was cut "
            f"short; record it again with --record, or continue the recording."
        )
