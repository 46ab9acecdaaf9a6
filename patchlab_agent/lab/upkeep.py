"""Keeps stores in order: copies, and repairs."""

from __future__ import annotations

from pathlib import Path

from patchlab_agent.errors import StoreError
from patchlab_agent.lab.skills import skill_in
from patchlab_agent.lab.stores import raw_store, store_location
from patchlab_agent.models.address import Location
from patchlab_agent.models.repair import RepairReport
from patchlab_agent.store import backup
from patchlab_agent.store.check import contents
from patchlab_agent.store.info import StoreInfo
from patchlab_agent.store.repair import repair


def backup_store(path: str | Location, target: str | Path, *, force: bool = False) -> Path:
    """Copy a store to an archive (`.zip`, `.tar`, `.tar.gz`, `.tgz`) or a new folder.

    Args:
        path: the store's folder, or its address on a Chroma server.
        target: the file or folder to write.
        force: overwrite a file that is there already.

    Returns:
        The target.

    Raises:
        StoreError: there is no store, another process is writing to it, or there is no room.
        UsageError: the target is there already, or cannot be written.

    Example:
        >>> lab.close()
        >>> backup_store(".patchlab", "copy.zip").name
        'copy.zip'
    """
    return backup.back_up(store_location(path), Path(target), force=force)


def restore_store(source: str | Path, path: str | Location, *, force: bool = False) -> None:
    """Put a copy of a store in place, once it is sure that the copy is whole.

    Args:
        source: what `backup_store` wrote.
        path: where the store is to be.
        force: replace the store that is there.

    Raises:
        InputError: the source is missing, or no copy of a store.
        UsageError: there is a store already.
        StoreError: the copy is damaged, another process is writing to the store that is there, or
            there is no room.

    Example:
        >>> lab.close()
        >>> restore_store(backup_store(".patchlab", "copy.zip"), "elsewhere")
        >>> with open_store("elsewhere") as store:
        ...     store.contents.active
        1
    """
    backup.restore(Path(source), store_location(path), _check_copy, force=force)


def repair_store(path: str | Location) -> RepairReport:
    """Have no record of a store name one that is missing, as an earlier version could leave it.

    Raises:
        StoreError: there is no store, or it cannot be read or written.

    Example:
        >>> lab.close()
        >>> repair_store(".patchlab").changes
        ()
    """
    with raw_store(store_location(path), write=True) as store:
        return repair(store)


def _check_copy(copy: Path, info: StoreInfo) -> None:
    found = contents(copy, info, skill_in(info).task.parse_fix)
    if found.problems:
        raise StoreError(f"The backup is damaged: {found.problems[0]}; restore another one.")
