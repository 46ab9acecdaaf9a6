"""The seam between a store and where it keeps what was decided until the database has it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Literal, NamedTuple

from patchlab_agent.errors import StoreError
from patchlab_agent.models.base import JsonObject

Kind = Literal["patch", "trace", "example", "examples", "gone"]
"""What was changed: one patch, trace or example, all examples, or records that were taken back."""


class Change(NamedTuple):
    """One change as the journal holds it: its kind, the record as it is from then on, its line."""

    kind: str
    content: Any
    line: int


class Notes(ABC):
    """What was changed in a store and does not count yet, and where it is kept once it does.

    Attributes:
        run: where the run in progress is, as it says itself; None if there is none.
        is_clean: the database holds all that was committed.
    """

    def __init__(self) -> None:
        self.run: JsonObject | None = None
        self.is_clean = True
        self._noted: list[str] = []
        self._touches = False

    @property
    def has_noted(self) -> bool:
        """True if something was noted and not committed."""
        return bool(self._noted)

    def note(self, kind: Kind, text: str, *, touches: bool = True) -> None:
        """Note a change, which counts once it is committed.

        Args:
            kind: what was changed.
            text: the record from now on, as JSON.
            touches: it could change a later answer.
        """
        self._noted.append(f'{{"{kind}":{text}}}')
        self._touches |= touches

    def forget(self) -> None:
        """Forget what was noted and not committed."""
        self._noted = []
        self._touches = False

    @abstractmethod
    def commit(self, run: JsonObject | None = None) -> None:
        """Write down what was noted: all of it counts from now on, or none.

        Args:
            run: where the run in progress is; None: the changes are somebody else's.

        Raises:
            StoreError: it cannot be written; then all that was noted still is.
        """

    @abstractmethod
    def sync(self) -> None:
        """Have the disk keep all that was committed, which a power cut could lose until then."""

    @abstractmethod
    def reset(self) -> None:
        """Start over with where the run is, as the database holds all changes."""

    @abstractmethod
    def read(self) -> list[Change]:
        """Return the changes that were committed and may not all be in the database.

        Raises:
            StoreError: they cannot be read, or are damaged.
        """

    @abstractmethod
    def damaged(self, line: int) -> StoreError:
        """Return the error that says that a line cannot be read."""

    @abstractmethod
    def close(self) -> None:
        """Let go of where it is kept."""
