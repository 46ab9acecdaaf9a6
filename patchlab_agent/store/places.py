"""Finds the place that a folder or address names, and asks it what needs no open store."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from patchlab_agent.models.address import Address, Location
from patchlab_agent.store import layout
from patchlab_agent.store.info import StoreInfo

if TYPE_CHECKING:
    from patchlab_agent.store.place import Place


def place_of(location: Location) -> Place:
    """Return the place of the store at a folder or address; nothing is opened yet."""
    # Either brings Chroma, whose import takes longer than what a command without a store does.
    from patchlab_agent.store.folder import Folder  # noqa: PLC0415
    from patchlab_agent.store.server import Server  # noqa: PLC0415

    return Server(location) if isinstance(location, Address) else Folder(Path(location))


def read_info(location: Location) -> StoreInfo | None:
    """Read the marker of the store at a folder or address; None if there is no store yet.

    Raises:
        StoreError: there is something else, or a store of another format, or no server.
    """
    if not isinstance(location, Address):
        # The help of some commands needs this much of a store, and nothing that brings Chroma.
        return layout.read_info(Path(location))
    with closing(place_of(location)) as place:
        return place.read_info()


def is_locked(location: Location) -> bool:
    """Return True if somebody is writing to the store.

    Raises:
        StoreError: its server cannot be reached.
    """
    with closing(place_of(location)) as place:
        return place.is_locked()


def delete_store(location: Location) -> None:
    """Delete the store at a folder or address; do nothing if there is none.

    Raises:
        StoreError: something else is there, or it is in use, or cannot be deleted.
    """
    with closing(place_of(location)) as place:
        place.delete()
