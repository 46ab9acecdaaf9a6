"""The answers to a run's golden cases: a file of JSON lines, one case per line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pydantic import ValidationError

from patchlab_agent.errors import StoreError
from patchlab_agent.models.golden import GoldenAnswer
from patchlab_agent.store.place import File

SUFFIX = ".golden.jsonl"


def golden_lines(answers: Iterable[GoldenAnswer]) -> Iterator[str]:
    """Yield the lines of the file that keeps these answers."""
    for answer in answers:
        yield f"{answer.model_dump_json(exclude_defaults=True)}\n"


def read_golden(file: File) -> tuple[GoldenAnswer, ...]:
    """Read the answers in a file; none if there is no file, as after a run without golden cases.

    Raises:
        StoreError: it cannot be read, or is damaged.
    """
    try:
        # Not splitlines, which would also split a request at other line ends than ours.
        lines = file.read_bytes().decode("utf-8").removesuffix("\n").split("\n")
        return tuple(map(GoldenAnswer.model_validate_json, lines))
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise StoreError(
            f"{file} cannot be read ({error.strerror}); check its permissions."
        ) from error
    except (ValidationError, UnicodeDecodeError) as error:
        raise StoreError(
            f"{file} is damaged; restore it, or delete it to do without the golden answers."
        ) from error
