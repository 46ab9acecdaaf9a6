"""The answers to a run's golden cases: a file of JSON lines, one case per line."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from patchlab_agent.errors import StoreError
from patchlab_agent.files import write_whole
from patchlab_agent.models.golden import GoldenAnswer

SUFFIX = ".golden.jsonl"


def write_golden(path: Path, answers: Iterable[GoldenAnswer]) -> None:
    """Write answers in one step, so that a process killed meanwhile leaves none.

    Args:
        path: the file; its folder must exist.
        answers: written one at a time.
    """
    lines = (f"{answer.model_dump_json(exclude_defaults=True)}\n" for answer in answers)
    # One temporary name for all runs: what a killed process left behind is overwritten by the next.
    write_whole(path, lines, until_then="golden.new")


def read_golden(path: Path) -> tuple[GoldenAnswer, ...]:
    """Read the answers in a file; none if there is no file, as after a run without golden cases.

    Raises:
        StoreError: it cannot be read, or is damaged.
    """
    try:
        # Not splitlines, which would also split a request at other line ends than ours.
        lines = path.read_text("utf-8").removesuffix("\n").split("\n")
        return tuple(map(GoldenAnswer.model_validate_json, lines))
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise StoreError(
            f"{path} cannot be read ({error.strerror}); check its permissions."
        ) from error
    except (ValidationError, UnicodeDecodeError) as error:
        raise StoreError(
            f"{path} is damaged; restore it, or delete it to do without the golden answers."
        ) from error
