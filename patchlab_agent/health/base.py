"""How a check is made: whatever breaks it becomes what it found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from patchlab_agent.errors import PatchLabError
from patchlab_agent.models.health import Check, Verdict


def looked(name: str, look: Callable[[], Iterable[Check]]) -> Iterator[Check]:
    """What a check found; one that breaks has failed, whatever it was that broke it."""
    try:
        yield from look()
    except PatchLabError as error:
        yield failed(name, error)
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # Chroma's panics are no Exception
        yield Check(
            name=name,
            status=Verdict.FAILED,
            found=f"The check broke: {type(error).__name__}: {error}",
            remedy="Take what it names for damaged: restore it, or use another.",
        )


def failed(name: str, error: PatchLabError) -> Check:
    """A check that ended in an error, whose message says what is the matter; and what to do."""
    found, semicolon, remedy = str(error).rpartition("; ")
    if not semicolon:
        found, remedy = str(error), "See what it says."
    return Check(
        name=name,
        status=Verdict.FAILED,
        found=found if found.endswith(".") else f"{found}.",
        remedy=remedy[:1].upper() + remedy[1:],
    )
