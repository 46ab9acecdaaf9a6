"""Tells what two stores or exports differ in."""

from __future__ import annotations

import os
from pathlib import Path

from patchlab_agent.lab.stores import raw_store, store_location
from patchlab_agent.models.address import Location
from patchlab_agent.models.patch import Patch
from patchlab_agent.models.transfer import PatchDiff
from patchlab_agent.transfer.difference import difference
from patchlab_agent.transfer.files import read_lines
from patchlab_agent.transfer.lines import read_export


def diff_patches(a: str | Location, b: str | Location) -> PatchDiff:
    """Tell which patches two stores or exports differ in, their status, and what they say.

    Args:
        a: a store's folder or address, or a file of `patches export`.
        b: another one.

    Raises:
        StoreError: a folder holds no store, or one that cannot be read.
        InputError: a file is no export.

    Example:
        >>> with open_lab(noise=0, store="elsewhere"):
        ...     found = diff_patches(".patchlab", "elsewhere")
        >>> [(each.kind, each.a.trigger) for each in found.differences]
        [('only_in_a', 'bleach')]
    """
    return difference(
        str(a), _patches_of(store_location(a)), str(b), _patches_of(store_location(b))
    )


def _patches_of(path: Location) -> list[Patch]:
    # A pipe, as of a shell's <(…), is read like a file. Path's own test raises on too long a name.
    if isinstance(path, Path) and os.path.exists(path) and not path.is_dir():  # noqa: PTH110
        return read_export(*read_lines(str(path)))[1]
    with raw_store(path) as store:
        return list(store.patches.all())
