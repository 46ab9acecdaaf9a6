"""Recording of a real model's answers in a cassette."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
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
from patchlab_agent.backends.cassette import (
    Cassette,
    Header,
    RecordedAnswer,
    RecordedCase,
    Stable,
    Suite,
    answer_key,
)
from patchlab_agent.backends.llm import LlmBackend
from patchlab_agent.errors import InputError, PatchLabError, PromptTooLong
from patchlab_agent.files import no_room
from patchlab_agent.models.base import Frozen, JsonObject, digest
from patchlab_agent.models.case import Case, CaseSets
from patchlab_agent.models.masking import masked, masked_words
from patchlab_agent.models.prompt import Completion, Prompt

OWN_REQUESTS = "own_requests"
"""Header setting that says whether a run's requests were the user's own or generated ones."""
_GROWING = frozenset({"runs", "golden"})
_FIRST_BYTES = b'{"cassette": '


class RecordingBackend(WrappedBackend):
    """A backend that keeps a model's answers in a cassette, and asks for each only once.

    An existing cassette is continued, so a recording that was cut short resumes where it ended.
    Lines are only ever appended, and answers in groups, as they arrive, so that little has to be
    asked again after a recording was killed.

    Args:
        inner: answers what the cassette does not contain.
        model: the model behind `inner`.
        path: the cassette's file; it is created with the first answer.
        note: a note about the model for the header.
        group: number of concurrent calls.

    Attributes:
        known: number of answers that came from the file.
        added: number of answers that were asked for and appended.

    Raises:
        InputError: the file is not a cassette, belongs to another model, server or other
            parameters, or cannot be written.
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
        self._path = path
        self._model = model
        self._note = note
        self._group = group
        self._settings: JsonObject = {}
        self._cases = CaseSets()
        self._unwritten: list[RecordedCase] = []
        self._answers: dict[str, Answered] = {}
        self._stable: set[str] = set()
        self._header: Header | None = None
        self._file: IO[bytes] | None = None
        if (cassette := begun(path)) is not None:
            header = cassette.header
            if header.parameters != model.parameters:
                raise InputError(
                    f"{path} was recorded with {header.parameters}, not with {model.parameters}; "
                    f"name another file."
                )
            _check_same_server(path, header, model.server)
            self._answers, self._stable, self._header = cassette.answers, cassette.stable, header
            self._cases = cassette.cases
            # A replay has one structure for all answers, so a later session keeps to the first's.
            model.settle(header.structure)
        # Before the first call: an answer that cannot be kept would have been paid for in vain.
        _check_writable(path)

    def begin(self, settings: JsonObject, cases: CaseSets | None = None) -> None:
        """Start recording a run; a replay adopts the settings of the latest one, and its cases.

        Args:
            settings: the run's.
            cases: the run's; those that the cassette already holds are not written again.

        Raises:
            InputError: the cassette was recorded with other settings, or on other requests.
        """
        if self._header is not None:
            check_same_run(self._path, self._header, settings)
        self._settings = settings
        if cases is not None:
            check_same_requests(self._path, self._cases.stream, cases.stream)
            self._unwritten = list(_missing(self._cases, cases))

    def complete_batch(self, prompts: Sequence[Prompt]) -> list[Answered]:
        """Answer from the file, else ask and record; after an outage the rest is not tried.

        Raises:
            InputError: the file cannot be written.
        """
        keys = [answer_key(self._model.parameters, prompt) for prompt in prompts]
        missing = [n for n, key in enumerate(keys) if key not in self._answers]
        self.known += len(keys) - len(missing)
        answers = {n: self._answers[key] for n, key in enumerate(keys) if key in self._answers}
        try:
            if answers:
                self._tell()
            while missing:
                group, missing = missing[: self._group], missing[self._group :]
                asked = complete_batch(self.inner, [prompts[n] for n in group])
                for n, answered in zip(group, asked, strict=True):
                    answers[n] = answered
                    self._keep(keys[n], prompts[n], answered)
                if self._file is not None:
                    # Once per group: a killed recording loses the calls in flight and no more.
                    self._file.flush()
                if (outage := outage_in(asked)) is not None:
                    answers.update(dict.fromkeys(missing, outage))
                    break
        except OSError as error:
            raise _refusal(self._path, error) from error
        return [answers[n] for n in range(len(prompts))]

    @property
    def summary(self) -> str:
        """A one-sentence summary of the recording."""
        return f"{self._path}: {self.known:,} answers were there, {self.added:,} were added."

    def close(self) -> None:
        """Close the model and the file.

        Raises:
            InputError: pending lines could not be written.
        """
        super().close()
        file, self._file = self._file, None
        try:
            if file is not None:
                file.close()
        except OSError as error:
            raise _refusal(self._path, error) from error

    def _tell(self) -> None:
        """Write a header, unless the cassette has the same one already."""
        known = self._header or Header(parameters=self._model.parameters)
        told = known.model_copy(
            update={
                "structure": known.structure or self._model.structure,
                "server": self._model.server,
                "note": masked_words(self._note) or known.note,
                "settings": {**known.settings, **self._settings},
            }
        )
        if told != self._header:
            # Appended, never rewritten in place: a rewrite that is killed could lose answers.
            self._write(told)
            self._header = told
        for line in self._unwritten:
            self._write(line)
        self._unwritten = []

    def _keep(self, key: str, prompt: Prompt, answered: Answered) -> None:
        if isinstance(answered, Completion):
            kept = answered
        elif isinstance(answered, PromptTooLong) and prompt.repairs:
            # A run goes on without this repair, and so must its replay.
            kept = Completion(text=str(answered))
        else:
            return
        # The header, then the stable messages, then the answer: whatever line a recording is
        # killed after, what precedes it can be read without it.
        self._tell()
        stable = prompt.messages[: prompt.stable]
        name = digest([message.model_dump() for message in stable])
        if name not in self._stable:
            self._write(Stable(stable=name, messages=stable))
            self._stable.add(name)
        self._write(
            RecordedAnswer(
                key=key,
                after=name,
                messages=prompt.messages[prompt.stable :],
                draw=prompt.draw if self.varies else None,
                text=kept.text,
                cut_off=kept.cut_off,
                filtered=kept.filtered,
                too_long=isinstance(answered, PromptTooLong),
                usage=kept.usage,
            )
        )
        self._answers[key] = answered
        self.added += 1

    def _write(self, line: Frozen) -> None:
        if self._file is None:
            path = self._path.resolve()
            path.parent.mkdir(parents=True, exist_ok=True)
            _end_with_whole_line(path)
            self._file = path.open("ab")
        # A later version may have other defaults, so a header states every value.
        data = line.model_dump(mode="json", exclude_defaults=not isinstance(line, Header))
        text = json.dumps(_scrubbed(data), ensure_ascii=False) + "\n"
        self._file.write(text.encode("utf-8"))


def _check_same_server(path: Path, header: Header, server: str) -> None:
    """Refuse to mix answers of two servers: a server of one's own calls any model by any name."""
    if header.server in {None, server}:
        return
    raise InputError(
        f"{path} was recorded at {header.server}, not at {server}; name another file, or, if the "
        f"same model moved, write its new address in place of the old one in {path.name}."
    )


def _check_writable(path: Path) -> None:
    target = path.resolve()
    place = next(each for each in (target, *target.parents) if each.exists())
    if not os.access(place, os.W_OK):
        raise InputError(f"The cassette {path} cannot be written; name another file.")


def _end_with_whole_line(path: Path) -> None:
    """Remove what a killed recording left of its last line, or terminate that line."""
    if not path.exists():
        return
    whole = begun(path)
    with path.open("rb+") as file:
        file.truncate(whole.size if whole else 0)
        if whole and not whole.is_ended:
            file.seek(0, os.SEEK_END)
            file.write(b"\n")


def _refusal(path: Path, error: OSError) -> PatchLabError:
    return no_room(f"The cassette {path}", error) or InputError(
        f"The cassette {path} cannot be written: {error}."
    )


def begun(path: Path) -> Cassette | None:
    """Return the cassette to continue; None if there is none yet, or not even a whole first line.

    Raises:
        InputError: the file is not a cassette, or cannot be read.
    """
    try:
        with path.open("rb") as file:
            first = file.readline()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _refusal(path, error) from error
    if not first.startswith(_FIRST_BYTES[: len(first)]):
        raise InputError(f"Line 1 of {path} is not a cassette's header; name another file.")
    return Cassette(path) if first.endswith(b"\n") else None


def check_same_run(path: Path, header: Header, settings: JsonObject) -> None:
    """Check that a run can continue a cassette, so that all of it can be replayed.

    Raises:
        InputError: the cassette belongs to a run with other settings; names the one that differs.
    """
    for name in sorted((header.settings.keys() & settings.keys()) - _GROWING):
        if header.settings[name] != settings[name]:
            if name == OWN_REQUESTS:
                raise _on_other_requests(path)
            raise InputError(
                f"{path} was recorded with {name}={header.settings[name]}, not with "
                f"{settings[name]}; name another file."
            )


def check_same_requests(path: Path, recorded: Sequence[Case], asked: Sequence[Case]) -> None:
    """Check that a run asks the requests of a cassette, as far as both go.

    Raises:
        InputError: it asks others.
    """
    if not are_recorded(recorded, asked):
        raise _on_other_requests(path)


def are_recorded(recorded: Sequence[Case], asked: Sequence[Case]) -> bool:
    """Return whether requests are the recorded ones, as far as both go."""
    return all(case == _as_recorded(own) for case, own in zip(recorded, asked, strict=False))


def _on_other_requests(path: Path) -> InputError:
    return InputError(f"{path} was recorded on other requests; name another file.")


def _as_recorded(case: Case) -> Case:
    return Case.model_validate(_scrubbed(case.model_dump(mode="json")))


def _missing(recorded: CaseSets, wanted: CaseSets) -> Iterator[RecordedCase]:
    """Yield the lines that a cassette lacks of a run's cases.

    A set of labeled cases that it holds stays as it is, however many there are by now: another set
    would be another measure. The stream goes on where it ended.
    """
    sets: tuple[Suite, ...] = ("golden", "regression", "stream")
    for suite in sets:
        held, cases = getattr(recorded, suite), getattr(wanted, suite)
        grows = suite == "stream"
        if held and not grows:
            continue
        for number, case in enumerate(cases[len(held) :], start=len(held) + 1):
            yield RecordedCase(
                case=suite,
                number=number,
                of=None if grows else len(cases),
                request=case.request,
                truth=case.truth,
                stratum=case.stratum,
            )


def _scrubbed(value: JsonValue) -> JsonValue:
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, list):
        return [_scrubbed(part) for part in value]
    if isinstance(value, dict):
        return {name: _scrubbed(part) for name, part in value.items()}
    return value
