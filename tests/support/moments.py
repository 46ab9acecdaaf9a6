"""The moments at which a process that writes to a store may end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from patchlab_agent import files
from patchlab_agent.store import folder, journal, layout, running
from patchlab_agent.store.chroma import Records

WRITERS = (folder, layout)
"""Modules that write whole files."""


def _nothing() -> None:
    """Do nothing."""


@contextmanager
def moments(
    happens: Callable[[], None], committed: Callable[[], None] = _nothing
) -> Iterator[None]:
    """Have something happen before and after each time that a store's folder is written to.

    Nothing is half written at such a moment, so a copy of the folder is what a kill would leave.

    Args:
        happens: what happens.
        committed: happens before it, each time that a unit of work counts from now on.
    """

    def around(owner: Any, name: str, then: Callable[[], None] = _nothing) -> None:
        whole = getattr(owner, name)

        def surrounded(*args: Any, **options: Any) -> Any:
            happens()
            found = whole(*args, **options)
            then()
            happens()
            return found

        patch.setattr(owner, name, surrounded)

    with pytest.MonkeyPatch.context() as patch:
        for name in ("upsert", "update", "delete"):
            around(Records, name)
        around(journal.Journal, "_append", committed)
        # Before it, what is written first, and once that has the name.
        around(files, "_write")
        for module in WRITERS:
            around(module, "write_whole")
        around(running.RunLog, "note")
        yield
