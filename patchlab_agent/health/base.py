"""The frame of every check: whatever crashes it becomes its finding."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from patchlab_agent.errors import PatchLabError
from patchlab_agent.models.health import Check, CheckStatus


def looked(name: str, look: Callable[[], Iterable[Check]]) -> Iterator[Check]:
    """Run a check and yield its findings; a check that crashes, for any reason, has failed."""
    try:
        yield from look()
    except PatchLabError as error:
        yield failed(name, error)
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # Chroma's panics are not of type Exception
        yield Check(
            name=name,
            status=CheckStatus.FAILED,
            found=f"The check crashed: {type(error).__name__}: {error}",
            remedy="Treat what it names as damaged: restore it, or use another.",
        )


def failed(name: str, error: PatchLabError) -> Check:
    """Make a failed check of an error whose message names the problem and the remedy."""
    found, semicolon, remedy = str(error).rpartition("; ")
    if not semicolon:
        found, remedy = str(error), "See the message."
    return Check(
        name=name,
        status=CheckStatus.FAILED,
        found=found if found.endswith(".") else f"{found}.",
        remedy=remedy[:1].upper() + remedy[1:],
    )
