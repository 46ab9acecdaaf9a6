"""The location of `prompts/` and `fixtures/`, in a wheel or a checkout."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent


def resource(*parts: str) -> Path:
    """Return the path of a file or folder shipped with the package: `resource("prompts", "x")`.

    A wheel has these folders inside the package, a checkout next to it.

    Raises:
        FileNotFoundError: the installation lacks it, which is a packaging bug.
    """
    for root in (_PACKAGE / "_resources", _PACKAGE.parent):
        path = root.joinpath(*parts)
        if path.exists():
            return path
    raise FileNotFoundError(f"{'/'.join(parts)} is missing from this installation")
