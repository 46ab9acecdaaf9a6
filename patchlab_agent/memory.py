"""Memory that was freed, which glibc keeps for itself unless it is told otherwise.

Chroma writes each version of an index in new memory, in threads of its own. glibc gives each of
these a heap, and what they free stays scattered over their heaps: a run of 8,000 requests had
329 MB as it was, 295 MB with one heap whose free memory is given back. Other C libraries need
neither.
"""

from __future__ import annotations

import ctypes
from functools import cache

_ARENA_MAX = -8
"""`M_ARENA_MAX` of glibc's malloc.h."""


def share_heap() -> None:
    """Have all threads of this process share one heap; those that have their own keep it."""
    library = _glibc()
    if library is not None:
        library.mallopt(_ARENA_MAX, 1)


def give_back() -> None:
    """Return freed memory to the operating system."""
    library = _glibc()
    if library is not None:
        library.malloc_trim(0)


@cache
def _glibc() -> ctypes.CDLL | None:
    """Return this process's C library, if it is glibc."""
    try:
        library = ctypes.CDLL(None)
    except (OSError, TypeError):  # as on Windows
        return None
    return library if hasattr(library, "gnu_get_libc_version") else None
