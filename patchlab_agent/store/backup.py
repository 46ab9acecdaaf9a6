"""Copies a store to a file or folder, and puts such a copy in its place again."""

from __future__ import annotations

import lzma
import os
import shutil
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from patchlab_agent.errors import InputError, StoreError, UsageError
from patchlab_agent.files import full, no_room
from patchlab_agent.models.address import Location
from patchlab_agent.store.info import MARKER, StoreInfo
from patchlab_agent.store.layout import LOCK_FILES, read_info
from patchlab_agent.store.place import Place
from patchlab_agent.store.places import place_of

ARCHIVES = {".zip": "zip", ".tar": "tar", ".tgz": "gztar", ".tar.gz": "gztar"}
"""Endings of file names, and the archives that they stand for; any other name is a folder's."""
_DAMAGES = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
    # Of names that cannot be, two of the same, half a file, or what only a password opens.
    *(OSError, EOFError, ValueError, RuntimeError),
)
"""What damaged archives raise."""


def back_up(location: Location, target: Path, *, force: bool = False) -> Path:
    """Copy a store, all of it or nothing, to a file that ends as an archive does, or to a folder.

    Args:
        location: the store's folder or address.
        target: the file or folder to write.
        force: overwrite a file that is there already.

    Raises:
        StoreError: there is no store, another process is writing to it, or there is no room.
        UsageError: the target is there already, or cannot be written.
    """
    with closing(place_of(location)) as place:
        if place.read_info() is None:
            raise StoreError(f"There is no store at {place}; name one with --store.")
        _check_target(location, target, force)
        if place.is_left_shared():
            raise StoreError(
                f"The last process that shared {place} was killed; run `patchlab-agent patches "
                f"list --store {place}`, which writes out what it left, and repeat the command."
            )
        lock = place.lock()
        try:
            _copy(place, target)
        finally:
            lock.release()
    return target


def _copy(place: Place, target: Path) -> None:
    fresh = target.with_name(f"{target.name}.new")
    try:
        _remove(fresh)
        target.parent.mkdir(parents=True, exist_ok=True)
        # Copied first, as an archive is packed from a folder without the lock.
        place.copy_to(fresh)
        kind = _archive(target)
        if kind is not None:
            packed = Path(shutil.make_archive(str(fresh), kind, root_dir=fresh))
            packed.replace(target)
            _remove(fresh)
        else:
            fresh.replace(target)
    except (OSError, shutil.Error) as error:
        _remove(fresh)
        raise no_room(target, error) or UsageError(
            f"{target} cannot be written ({error}); name another file or folder."
        ) from error


def restore(
    source: Path,
    location: Location,
    check: Callable[[Path, StoreInfo], None],
    *,
    force: bool = False,
) -> None:
    """Put a copy of a store in place, all of it or nothing.

    Args:
        source: the file or folder that `back_up` wrote.
        location: where the store is to be.
        check: makes sure that the copy is whole, before anything is replaced.
        force: replace the store that is there.

    Raises:
        InputError: the source is missing, or no copy of a store.
        UsageError: there is a store already.
        StoreError: the copy is damaged, another process is writing to the store that is there, or
            there is no room.
    """
    with closing(place_of(location)) as place:
        if place.read_info() is not None and not force:
            raise UsageError(f"{place} is a store already; add --force to replace it.")
        staged = _staged(location)
        try:
            _remove(staged)
            _unpack(source, staged)
            info = _info_in(staged, source)
            if info is None:
                raise InputError(
                    f"{source} is no backup of a store; name one that `store backup` wrote."
                )
            check(staged, info)
            place.replace_by(staged)
        except OSError as error:
            raise no_room(place, error) or StoreError(
                f"{place} cannot be restored ({error.strerror or error}); check its permissions."
            ) from error
        finally:
            _remove(staged)


def _staged(location: Location) -> Path:
    """Return where to unpack a copy: beside a folder that it is to replace in one step."""
    if isinstance(location, Path):
        return location.with_name(f"{location.name}.restoring")
    return Path(tempfile.gettempdir()) / f"patchlab-restoring-{os.getpid()}"


def _info_in(staged: Path, source: Path) -> StoreInfo | None:
    """Return the marker of a copy, whose problems are those of where it comes from."""
    if not (staged / MARKER).exists():
        return None
    try:
        return read_info(staged)
    except StoreError as error:
        raise InputError(str(error).replace(str(staged), str(source))) from error


def _unpack(source: Path, folder: Path) -> None:
    try:
        if source.is_dir():
            shutil.copytree(source, folder, ignore=shutil.ignore_patterns(*LOCK_FILES))
            return
        if not source.exists():
            raise InputError(f"There is no {source}; name a backup.")
        kind = _archive(source)
        if kind is None:
            raise InputError(f"{source} is no archive; its name ends in {', '.join(ARCHIVES)}.")
        folder.mkdir(parents=True)
        if kind == "zip":
            shutil.unpack_archive(source, folder, "zip")
        else:
            # Whoever wrote the archive must not write anywhere else.
            shutil.unpack_archive(source, folder, kind, filter="data")
    except _DAMAGES as error:
        if full(error) or isinstance(error, PermissionError):
            raise
        why = getattr(error, "strerror", None) or error
        raise InputError(f"{source} is damaged ({why}); name another backup.") from error


def _check_target(location: Location, target: Path, force: bool) -> None:
    if isinstance(location, Path) and target.resolve().is_relative_to(location.resolve()):
        raise UsageError(f"{target} is within the store; name a file or folder outside it.")
    if target.is_dir():
        raise UsageError(f"{target} is there already; name a new folder, or a file.")
    if target.exists() and not force:
        raise UsageError(f"{target} is there already; add --force to overwrite it.")


def _archive(target: Path) -> str | None:
    name = target.name.lower()
    return next((kind for end, kind in ARCHIVES.items() if name.endswith(end)), None)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
        return
    with suppress(FileNotFoundError):
        path.unlink()
