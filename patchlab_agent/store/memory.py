"""Memory that was freed, which the C library keeps for itself unless it is told otherwise."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any


def give_back() -> None:
    """Return freed memory to the operating system, where the C library is glibc.

    Chroma writes each version of an index in new memory and threads of its own. What these free is
    scattered, so that glibc would keep a tenth of all memory after 20,000 requests, and ever more.
    Other C libraries do it by themselves.
    """
    trim = _trim()
    if trim is not None:
        trim(0)


@cache
def _trim() -> Any | None:
    try:
        return getattr(ctypes.CDLL(None), "malloc_trim", None)
    except (OSError, TypeError):  # as on Windows
        return None
