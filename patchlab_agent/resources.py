"""Where `prompts/` and `fixtures/` are, in a wheel as in a checkout."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent


def resource(*parts: str) -> Path:
    """Path of a file or folder that ships with the package, e.g. `resource("prompts", "x")`.

    A wheel carries the folders inside the package, a checkout beside it.

    Raises:
        FileNotFoundError: the installation lacks it, which is a packaging bug.
    """
    for root in (_PACKAGE / "_resources", _PACKAGE.parent):
        path = root.joinpath(*parts)
        if path.exists():
            return path
    raise FileNotFoundError(f"{'/'.join(parts)} is missing from this installation")
